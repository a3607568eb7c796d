"""The summary a person reads in ten seconds on a terminal or in a log; it prints nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TextIO

from rich.console import Console
from rich.text import Text

from etl.report import wording
from etl.report.model import Change, ObjectCounts, Report, most_first, object_order

_STYLES = {"+": "green", "~": "yellow", "-": "red", "=": "dim"}
_TONES: dict[wording.Tone, str] = {"good": "bold green", "note": "bold yellow", "bad": "bold red"}
_LINES = 10
"""How many reasons, and how many warnings, are shown before the rest is only counted."""


def wants_color(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether colours belong on this stream: a terminal that is not dumb, and NO_COLOR not set."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def text(report: Report, *, where: str = "", color: bool = False) -> str:
    """Return the summary of a plan or a run; `where` is the folder in which the full report lies."""
    parts = [_top(report), _objects(report), _unmatched(report), _refused(report), _guards(report), _warnings(report)]
    blocks = [list(part) for part in parts]
    blocks.append(list(_foot(report, where)))
    return _render([block for block in blocks if block], color=color)


def changes_text(samples: Iterable[Change], *, show_values: bool, color: bool = False) -> str:
    """Return sampled changes row by row; values, which are personal data, only with `show_values`."""
    return _render([list(_changes(samples, show_values=show_values))], color=color)


def _changes(samples: Iterable[Change], *, show_values: bool) -> Iterator[Text]:
    last = ""
    for (name, action, key), group in groupby(samples, key=lambda item: (item.object, item.action, item.key)):
        if name != last:
            yield Text(name, style="bold")
            last = name
        found = list(group)
        changes = [change for change in found if change.column]
        names = "" if show_values or not changes else "  " + ", ".join(change.column for change in changes)
        sign = wording.SIGNS[action]
        yield Text.assemble(
            "  ", (sign, _STYLES[sign]), " ", wording.one_line(key), (names, "dim"), _why(found[0].reason)
        )
        if show_values:
            yield from _values(changes)


def _why(reason: str) -> str:
    return f"  ({wording.one_line(reason)})" if reason else ""


def _values(changes: list[Change]) -> Iterator[Text]:
    width = max((len(change.column) for change in changes), default=0)
    for change in changes:
        before, after = (wording.one_line(wording.value(cell)) or "(blank)" for cell in (change.before, change.after))
        yield Text.assemble("      ", (change.column.ljust(width), "dim"), f"  {before} → {after}")


def _top(report: Report) -> Iterator[Text]:
    head = wording.headline(report)
    failed = head.tone == "bad"
    if failed:
        yield Text.assemble((head.title, _TONES[head.tone]), f" (exit {report.exit_code})")
        if report.error:
            yield Text("  " + wording.one_line(report.error))
        yield Text(f"  {head.sentence} {head.next}")


def _objects(report: Report) -> Iterator[Text]:
    total = report.totals
    if total.changes or total.rejected or total.unconfirmed:
        yield from _table(report)
    if report.objects:
        yield Text(wording.summary(report), style="bold")


def _table(report: Report) -> Iterator[Text]:
    names = object_order(report.objects)
    grid = [_cells(report.objects[name], done=report.wrote) for name in names]
    width = max(map(len, names), default=0)
    widths = [max((len(row[place]) for row in grid), default=0) for place in range(4)]
    for name, cells in zip(names, grid, strict=True):
        line = Text.assemble("  ", name.ljust(width))
        for cell, room in zip(cells, widths, strict=True):
            line.append("  ").append(cell.rjust(room), style="dim" if cell[1:] == "0" else _STYLES[cell[0]])
        yield line.append(" unchanged", style="dim").append(_aside(report.objects[name]))


def _cells(counts: ObjectCounts, *, done: bool) -> tuple[str, str, str, str]:
    add, change, drop = counts.create, counts.update, counts.delete
    if done:
        add, change, drop = counts.created, counts.updated, counts.deleted
    return f"+{add:,}", f"~{change:,}", f"-{drop:,}", f"={counts.unchanged:,}"


def _aside(counts: ObjectCounts) -> str:
    found = [
        f"{getattr(counts, name):,} {name}"
        for name in ("refused", "rejected", "unknown", "kept", "unconfirmed")
        if getattr(counts, name)
    ]
    return "  " + ", ".join(found) if found else ""


def _unmatched(report: Report) -> Iterator[Text]:
    learners = sum(portal.learners for portal in report.portals)
    unmatched = sum(portal.unmatched for portal in report.portals)
    if unmatched:
        yield Text(f"Unmatched: {unmatched:,} of {wording.plural(learners, 'learner')}, listed in unmatched.csv")
        yield from _reasons({wording.reason(code): count for code, count in report.unmatched_reasons.items()})


def _refused(report: Report) -> Iterator[Text]:
    count = report.lost - report.totals.unknown
    if count:
        yield Text.assemble((f"Refused: {wording.rows(count)}, each listed in refused.csv", "red"))
        yield from _reasons(report.refused_reasons)


def _reasons(reasons: Mapping[str, int]) -> Iterator[Text]:
    ordered = list(most_first(reasons).items())
    shown = ordered[:_LINES]
    width = max((len(f"{count:,}") for _, count in shown), default=0)
    for words, count in shown:
        yield Text(f"  {count:>{width},}  {wording.one_line(words)}")
    if len(ordered) > _LINES:
        yield Text(f"  and {len(ordered) - _LINES} more reasons in the report", style="dim")


def _guards(report: Report) -> Iterator[Text]:
    loud = [guard for guard in report.guards if guard.tripped or guard.overridden]
    for guard in sorted(loud, key=lambda guard: not guard.tripped):
        value, limit = wording.guard_value(guard, guard.value), wording.guard_value(guard, guard.limit)
        place = f" ({guard.where})" if guard.where else ""
        style = "bold red" if guard.tripped else "yellow"
        yield Text.assemble(
            "Guard ", (f"{guard.name} {wording.guard_state(guard)}", style), f": {value} against {limit}{place}"
        )
        if guard.tripped:
            yield Text(f"  {wording.guard_remedy(guard, report)}")
    quiet = len(report.guards) - len(loud)
    if quiet:
        yield Text(f"Guards: {'the other ' if loud else ''}{quiet} within their limits", style="dim")


def _warnings(report: Report) -> Iterator[Text]:
    for warning in report.warnings[:_LINES]:
        yield Text.assemble(("Warning", "yellow"), f": {wording.one_line(warning)}")
    if len(report.warnings) > _LINES:
        yield Text(f"and {len(report.warnings) - _LINES:,} more warnings in the report", style="dim")


def _foot(report: Report, where: str) -> Iterator[Text]:
    yield Text(f"{wording.calls(report)} Took {wording.duration(report.seconds)}.", style="dim")
    if where:
        yield Text(f"Report: {where}", style="dim")


def _render(blocks: list[list[Text]], *, color: bool) -> str:
    console = Console(
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        width=10_000,
        legacy_windows=False,
    )
    with console.capture() as captured:
        for place, block in enumerate(blocks):
            if place:
                console.print()
            for line in block:
                console.print(line, soft_wrap=True, highlight=False, markup=False)
    return captured.get()
