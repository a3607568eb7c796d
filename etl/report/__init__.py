"""What a run tells people: model, text, web page, markdown and CSV; it writes no file and decides nothing."""
