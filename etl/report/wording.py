"""The words of a report: headline, what to do next, values and numbers in print; it lays out nothing."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from etl import guards
from etl.match import REASONS
from etl.report.model import GuardLine, Report

Tone = Literal["good", "note", "bad"]
SIGNS = {"create": "+", "update": "~", "delete": "-"}
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows: a name could rewrite the line it stands in."""

STOPS: dict[int, tuple[str, str]] = {
    3: ("A guard stopped the run", "Look at the plan and the guards; the message says what lets this pass once."),
    64: ("The command line was wrong", "See learnupon-sync --help."),
    65: (
        "LearnUpon's answers cannot be trusted",
        "Run again later. If it stays so, the message says which answer of which portal to show to LearnUpon.",
    ),
    69: ("LearnUpon or Salesforce is unavailable", "Run again later: the run goes on from what is there by then."),
    70: ("A bug in learnupon-sync stopped the run", "Report it with the traceback from the log; it holds no values."),
    74: ("The local disk or state folder failed", "Mend what the message names, then run again."),
    75: ("Not now: try again later", "Run again later; a job of unknown outcome is taken up by the next run."),
    77: (
        "Credentials or permissions were refused",
        "Mend what the message names, see that learnupon-sync check is content, run again.",
    ),
    78: (
        "The configuration does not fit",
        "Mend what the message names, see that learnupon-sync check is content, run again.",
    ),
    130: ("Interrupted", "It stopped cleanly: run again to go on."),
    143: ("Interrupted", "It stopped cleanly: run again to go on."),
}
"""What each exit code that stops a run is called, and what to do next."""

_ADVICE = ("run again", "make a new plan", "set it right", "allow-deletes", "allow-updates")
"""Words by which an error says itself what to do."""


@dataclass(frozen=True)
class Headline:
    """The report in three lines."""

    tone: Tone
    title: str
    sentence: str
    next: str = ""


def headline(report: Report) -> Headline:
    """Return what a person should read first; it never claims a write that did not happen, or hides one that did."""
    if report.exit_code in STOPS:
        title, then = STOPS[report.exit_code]
        return Headline("bad", title, f"{written(report)}", then)
    total = report.totals
    if report.exit_code == 1:
        then = "Each one is listed with its reason: mend the cause and run again. Only these rows are sent then."
        return Headline("note", f"Finished, but {rows(report.lost)} did not get in", summary(report), then)
    if not total.changes and not total.rejected:
        return Headline("good", "Nothing to do", f"{agreement(report)}: {rows(total.unchanged)} compared.")
    if report.preview:
        return Headline("note", "A plan, not yet a change", summary(report), "Nothing was written to Salesforce.")
    return Headline(
        "good", f"Run {report.undoes} was put back" if report.undoes else agreement(report), summary(report)
    )


def summary(report: Report) -> str:
    """Return the line of totals: `Plan: 12 to create, ...` before a write, `Done: 12 created, ...` after one."""
    total = report.totals
    if not total.changes and not total.rejected:
        return f"Nothing to do: {agreement(report)} ({rows(total.unchanged)} compared)."
    if report.wrote:
        line = f"Done: {total.created:,} created, {total.updated:,} updated, {total.deleted:,} deleted"
    else:
        line = f"Plan: {total.create:,} to create, {total.update:,} to update, {total.delete:,} to delete"
    rest = {"refused": total.refused, "rejected": total.rejected, "with an unknown outcome": total.unknown}
    return line + "".join(f", {count:,} {name}" for name, count in rest.items() if count) + "."


def agreement(report: Report) -> str:
    """Return what holds when there is nothing to do."""
    if report.undoes:
        return f"nothing of run {report.undoes} is left to put back"
    return "Salesforce agrees with LearnUpon"


def written(report: Report) -> str:
    """Return in a sentence what a stopped run has written."""
    total = report.totals
    if report.preview or not (total.written or total.unknown):
        return "Nothing was written to Salesforce."
    sentence = f"{rows(total.written).capitalize()} had been written by then"
    return sentence + (f"; the outcome of {total.unknown:,} is not known yet." if total.unknown else ".")


def ending(report: Report) -> str:
    """Return the sentences for what the error of a stopped run leaves unsaid: what was written, and what to do."""
    head, said = headline(report), report.error.lower()
    written_too = "nothing was written" not in said or not head.sentence.startswith("Nothing")
    next_too = not any(words in said for words in _ADVICE)
    return " ".join(words for words, wanted in ((head.sentence, written_too), (head.next, next_too)) if wanted)


_SIDES = (("learnupon", "LearnUpon", "this week"), ("salesforce", "Salesforce", "today"))


def calls(report: Report) -> str:
    """Return what the run asked of either side, what was expected, and what is left of the allowance."""
    line = "API calls: " + "; ".join(_calls(report, *side) for side in _SIDES) + "."
    if report.calls_to_write:
        line += f" Writing this plan takes about {report.calls_to_write:,} more of Salesforce."
    return line


def _calls(report: Report, side: str, name: str, span: str) -> str:
    used, expected, left = (counts.get(side) for counts in (report.api_calls, report.calls_expected, report.calls_left))
    told = f"{name} {used or 0:,}"
    if expected is not None:
        told += f" of about {expected:,} expected"
    return told if left is None else f"{told}, {left:,} left {span}"


def reason(code: str) -> str:
    """Return why a learner is unmatched, in words; a code we do not know is given as it is."""
    return REASONS.get(code, code)


def guard_remedy(guard: GuardLine, report: Report) -> str:
    """Return what a person can do about a tripped guard, with the number a flag needs."""
    total = report.totals
    reading = guards.Reading(guard.name, guard.value, guard.limit, guard.tripped, guard.overridden, guard.where)
    return guards.remedy(reading, total.delete, total.update)


def guard_state(guard: GuardLine) -> str:
    """Return `tripped`, `overridden` or `within`."""
    return "tripped" if guard.tripped else "overridden" if guard.overridden else "within"


def number(value: float) -> str:
    """Return a number with thousands marked: two decimals, more where two would make a whole number of it."""
    if value == int(value):
        return f"{int(value):,}"
    digits = 6 if round(value, 2) == int(round(value, 2)) else 2
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".")


def guard_value(guard: GuardLine, value: float) -> str:
    """Return a guard's value or limit with its unit."""
    return f"{number(value)} %" if "percent" in guard.name else number(value)


def rows(count: int) -> str:
    """Return `1 row`, `2 rows`."""
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def plural(count: int, one: str) -> str:
    """Return a count with its noun: `1 learner`, `2 learners`."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {one}s"


def duration(seconds: float | None) -> str:
    """Return `4.2 s`, `3 min 12 s`, `1 h 4 min`; a dash when it is not known."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(when: datetime | None) -> str:
    """Return a time as `2026-11-22 01:00:00 UTC`; a dash when it is not known."""
    return "-" if when is None else f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def value(content: Any) -> str:
    """Return one cell's value as a person reads it; an empty string stands for blank."""
    if content is None:
        return ""
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, datetime):
        return f"{content.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return number(content) if isinstance(content, float) else str(content)


def one_line(text: str) -> str:
    """Return text fit for a terminal: line ends become blanks, control and direction characters are shown as �."""
    flat = " ".join(text.split())
    return "".join("�" if unicodedata.category(char) == "Cc" or char in _BIDI else char for char in flat)
