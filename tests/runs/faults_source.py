"""The fault catalogue, what LearnUpon may do wrong (S1 to S34), and what a run must do about it.

Exit codes are the design's; where its rule differs from the catalogue's proposal the sentence says so. Nothing is
tested here.
"""

from __future__ import annotations

SOURCE: dict[str, str] = {
    "S1": "Rows vanish while a listing is read and others slip past: missed ones are asked for by id, none deleted: 0.",
    "S2": "Rows are touched while a listing by time of change is read: each once, the newest, none deleted: 0.",
    "S3": "Rows push in and repeat others on the next page: each is uploaded and counted once: 0.",
    "S4": "A page of any listing, first or later, lacks LU-Has-Next-Page: 65, nothing written.",
    "S5": "LU-Has-Next-Page in another spelling is understood: 0; said for ever, it ends at an empty or known page.",
    "S6": "The page asked for is ignored: told by LU-Current-Page or by its rows, 65, nothing written.",
    "S7": "Every listing is empty: 3 by max_source_shrink_percent, or below min_rows a question for each row.",
    "S8": "One course is empty, below every guard: no guard of its own (the design has none), each row is asked for by "
    "id; beyond max_confirmations rows stay, with a warning: 0.",
    "S9": "A course is not listed, so its rows are not read: each is asked for by id, none deleted: 0.",
    "S10": "The list stands under another key, or there is none: 65 with the keys seen, nothing written.",
    "S11": "An error comes with status 200, rows beside it or not: 65 with its words, nothing written.",
    "S12": "A web page comes with status 200: 65 with its beginning, escaped and without anything that was sent.",
    "S13": "429: what Retry-After asks for is waited, up to 900 s a call; more, or for ever: 69, nothing written.",
    "S14": "The week's allowance would not last: 75 (the design's code for a quota), both numbers, nothing written.",
    "S15": "An error of the server once, in any place: another attempt, told in the log: 0.",
    "S16": "An error of the server for ever: 69 after five attempts, nothing written.",
    "S17": "No connection, no answer, or a byte now and then: given up after a bounded time: 69, nothing written.",
    "S18": "A connection breaks in the middle of a body: read again: 0; for ever: 69.",
    "S19": "A body without a length is cut: read again: 0; for ever: 65, nothing written.",
    "S20": "A page that is still JSON lacks rows: a short page alone is no fault (499 of 500 were seen), what is "
    "missing is asked for by id, none deleted: 0.",
    "S21": "A filter is ignored: one row of another course, path or learner: 65, nothing written. (No bogus id is "
    "asked for first: every returned row is checked instead.)",
    "S22": "A status that nobody knows is carried in Title Case, with a warning that names and counts it: 0. (The "
    "catalogue would hold such rows back.)",
    "S23": "An id that is none, or larger than a key can hold: 65 with its place; another spelling is the same: 0.",
    "S24": "One row in two versions: the newer updated_at counts, of equals one, always the same: 0.",
    "S25": "A key twice in an object, NaN, broken UTF-8, half a character, a control character: 65, nothing written.",
    "S26": "A time that is none: 65 with field and row, not the value; another zone is converted, none is UTC, one in "
    "the future is carried: 0. (There is no window by time that a wrong clock could shift.)",
    "S27": "An account is merged: the enrollment's id stays the key, the row goes over to its learner; a learner "
    "nobody lists gets nothing: 0 with a warning.",
    "S28": "Unenrolled rows are still listed: a tombstone; unfinished ones go, finished ones stay with the flag: 0.",
    "S29": "The key pair is refused in the middle of a read or at a question by id: 77, nothing written.",
    "S30": "One course may not be read: 77 for a 403, 65 for another refusal, nothing written for any portal.",
    "S31": "A redirect to another host: 65 with its name; that host hears nothing.",
    "S32": "A small body swells when it is unpacked: 65 at 64 MiB, nothing written.",
    "S33": "Four times as many rows: creates are what a sync is for and no guard of the design counts them: 0; too "
    "little storage for them is warned of before.",
    "S34": "One field changes in every row: 3 by max_update_percent, with the flag and the number that lift it once.",
}
NOT_HERE: dict[str, str] = {}
