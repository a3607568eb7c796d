"""The summary as Markdown, for a pull request or a chat; it shows no values of rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from etl.report import wording
from etl.report.model import Report, most_first, object_order

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&@:$])")
_PLAN = ("create", "update", "delete", "unchanged", "kept", "unconfirmed", "rejected")
_DONE = ("created", "updated", "deleted", "refused", "unknown", "unchanged", "kept", "unconfirmed", "rejected")
_REST = frozenset(("kept", "unconfirmed", "rejected", "refused", "unknown"))


def markdown(report: Report) -> str:
    """Return the summary of a plan or a run as GitHub-flavoured Markdown."""
    blocks = [*_top(report), *_objects(report), *_unmatched(report), *_refused(report), *_guards(report)]
    blocks.extend(_warnings(report))
    blocks.append(wording.calls(report))
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is: no markup, link, mention, image or HTML comes of it."""
    return _SPECIAL.sub(r"\\\1", wording.one_line(text))


def _top(report: Report) -> Iterator[str]:
    head = wording.headline(report)
    yield f"## {head.title}"
    if report.error:
        yield f"> {escape(report.error)}"
    yield f"**{head.sentence}** {head.next}".rstrip()
    facts = (report.command, report.run_id, report.org_id, wording.moment(report.started_at))
    yield " · ".join(f"`{fact}`" for fact in facts if fact)


def _objects(report: Report) -> Iterator[str]:
    if not report.objects or not (report.totals.changes or report.totals.rejected):
        return
    total = report.totals
    names = _DONE if report.wrote else _PLAN
    columns = [name for name in names if name not in _REST or getattr(total, name)]
    lines = [_row("Object", *columns), _row("---", *["---:"] * len(columns))]
    for name in object_order(report.objects):
        counts = report.objects[name]
        lines.append(_row(f"`{name}`", *(f"{getattr(counts, column):,}" for column in columns)))
    lines.append(_row("**all**", *(f"**{getattr(total, column):,}**" for column in columns)))
    yield "\n".join(lines)


def _unmatched(report: Report) -> Iterator[str]:
    count = sum(portal.unmatched for portal in report.portals)
    if count:
        yield f"### Unmatched learners: {count:,}"
        yield _list({wording.reason(code): number for code, number in report.unmatched_reasons.items()})


def _refused(report: Report) -> Iterator[str]:
    count = report.lost - report.totals.unknown
    if count:
        yield f"### Refused rows: {count:,}"
        yield _list(report.refused_reasons)


def _guards(report: Report) -> Iterator[str]:
    loud = [guard for guard in report.guards if guard.tripped or guard.overridden]
    if loud:
        yield "### Guards"
        lines = [_row("Guard", "Value", "Limit", "State", "What to do"), _row("---", "---:", "---:", "---", "---")]
        for guard in loud:
            value, limit = wording.guard_value(guard, guard.value), wording.guard_value(guard, guard.limit)
            remedy = wording.guard_remedy(guard, report) if guard.tripped else ""
            lines.append(_row(f"`{guard.name}`", value, limit, wording.guard_state(guard), escape(remedy)))
        yield "\n".join(lines)


def _warnings(report: Report) -> Iterator[str]:
    if report.warnings:
        yield f"### Warnings: {len(report.warnings):,}"
        yield "\n".join(f"- {escape(warning)}" for warning in report.warnings)


def _list(reasons: Mapping[str, int]) -> str:
    return "\n".join(f"- {count:,} × {escape(words)}" for words, count in most_first(reasons).items())  # noqa: RUF001


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
