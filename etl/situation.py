"""What both sides said, partition by partition, and the questions that only LearnUpon can answer; asks nobody itself.

Reads parked rows and nothing else from the world.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl import decide, frames, keys, rows
from etl.config.models import RulesSettings
from etl.normalise import Shapes
from etl.park import Number, Park, parts_for
from etl.paths import Progress
from etl.schema import (
    CONTACT_ENROLLMENT,
    CONTACT_PATH,
    COUNTS,
    KEY,
    MEMBERSHIP,
    REMOVED,
    USER_ENROLLMENT,
    USER_PATH,
    Entity,
)

Row = Literal["enrollment", "path"]
SIDES: dict[Row, tuple[Entity, Entity]] = {
    "enrollment": (CONTACT_ENROLLMENT, USER_ENROLLMENT),
    "path": (CONTACT_PATH, USER_PATH),
}
_OBJECTS: dict[str, tuple[Entity, ...]] = {
    "member": (MEMBERSHIP,),
    "enrollment": SIDES["enrollment"],
    "path": SIDES["path"],
}
PLURAL = {"member": "learners", "enrollment": "enrollments", "path": "path enrollments"}


@dataclass(frozen=True)
class Scope:
    """What a backfill was asked for."""

    enrolled_from: pd.Timestamp | None = None
    """First moment of `date_enrolled` in scope."""
    enrolled_before: pd.Timestamp | None = None
    """First moment after the scope."""
    whole: bool = True
    """Whether all enrollments of the learners read were read, so that their totals are right."""
    by_rows: bool = False
    """Whether only learners with rows in scope are in it (else every learner read)."""

    def covers(self, listing: pd.DataFrame) -> pd.Series:
        """Return which rows of a listing are in scope; a row without a date is outside any date."""
        inside = pd.Series(data=True, index=listing.index)
        if self.enrolled_from is not None:
            inside &= (listing["date_enrolled"] >= self.enrolled_from).fillna(value=False)
        if self.enrolled_before is not None:
            inside &= (listing["date_enrolled"] < self.enrolled_before).fillna(value=False)
        return inside


@dataclass(frozen=True)
class Settled:
    """What both sides agreed on, and what was counted while all rows went by (`etl.settle`)."""

    unchanged: Mapping[str, int]
    """By object: rows that are in Salesforce as they should be."""
    totals: pd.DataFrame
    """The seven counts by learner (`etl.totals.Tally`)."""
    progress: Progress
    in_scope: pd.Index[int]
    """Learners with wanted rows in the scope of a backfill."""
    notes: Mapping[str, int]
    """Warnings that count rows: text with `{n}` and how many."""


@dataclass(frozen=True)
class Inputs:
    """Both reads, complete and verified."""

    portals: Mapping[int, str]
    """Portal id: title, in the order of the configuration; a portal's place in it is `place` everywhere."""
    learners: pd.DataFrame
    """Every listed learner: learner (code), side, person_id, reason, last_sign_in_at."""
    listings: Mapping[Row, Sequence[Park]]
    """Course and path enrollments, one park a portal."""
    path_courses: pd.DataFrame
    """Courses of paths: place, path (code), course_id, course_source_id."""
    listed_paths: pd.Index[int]
    """Paths (codes) that LearnUpon lists; how many courses another one has is not known: it lists no archived path."""
    held: Mapping[str, Park]
    """What Salesforce holds of our own objects, by local name."""
    profiles: Mapping[str, pd.DataFrame]
    """Contact and User: people with a LearnUpon id and people newly referred to; empty if profiles are left alone."""
    shapes: Mapping[str, Shapes]
    rules: RulesSettings
    gone: Mapping[str, frozenset[int]]
    """Codes that LearnUpon, asked by id, said are gone: `member`, `enrollment`, `path`."""
    named: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Contact and User: people who are known to be ours by a membership alone (`etl.stages.people.known_by_rows`)."""
    with_profiles: bool = True
    scope: Scope | None = None
    """None: everything. Else a backfill: creates and updates in its scope, the rest is neither judged nor counted."""
    rows_per_partition: int = 131_072
    """About how many rows of a side are compared at once: what memory depends on, and nothing else does."""
    settled: Settled | None = None
    """What was settled before: the listings and held enrollments are then only what that left over."""

    @property
    def portal_ids(self) -> tuple[int, ...]:
        """Return the portals' ids in the order of their places."""
        return tuple(self.portals)

    def lengths(self, row: Row) -> set[int]:
        """Return the lengths of the fields that hold a status: longer labels are cut to them."""
        fields = (self.shapes[entity.name].get("Status__c") for entity in SIDES[row])
        return {field.length for field in fields if field and field.length}

    @property
    def has_totals(self) -> bool:
        """Say whether memberships hold totals; LearnUpon's package has no fields for them."""
        return set(COUNTS) <= set(self.shapes[MEMBERSHIP.name])

    @cached_property
    def people(self) -> pd.DataFrame:
        """Return side and person_id of every listed learner, indexed by learner: one index for all partitions."""
        return self.learners.set_index("learner")[["side", "person_id"]]

    @cached_property
    def unmatched(self) -> pd.Index[int]:
        """Return the learners who are listed but matched to nobody."""
        return pd.Index(self.learners.loc[self.learners["side"].isna(), "learner"].to_numpy(dtype="int64"))


def learners_of(users: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the users of all portals as one frame with `learner` (code), each once; the index is 0 to n."""
    coded = [frame.assign(learner=keys.codes(place, frame["user_id"])) for place, frame in enumerate(users)]
    return pd.concat(coded, ignore_index=True).drop_duplicates("learner", keep="last", ignore_index=True)


def member_questions(learners: pd.DataFrame, members: Park, portal_ids: Sequence[int]) -> pd.Series:
    """Return the learners (codes) whose memberships Salesforce holds but `/users` does not list: to be asked by id."""
    existing = existing_frame(members.read([KEY, REMOVED]), MEMBERSHIP, portal_ids)
    return decide.member_questions(pd.Index(learners["learner"]), existing)


def row_questions(inputs: Inputs, row: Row) -> pd.Series:
    """Return the codes of rows that Salesforce holds but LearnUpon does not list: to be asked by id.

    Learners matched to nobody are left alone, unless their totals stand nowhere: only an answer tells them then.
    """
    summed = row == "enrollment" and inputs.with_profiles and not inputs.has_totals
    left = inputs.unmatched[:0] if summed else inputs.unmatched
    asked = [pd.Series(dtype="int64")]
    for listings, held in tables(inputs, row, ["id"], [KEY, "LUUser__c", "Status__c", REMOVED]):
        listed = [part["id"].to_numpy() + place * keys.PLACE for place, part in enumerate(listings)]
        existing = [
            existing_frame(part, entity, inputs.portal_ids) for part, entity in zip(held, SIDES[row], strict=True)
        ]
        asked.append(decide.questions(pd.Index(np.concatenate(listed)), _stacked(existing), left))
    asked_codes: pd.Series = pd.concat(asked).sort_values(ignore_index=True)
    return asked_codes


def missing_rows(
    missing: Mapping[str, pd.Series],
    held: Mapping[str, Park],
    portal_ids: Sequence[int],
    names: Sequence[str],
) -> dict[str, tuple[int, int]]:
    """Return, by kind (`member` or a Row) and portal, the rows Salesforce holds unflagged and those not listed."""
    found: dict[str, tuple[int, int]] = {}
    for row, codes in missing.items():
        lacking = keys.places(codes).value_counts()
        entities = _OBJECTS[row]
        for place, name in enumerate(names):
            rows = sum(_unflagged(held[entity.name], portal_ids[place]) for entity in entities)
            found[f"{PLURAL[row]} of {name}"] = (rows, int(lacking.get(place, 0)))
    return found


def _unflagged(park: Park, portal_id: int) -> int:
    number = 0
    for table in park.batches():
        ours = pc.starts_with(table[KEY], f"{portal_id}:")
        number += pc.sum(pc.and_not(ours, pc.fill_null(table[REMOVED], False))).as_py() or 0
    return number


def is_finished(inputs: Inputs, row: Row, existing: pd.DataFrame) -> pd.Series:
    """Return which existing rows of a kind are finished by the settings of now (`decide.is_finished`)."""
    labels, lengths = inputs.rules.status_labels, inputs.lengths(row)
    finished = rows.finished_labels(inputs.rules.finished_statuses, labels, lengths)
    return decide.is_finished(existing, finished, rows.known_labels(labels, lengths))


def existing_frame(table: pa.Table, entity: Entity, portal_ids: Sequence[int]) -> pd.DataFrame:
    """Return parked existing rows of an object as a frame with code."""
    frame = frames.to_pandas(table)
    frame["code"] = keys.parse(frame[KEY], entity.row, portal_ids)
    return frame


def _on_side(frame: pd.DataFrame, entity: Entity, both: tuple[Entity, Entity]) -> pd.DataFrame:
    """Return existing enrollment rows with object_side, the object they stand in, and side and person_id.

    The lookups of both objects are there; that of the other one is null.
    """
    side = pd.Series(entity.person, index=frame.index, dtype="string[pyarrow]")
    nobody = pd.Series(pd.NA, index=frame.index, dtype="string[pyarrow]")
    lookups = {other.person_field: frame.get(other.person_field, nobody) for other in both}
    return frame.assign(object_side=side, side=side, person_id=frame[entity.person_field], **lookups)


def partitions(inputs: Inputs, row: Row) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Give listing and existing rows (of both sides) partition by partition, split by LearnUpon's id."""
    both = SIDES[row]
    for listings, held in tables(inputs, row):
        listing = _listing([frames.to_pandas(part) for part in listings], row)
        existing = [
            _on_side(existing_frame(part, entity, inputs.portal_ids), entity, both)
            for part, entity in zip(held, both, strict=True)
        ]
        yield listing, _stacked(existing)


def tables(
    inputs: Inputs, row: Row, listed: Sequence[str] | None = None, held: Sequence[str] | None = None
) -> Iterator[tuple[list[pa.Table], list[pa.Table]]]:
    """Give the listings of all portals and the existing rows of both sides, partition by partition.

    With `listed` or `held` the tables have these columns alone.
    """
    listings, existing = inputs.listings[row], [inputs.held[entity.name] for entity in SIDES[row]]
    rows = max(sum(park.rows for park in listings), sum(park.rows for park in existing))
    count = parts_for(rows, inputs.rows_per_partition)
    left = [park.partitions(count, frames.by_id, listed) for park in listings]
    right = [park.partitions(count, held_number(row, inputs.portal_ids), held) for park in existing]
    for _ in range(count):
        yield [next(park) for park in left], [next(park) for park in right]


def held_number(row: str, portal_ids: Sequence[int]) -> Number:
    """Return what numbers existing rows for partitions: by LearnUpon's id in their key, whatever the portal."""
    return lambda table: keys.parsed(table[KEY], row, portal_ids) % keys.PLACE


def _stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the parts as one frame; those without rows are left out, since putting frames together copies them."""
    filled = [part for part in parts if len(part)] or parts[:1]
    return filled[0] if len(filled) == 1 else pd.concat(filled, ignore_index=True)


def _listing(parts: list[pd.DataFrame], row: Row) -> pd.DataFrame:
    """Return the listings of all portals as one frame, each row once, with code, learner, place and path."""
    for place, part in enumerate(parts):
        part["place"] = place
        part["code"] = keys.codes(place, part["id"])
        part["learner"] = keys.codes(place, part["user_id"])
        if row == "path":
            part["path"] = keys.codes(place, part["path_id"])
    return decide.latest(_stacked(parts))
