"""Sets apart the enrollments on which both sides agree as they are, and counts all rows as they go by; asks nobody.

On a usual night nearly every row is in Salesforce as LearnUpon lists it, column by column: such a pair needs no
decision, and what is left is little. A pair is settled only when there is nothing to be said of it: one row in the
listing, one in Salesforce in all, its learner matched on that side, wanted, every compared column the very same, and
every value such as the field can hold. All else is left to `etl.decide` and `etl.diff`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl import decide, keys, rows
from etl.ahead import in_order
from etl.frames import by_id, to_pandas
from etl.normalise import fits, unlike
from etl.park import Park
from etl.partition import Array, Partition, People
from etl.paths import Progress
from etl.schema import KEY, REMOVED, Entity
from etl.situation import PLURAL, SIDES, Inputs, Row, Settled, existing_frame, held_number, tables
from etl.totals import Tally

_COUNTED = [KEY, "LUUser__c", rows.STATUS, REMOVED]
"""What a row that Salesforce holds is counted by."""

_REPEATS = "{n} %s were listed more than once; what LearnUpon updated last counts"
"""The warning of a listing with repeats: rows that repeat may have pushed others out of it."""


def settle(inputs: Inputs, folder: Path, *, at_once: int = 1) -> Inputs:
    """Return the inputs with only those enrollments that are not settled, parked in `folder`.

    Of a backfill, rows outside its scope are left out on both sides. So many partitions are sifted `at_once`, on a
    thread each; memory grows with them.
    """
    found = _Found(inputs)
    listings: dict[Row, Sequence[Park]] = {}
    held = dict(inputs.held)
    for row in SIDES:
        sifting = _Sifting(inputs, row, found, folder / row)
        for sifted in in_order(sifting.sift, tables(inputs, row), at_once=at_once):
            sifting.keep(sifted)
        found.progress.count()  # paths ask for it, from several threads
        listings[row] = sifting.listings
        held |= sifting.held
    settled = found.settled()
    pa.default_memory_pool().release_unused()  # it keeps some 140 MB of what went by at ten million rows (measured)
    return replace(inputs, listings=listings, held=held, settled=settled)


def as_listed(inputs: Inputs, existing: pd.DataFrame) -> pd.DataFrame:
    """Return course enrollments that Salesforce holds as a listing would have them: learner, unenrolled, status.

    Rows that do not say whose they are are left out; a label of no known status is empty.
    """
    status = rows.statuses_shown(existing["Status__c"], inputs.rules.status_labels, inputs.lengths("enrollment"))
    listing = pd.DataFrame({"learner": decide.owners(existing), "unenrolled": False, "status": status})
    return listing[listing["learner"] != keys.UNREADABLE]


class _Found:
    """What has been counted so far."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self.unchanged: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.repeats: Counter[str] = Counter()
        self.tally = Tally(inputs.people.index)
        self.progress = Progress(inputs.path_courses)
        self.in_scope: list[pd.Index] = [pd.Index([], dtype="int64")]

    @cached_property
    def people(self) -> People:
        return People(self._inputs)

    def add(self, sifted: _Sifted, row: Row) -> None:
        """Count what went by with one partition."""
        self.repeats[_REPEATS % PLURAL[row]] += sifted.repeats
        self.unchanged.update(sifted.unchanged)
        self.statuses.update(sifted.statuses)
        for listing, known in sifted.tallied:
            self.tally.add(listing, known)
        for learners, courses in sifted.done:
            self.progress.watch(learners, courses)
        self.in_scope.extend(sifted.in_scope)

    def settled(self) -> Settled:
        notes = self.repeats | Counter(rows.undocumented(self.statuses, self._inputs.rules.status_labels))
        in_scope = pd.Index(np.unique(np.concatenate(self.in_scope)))
        return Settled(self.unchanged, self.tally.totals(), self.progress, in_scope, notes)


@dataclass
class _Sifted:
    """What came of one partition."""

    unchanged: dict[str, int] = field(default_factory=dict)
    statuses: Mapping[str, int] = field(default_factory=dict)
    tallied: list[tuple[pd.DataFrame, Array]] = field(default_factory=list)
    """Rows to be counted, and the places of their learners."""
    done: list[tuple[Array, list[tuple[Array, Array]]]] = field(default_factory=list)
    """Courses done, as `Progress.watch` takes them."""
    in_scope: list[pd.Index] = field(default_factory=list)
    repeats: int = 0
    """Rows that were listed again."""
    listed: list[pa.Table] = field(default_factory=list)
    """Portal by portal, the rows of the listing that are left to decide."""
    held: dict[str, pa.Table] = field(default_factory=dict)
    """By object, the rows of Salesforce that are."""


class _Sifting:
    """One kind of row on its way through all partitions."""

    def __init__(self, inputs: Inputs, row: Row, found: _Found, folder: Path) -> None:
        self._inputs = inputs
        self._row = row
        self._found = found
        self._people = found.people
        self.listings = [
            Park(folder / str(place), park.schema, number=by_id) for place, park in enumerate(inputs.listings[row])
        ]
        number = held_number(row, inputs.portal_ids)
        self.held = {
            entity.name: Park(folder / entity.name, inputs.held[entity.name].schema, number=number)
            for entity in SIDES[row]
        }

    def sift(self, parts: list[pa.Table], held: list[pa.Table]) -> _Sifted:
        """Settle what can be settled of one partition; changes nothing that another thread might read."""
        sifted = _Sifted(listed=parts)
        if not any(part.num_rows for part in (*parts, *held)):
            return sifted
        listed = Partition(self._inputs, self._people, parts)
        codes = [pd.Index(keys.parsed(part[KEY], self._row, self._inputs.portal_ids)) for part in held]
        if self._inputs.scope and self._row == "enrollment":
            sifted.tallied.extend(self._unlisted(listed, held, codes))
        sifted.repeats = listed.repeats
        self._count(listed, sifted)
        places = [listed.index.get_indexer(code) for code in codes]
        together = np.concatenate(places)
        once = np.bincount(together[together >= 0], minlength=len(listed.index)) == 1
        left = np.ones(len(listed.index), dtype=bool)
        for entity, existing, place in zip(SIDES[self._row], held, places, strict=True):
            agree = self._agree(entity, listed, existing, place, once)
            sifted.unchanged[entity.name] = int(agree.sum())
            left[place[agree]] = False
            over = ~agree & (place >= 0) if self._inputs.scope else ~agree
            if over.any():
                sifted.held[entity.name] = existing.filter(pa.array(over))
        sifted.listed = list(listed.parts(left))
        return sifted

    def keep(self, sifted: _Sifted) -> None:
        """Park what is left of a partition, and count what went by."""
        self._found.add(sifted, self._row)
        for name, existing in sifted.held.items():
            self.held[name].append(existing)
        for park, rest in zip(self.listings, sifted.listed, strict=True):
            if rest.num_rows:
                park.append(rest)

    def _unlisted(
        self, listed: Partition, held: list[pa.Table], codes: list[pd.Index]
    ) -> Iterator[tuple[pd.DataFrame, Array]]:
        """Give what Salesforce holds and a backfill does not see listed: it asks nobody, and absence is no proof."""
        for entity, part, code in zip(SIDES[self._row], held, codes, strict=True):
            lacking = (listed.index.get_indexer(code) < 0) & (code >= 0)
            theirs = pc.is_in(part["LUUser__c"], value_set=listed.people.numbers)  # of one learner these are few
            rows_held = part.select(_COUNTED).filter(pc.and_(theirs, pa.array(lacking)))
            existing = existing_frame(rows_held, entity, self._inputs.portal_ids)
            flagged = existing[REMOVED].fillna(value=False).astype(bool)
            listing = as_listed(self._inputs, existing[~flagged])
            known = listed.people.index.get_indexer(pd.Index(listing["learner"]))
            yield listing[known >= 0], known[known >= 0]

    def _count(self, listed: Partition, sifted: _Sifted) -> None:
        """Count the totals and the courses done of all rows, and cut a listing down to the scope of a backfill."""
        if self._row == "enrollment":
            status = pd.Series(pd.Categorical.from_codes(listed.statuses, pd.Index(listed.words)))
            listing = pd.DataFrame({"learner": listed.learners, "unenrolled": listed["unenrolled"], "status": status})
            sifted.tallied.append((listing, listed.known))
            sifted.done.append((listed.known, self._courses_done(listed)))
        if self._inputs.scope:
            listed.only(np.flatnonzero(self._inputs.scope.covers(to_pandas(listed.rows.select(["date_enrolled"])))))
            matched = listed.people.on_side["Contact"][listed.known] | listed.people.on_side["User"][listed.known]
            sifted.in_scope.append(pd.Index(listed.learners[listed.wanted & matched]).unique())
        counts = np.bincount(listed.statuses, minlength=len(listed.words))
        sifted.statuses = dict(zip(listed.words, counts.tolist(), strict=True))

    def _courses_done(self, listed: Partition) -> list[tuple[Array, Array]]:
        done = listed.has(self._inputs.rules.path_done_statuses) & ~listed["unenrolled"].astype(bool)
        done &= listed.known >= 0
        courses = []
        for name in ("course_id", "course_source_id"):
            column = listed.column(name)
            at = np.flatnonzero(done & column.is_valid().to_numpy(zero_copy_only=False))
            courses.append((column.take(pa.array(at)).to_numpy() + listed.place[at] * keys.PLACE, at))
        return courses

    def _agree(self, entity: Entity, listed: Partition, existing: pa.Table, place: Array, once: Array) -> Array:
        """Say which existing rows are as they should be, so that there is nothing to decide."""
        if not len(place) or not len(once):
            return np.zeros(len(place), dtype=bool)
        on_side = listed.people.on_side[entity.person or "Contact"][listed.known]
        agree = (place >= 0) & (once & on_side & listed.wanted)[place]
        at = pa.array(place, mask=place < 0)
        for name, shape in self._inputs.shapes[entity.name].items():
            want = self._desired(entity, listed, name, at)
            agree &= ~unlike(want, existing[name].combine_chunks()).to_numpy(zero_copy_only=False)
            if not agree.any():
                break
            fitting = fits(want, shape)
            if fitting is not None:
                agree &= fitting.to_numpy(zero_copy_only=False)
        return agree

    def _desired(self, entity: Entity, listed: Partition, name: str, at: pa.Array) -> pa.Array:
        """Return a column as the rows of a listing at these places should have it in Salesforce, as `etl.rows` does."""
        source = rows.TAKEN[self._row].get(name)
        if source is not None:
            return listed.column(source).take(at)
        if name == rows.STATUS:
            shown = [rows.label(status, self._inputs.rules.status_labels) for status in listed.words]
            return pa.array(shown, pa.string()).take(pa.array(listed.statuses).take(at))
        if name in {rows.PARENT, entity.person_field}:
            whose = pa.array(listed.known, mask=listed.known < 0).take(at)
            return (listed.people.keys if name == rows.PARENT else listed.people.ids).take(whose)
        if name == rows.COURSES:
            return pa.array(self._found.progress.sizes(listed.path)).take(at)
        if name == rows.DONE:
            return pa.array(self._found.progress.done(listed.known, listed.path)).take(at)
        raise AssertionError(name)  # pragma: no cover - every column of an enrollment is one of these
