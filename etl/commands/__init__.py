"""The commands, one module each with a `command`; they wire things together and decide nothing."""
