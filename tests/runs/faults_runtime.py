"""The fault catalogue, what the machine and the night may do wrong (R1 to R16), and what a run must do about it.

A fault that cannot reach the program stands in `NOT_HERE` with the reason. Nothing is tested here.
"""

from __future__ import annotations

RUNTIME: dict[str, str] = {
    "R1": "Two starts on one machine: the second ends with 75 at once, the first named, nothing asked.",
    "R2": "Two starts without a shared disk: Salesforce gives one the lease; the other ends with 75.",
    "R3": "Killed at any step: one more run ends as if nothing had been, no job left, nothing done twice.",
    "R4": "SIGTERM or SIGINT: 143 or 130 within 20 s with an honest report; the next run ends well.",
    "R5": "SIGTERM while a file is uploaded: its job is aborted or adopted, no row written twice.",
    "R6": "The disk is lost with the machine: from Salesforce's own list the next run finds what was left.",
    "R7": "The disk is full, at any moment: 74 with place, what was written and remedy; nothing torn is ever read.",
    "R8": "Nothing but the state folder can be written: the run is the same; not that either: 74, nobody asked.",
    "R9": "Killed by the kernel for its memory in the middle of writing: as R3; memory depends on the partition alone.",
    "R10": "Clocks jump by a day or a year in the middle: waits, lease, history and report stay right.",
    "R11": "A name that does not resolve, a host that does not answer: 69 within the time a call may take.",
    "R12": "Proxy and netrc in the environment: not looked at; no proxy is asked, the token is ours.",
    "R13": "State files torn at any byte or of another form: as if they were not there; the run is right all the same.",
    "R14": "The report cannot be written, a listener not be told, after the data were: warned; the exit is the data's.",
    "R15": "A run takes longer than the time to the next: the next ends with 75 and writes nothing; the first goes on.",
    "R16": "Nights are missed: all is compared, so one run makes up for them.",
}
NOT_HERE: dict[str, str] = {}
