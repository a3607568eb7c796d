"""The report as one web page that needs nothing else: no script, no outside request, every text escaped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from etl.report import wording
from etl.report.model import Change, GuardLine, ObjectCounts, Report, most_first, object_order
from etl.schema import BY_NAME

_PLANNED = ("create", "update", "delete", "unchanged", "unconfirmed", "rejected")
_DONE = ("created", "updated", "deleted", "refused", "unknown", "unchanged", "unconfirmed", "rejected")
_KINDS = {"created": "create", "updated": "update", "deleted": "delete"}
"""Counts that share a colour with the planned ones."""
_COLUMNS = (
    ("desired", "rows that Salesforce should hold"),
    ("existing", "rows that Salesforce held before"),
    ("create", "to be created"),
    ("update", "to be updated"),
    ("delete", "to be deleted"),
    ("unchanged", "already right"),
    ("kept", "finished rows that LearnUpon no longer has, kept and flagged"),
    ("unconfirmed", "missing in LearnUpon without proof that they are gone, left as they are"),
    ("rejected", "rows with a value that the field cannot hold, not sent"),
    ("created", "created"),
    ("updated", "updated"),
    ("deleted", "deleted"),
    ("refused", "refused by Salesforce"),
    ("unknown", "outcome not known"),
)

_RARE = frozenset({"kept", "unconfirmed", "rejected", "refused", "unknown"})


@dataclass(frozen=True)
class Segment:
    """One colour of a bar: what it counts and how much; `share` is its part of the bar in per cent."""

    kind: str
    name: str
    count: int
    share: float = 0.0


@dataclass(frozen=True)
class Bar:
    """One line of bars: a reason, or an object with all its segments."""

    label: str
    code: str
    total: int
    segments: list[Segment]


@dataclass(frozen=True)
class Gauge:
    """One guard: how far the needle stands, and where on the track the limit is (per cent of the track)."""

    name: str
    where: str
    state: str
    value: str
    limit: str
    fill: float
    mark: float
    remedy: str


def html(report: Report) -> str:
    """Return the page. Values of sampled changes are on it only when the report says `show_values`."""
    done = report.wrote
    total = report.totals
    return _template().render(
        report=report,
        head=wording.headline(report),
        done=done,
        tiles=_segments(total, _DONE[:3] if done else _PLANNED[:3], always=True),
        quiet=[part for part in _segments(total, _DONE[3:] if done else _PLANNED[3:]) if part.count],
        total=total,
        objects=_objects(report, done=done),
        columns=_columns(total, done=done),
        names=object_order(report.objects),
        samples=_samples(report.samples),
        unmatched=_reasons({wording.reason(code): count for code, count in report.unmatched_reasons.items()}),
        unmatched_count=sum(portal.unmatched for portal in report.portals),
        refused=_reasons(report.refused_reasons),
        gauges=_gauges(report),
        words=wording,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("etl.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = wording.number
    environment.filters["plain"] = wording.one_line
    environment.filters["shown"] = _shown
    return environment.get_template("report.html.j2")


def _shown(content: Any) -> str:
    return wording.one_line(wording.value(content))


def _columns(total: ObjectCounts, *, done: bool) -> list[tuple[str, str]]:
    """Return the columns of the table of counts; of the rarer ones only those with any row."""
    wanted = _COLUMNS if done else _COLUMNS[:9]
    return [(name, meaning) for name, meaning in wanted if name not in _RARE or getattr(total, name)]


def _segments(counts: ObjectCounts, names: tuple[str, ...], *, always: bool = False) -> list[Segment]:
    found = [Segment(_KINDS.get(name, name), name, getattr(counts, name)) for name in names]
    whole = sum(segment.count for segment in found)
    if not whole:
        return found if always else []
    return [Segment(part.kind, part.name, part.count, 100 * part.count / whole) for part in found]


def _objects(report: Report, *, done: bool) -> list[Bar]:
    bars = []
    for name in object_order(report.objects):
        segments = [part for part in _segments(report.objects[name], _DONE if done else _PLANNED) if part.count]
        label = BY_NAME[name].plural if name in BY_NAME else name
        bars.append(Bar(label, name, sum(part.count for part in segments), segments))
    return bars


def _reasons(reasons: dict[str, int]) -> list[Bar]:
    most = max(reasons.values(), default=0)
    return [
        Bar(words, "", count, [Segment("reason", words, count, 100 * count / most if most else 0.0)])
        for words, count in most_first(reasons).items()
    ]


def _gauges(report: Report) -> list[Gauge]:
    return [
        _gauge(guard, report)
        for guard in sorted(report.guards, key=lambda guard: (not guard.tripped, not guard.overridden))
    ]


def _gauge(guard: GuardLine, report: Report) -> Gauge:
    """Return the gauge: the track reaches a quarter beyond the limit, or as far as the value if that is further."""
    reach = max(guard.value, guard.limit * 1.25) or 1
    return Gauge(
        guard.name.replace("_", " "),
        guard.where,
        wording.guard_state(guard),
        wording.guard_value(guard, guard.value),
        wording.guard_value(guard, guard.limit),
        round(100 * guard.value / reach, 2),
        round(100 * guard.limit / reach, 2),
        wording.guard_remedy(guard, report) if guard.tripped else "",
    )


def _samples(changes: list[Change]) -> list[tuple[str, list[list[Change]]]]:
    """Return sampled changes by object, then by row."""
    objects: dict[str, dict[tuple[str, str], list[Change]]] = {}
    for change in changes:
        objects.setdefault(change.object, {}).setdefault((change.action, change.key), []).append(change)
    return [(name, list(rows.values())) for name, rows in objects.items()]
