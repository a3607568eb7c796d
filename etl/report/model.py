"""What a run leaves as facts: the report of section 8 as dataclasses and as JSON; it renders and writes nothing.

The keys of `report.json` are a contract. Keys that help a person stand beside them: `reads`, `seconds`, `dry_run`,
`error`, `overrides`, `guard_places`, `api_calls_expected`, `api_calls_left`, `api_calls_to_write`,
`unmatched_reasons`, `refused_reasons`, `samples`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, date, datetime
from typing import Any, Literal

from etl.counts import Counts
from etl.schema import BY_NAME

Action = Literal["create", "update", "delete"]
PREVIEWS = frozenset({"plan", "check"})
"""Commands that never write to Salesforce."""


@dataclass
class ObjectCounts(Counts):
    """Rows of one object: what the plan found, then what became of the writes; all counts, never null."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    refused: int = 0
    unknown: int = 0

    def add(self, other: ObjectCounts) -> None:
        """Add another object's counts to these."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))

    @property
    def changes(self) -> int:
        """Return how many rows the plan wants to write."""
        return self.create + self.update + self.delete

    @property
    def written(self) -> int:
        """Return how many rows Salesforce took."""
        return self.created + self.updated + self.deleted

    def faults(self) -> list[str]:
        """Return the sums of section 8 that do not hold, in words; an empty list when they all do."""
        wanted = self.create + self.update + self.unchanged + self.rejected
        found = self.update + self.unchanged + self.delete + self.unconfirmed
        ended = self.written + self.refused + self.unknown
        faults = []
        if self.desired != wanted:
            faults.append(f"desired {self.desired} is not create + update + unchanged + rejected = {wanted}")
        if self.existing != found:
            faults.append(f"existing {self.existing} is not update + unchanged + delete + unconfirmed = {found}")
        if ended and ended != self.changes:
            faults.append(f"{self.changes} rows were to be written but {ended} have an end")
        return faults


@dataclass
class PortalLine:
    """One portal as it was read: learners listed, how many have a person in Salesforce, and whether all was read."""

    name: str
    portal_id: int
    learners: int = 0
    matched: int = 0
    unmatched: int = 0
    complete: bool = False


@dataclass
class GuardLine:
    """One guard: what it saw against its limit; `overridden` when a flag of this run lifted it.

    `where` names the object or portal the value comes from; in the JSON it stands apart, under `guard_places`.
    """

    name: str
    value: float
    limit: float
    tripped: bool = False
    overridden: bool = False
    where: str = ""


@dataclass
class Change:
    """One value of one row before and after: a sample for people, not the whole plan. None is blank.

    A delete has no column; its `reason` says why.
    """

    object: str
    action: Action
    key: str
    column: str = ""
    before: Any = None
    after: Any = None
    reason: str = ""


@dataclass
class Report:
    """A whole run. Times are UTC, `exit_code` is one of section 6, `error` is empty when all is well."""

    run_id: str
    command: str = "run"
    undoes: str = ""
    """The run that this one puts back."""
    outcome: str = "ok"
    exit_code: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    took_s: float | None = None
    """Seconds by a clock that is never set; None for a report that tells only when it began and ended."""
    org_id: str = ""
    portals: list[PortalLine] = field(default_factory=list)
    objects: dict[str, ObjectCounts] = field(default_factory=dict)
    guards: list[GuardLine] = field(default_factory=list)
    api_calls: dict[str, int] = field(default_factory=lambda: {"learnupon": 0, "salesforce": 0})
    calls_expected: dict[str, int] = field(default_factory=dict)
    """What either side was expected to be asked in all, as last predicted; a side without a prediction is missing."""
    calls_left: dict[str, int] = field(default_factory=dict)
    """What is left in the end: of LearnUpon's week, in the portal with the least, and of Salesforce's day."""
    calls_to_write: int | None = None
    """Requests to Salesforce that writing a plan would take, as predicted; None where nothing was only planned."""
    jobs: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    reads: dict[str, str] = field(default_factory=dict)
    """By object, in words: how its rows in Salesforce were read."""
    dry_run: bool = False
    error: str = ""
    overrides: dict[str, int] = field(default_factory=dict)
    """Flags that lifted a guard for this run: `{"allow_deletes": 900}`."""
    unmatched_reasons: dict[str, int] = field(default_factory=dict)
    refused_reasons: dict[str, int] = field(default_factory=dict)
    """Rows refused by Salesforce (its code) or rejected before sending (our reason)."""
    samples: list[Change] = field(default_factory=list)
    show_values: bool = False
    """Whether the values of the samples, which are personal data, may be written down."""

    @property
    def preview(self) -> bool:
        """Return whether this run was never meant to write."""
        return self.dry_run or self.command in PREVIEWS

    @property
    def wrote(self) -> bool:
        """Return whether any row was sent to Salesforce."""
        total = self.totals
        return not self.preview and bool(total.written or total.refused or total.unknown)

    @property
    def lost(self) -> int:
        """Return how many rows did not get in: refused, never sent, or not there when they were read back."""
        total = self.totals
        return max(total.refused + total.rejected, sum(self.refused_reasons.values())) + total.unknown

    @property
    def totals(self) -> ObjectCounts:
        """Return the counts summed over all objects."""
        total = ObjectCounts()
        for counts in self.objects.values():
            total.add(counts)
        return total

    @property
    def seconds(self) -> float | None:
        """Return how long the run took, in seconds; None while a time is missing."""
        if self.took_s is not None:
            return round(self.took_s, 1)
        if self.started_at is None or self.finished_at is None:
            return None
        return round((self.finished_at - self.started_at).total_seconds(), 1)


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as `report.json` holds it: keys of section 8 first, objects in the order of the writes.

    Values of samples are left out unless `show_values`: keys and column names remain.
    """
    return {
        "run_id": report.run_id,
        "command": report.command,
        "outcome": report.outcome,
        "exit_code": report.exit_code,
        "started_at": stamp(report.started_at),
        "finished_at": stamp(report.finished_at),
        "org_id": report.org_id,
        "portals": [asdict(portal) for portal in report.portals],
        "objects": {name: asdict(report.objects[name]) for name in object_order(report.objects)},
        "guards": [_guard(guard) for guard in report.guards],
        "api_calls": dict(report.api_calls),
        "jobs": list(report.jobs),
        "warnings": list(report.warnings),
        "reads": dict(report.reads),
        "seconds": report.seconds,
        "dry_run": report.dry_run,
        "error": {"message": report.error} if report.error else None,
        "overrides": dict(report.overrides),
        "api_calls_expected": dict(report.calls_expected),
        "api_calls_left": dict(report.calls_left),
        "api_calls_to_write": report.calls_to_write,
        **({"undoes": report.undoes} if report.undoes else {}),
        "guard_places": {guard.name: guard.where for guard in report.guards if guard.where},
        "unmatched_reasons": most_first(report.unmatched_reasons),
        "refused_reasons": most_first(report.refused_reasons),
        "show_values": report.show_values,
        "samples": [_sample(change, show=report.show_values) for change in report.samples],
    }


def from_json(data: Mapping[str, Any]) -> Report:
    """Return the report that `to_json` gave; missing keys take their defaults, unknown ones are left aside.

    Raises ValueError when the data is not a report at all.
    """
    try:
        return Report(
            **_known(Report, data, without={"portals", "objects", "guards", "samples", "error"})
            | {"started_at": _time(data.get("started_at")), "finished_at": _time(data.get("finished_at"))},
            portals=[PortalLine(**_known(PortalLine, item)) for item in data.get("portals", ())],
            objects={
                name: ObjectCounts(**_known(ObjectCounts, item)) for name, item in data.get("objects", {}).items()
            },
            guards=[
                GuardLine(**_known(GuardLine, item), where=data.get("guard_places", {}).get(item.get("name"), ""))
                for item in data.get("guards", ())
            ],
            samples=[Change(**_known(Change, item)) for item in data.get("samples", ())],
            error=(data.get("error") or {}).get("message", ""),
            took_s=data.get("seconds"),
            calls_expected=dict(data.get("api_calls_expected") or {}),
            calls_left=dict(data.get("api_calls_left") or {}),
            calls_to_write=data.get("api_calls_to_write"),
        )
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not a report of a run: {error}") from error


def stamp(moment: datetime | None) -> str | None:
    """Return a time as `YYYY-MM-DDTHH:MM:SSZ`; None stays None."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def object_order(names: Mapping[str, Any]) -> list[str]:
    """Return object names in the order of the writes, names we do not know last."""
    rank = {name: place for place, name in enumerate(BY_NAME)}
    return sorted(names, key=lambda name: (rank.get(name, len(rank)), name))


def most_first(reasons: Mapping[str, int]) -> dict[str, int]:
    """Return reasons with the most frequent first, equal ones by name."""
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))


def _known(kind: type, data: Mapping[str, Any], *, without: set[str] = frozenset()) -> dict[str, Any]:  # type: ignore[assignment]
    names = {item.name for item in fields(kind)} - without
    return {name: value for name, value in data.items() if name in names}


def _guard(guard: GuardLine) -> dict[str, Any]:
    line = asdict(guard)
    del line["where"]
    return line


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _sample(change: Change, *, show: bool) -> dict[str, Any]:
    row = asdict(change)
    if not show:
        del row["before"], row["after"]
        return row
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
