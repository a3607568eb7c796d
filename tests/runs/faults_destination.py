"""The fault catalogue, what Salesforce may do wrong (D1 to D39), and what a run must do about it.

A fault that cannot reach the program stands in `NOT_HERE` with the reason. Nothing is tested here.
"""

from __future__ import annotations

DESTINATION: dict[str, str] = {
    "D1": "A job does not end in time: 75, its id and rows named; the next run waits for it, nothing is sent twice.",
    "D2": "A job fails half way: what it wrote is counted, the rest sent again in another job or told; no row twice.",
    "D3": "A person aborts a job: 69, not fought in this run; the next one writes what is missing.",
    "D4": "Some rows of a job are refused: 1, each listed with Salesforce's words, all others written.",
    "D5": "Rows are locked: they alone are sent again, a few times, in smaller jobs; then 1, listed.",
    "D6": "The session ends: renewed once a refused call; refused for good 77, or 75 with the job while one runs.",
    "D7": "The day's allowance is spent: 75, before writing when it can be foreseen, else with what was written.",
    "D8": "The org is full: new rows are refused and listed, 1; changes and deletes are made all the same.",
    "D9": "No answer to the creation of a job: it is found and aborted, by the next run at the latest; none stays.",
    "D10": "No answer to an upload: the job is aborted and made anew, never filled twice.",
    "D11": "No answer to a close that worked: the job is looked at and waited for; one effect a row.",
    "D12": "A close that never arrived: the job is seen Open and closed again.",
    "D13": "An upload is stored short: rows that no result names are unknown, 75; torn, its job fails: 1, each row "
    "listed; the next run sends them.",
    "D14": "A page of results is cut, at a row's end or not: fetched again; cut again: 69, nothing written.",
    "D15": "The locator is missing or empty: only the word null ends a result; 69, nothing written.",
    "D16": "A locator comes again: 69 at once, nothing written.",
    "D17": "Results of a query job are gone (404 on a page): one new job; gone again: 69, nothing written.",
    "D18": "A query job finds nothing while Salesforce counts rows: 69 with both numbers, nothing is created again.",
    "D19": "A query job succeeds and lacks rows: held against COUNT() before and after; 69 with the numbers, no write.",
    "D20": "A field or object is missing: 78 before LearnUpon is asked for anything, with its name.",
    "D21": "A field may not be written: 77 with its name and the permission set.",
    "D22": "The key is not unique, or no external id: 78 with its name.",
    "D23": "Two rows share a key (LearnUpon's package lets them): 1, both ids listed, neither written nor deleted.",
    "D24": "No upload holds a key twice or an empty one: looked at before the first file is sent, else 70, no write.",
    "D25": "A row is deleted between reading and writing: deleted it is, if changed then told and mended next.",
    "D26": "A person edits a row between reading and writing: fields that are not ours are never sent.",
    "D27": "A person's record is deleted between reading and writing: what names them is refused, listed, 1.",
    "D28": "A validation rule refuses rows: 1, listed, summed up by Salesforce's code in the summary.",
    "D29": "The results of an ended job cannot be read: 75 with the job and its counts; the next run compares anew.",
    "D30": "A value becomes empty: it is sent as #N/A, and the next run finds nothing to do.",
    "D31": "Texts that look like no value: NA, nan, null stay; #N/A alone becomes blank, with a warning.",
    "D32": "Quotes, line ends of every kind, NUL, 131,073 characters: as written, or cut to the field with a warning.",
    "D33": "CSV without a charset is UTF-8: no name changes, and the next run sends nothing.",
    "D34": "More than one file holds goes in several jobs, each row once.",
    "D35": "A maintenance page, whatever its status: 69, with what was written when it began half way.",
    "D36": "The sign-in names an instance elsewhere: 77, and that host sees no request.",
    "D37": "A JWT is refused since the clock is wrong: 77 with the difference in seconds.",
    "D38": "More is deleted than the recycle bin keeps: undo restores from the run's own copy, field by field.",
    "D39": "A night's run is still at work when the next begins: the second ends with 75, having written nothing.",
}
NOT_HERE: dict[str, str] = {}
