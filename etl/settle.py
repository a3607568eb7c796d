"""Sets apart the enrollments on which both sides agree as they are, and counts all rows as they go by; asks nobody.

On a usual night nearly every row is in Salesforce as LearnUpon lists it, column by column: such a pair needs no
decision, and what is left is little. A pair is settled only when there is nothing to be said of it: one row in the
listing, one in Salesforce in all, its learner matched on that side, wanted, every compared column the very same, and
every value such as the field can hold. All else is left to `etl.decide` and `etl.diff`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl import decide, keys, rows
from etl.frames import by_id, to_pandas
from etl.normalise import fits, unlike
from etl.park import Park
from etl.paths import Progress
from etl.schema import KEY, REMOVED, Entity
from etl.situation import SIDES, Inputs, Row, Settled, existing_frame, held_number, tables
from etl.totals import Tally

Array = np.ndarray[Any, Any]
_COUNTED = [KEY, "LUUser__c", rows.STATUS, REMOVED]
"""What a row that Salesforce holds is counted by."""


def settle(inputs: Inputs, folder: Path) -> Inputs:
    """Return the inputs with only those enrollments that are not settled, parked in `folder`.

    Of a backfill, rows outside its scope are left out on both sides.
    """
    found = _Found(inputs)
    listings: dict[Row, Sequence[Park]] = {}
    held = dict(inputs.held)
    for row in SIDES:
        sifting = _Sifting(inputs, row, found, folder / row)
        for listed, existing in tables(inputs, row):
            sifting.sift(listed, existing)
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
        self.tally = Tally(inputs.people.index)
        self.progress = Progress(inputs.path_courses)
        self.in_scope: list[pd.Index] = [pd.Index([], dtype="int64")]

    @cached_property
    def people(self) -> _People:
        return _People(self._inputs)

    def settled(self) -> Settled:
        notes = rows.undocumented(self.statuses, self._inputs.rules.status_labels)
        in_scope = pd.Index(np.unique(np.concatenate(self.in_scope)))
        return Settled(self.unchanged, self.tally.totals(), self.progress, in_scope, notes)


class _People:
    """Who the learners are, as arrays in the order of `Inputs.people`."""

    def __init__(self, inputs: Inputs) -> None:
        people = inputs.people
        self.index = people.index
        nobody = pd.Series([pd.NA], dtype=people["side"].dtype)
        sides = pd.concat([people["side"], nobody])
        self.on_side = {
            person: (sides == person).fillna(value=False).to_numpy(dtype=bool) for person in ("Contact", "User")
        }
        """Whether a learner is matched on a side; one more for whoever is not listed, whose place is -1."""
        self.ids = pa.array(people["person_id"], pa.string(), from_pandas=True)
        self.numbers = pa.array(keys.lu_ids(people.index.to_series()).unique())
        """LearnUpon's ids of them, whatever the portal."""
        self.keys = pa.array(keys.texts(people.index.to_series(), "member", inputs.portal_ids), pa.string())


class _Listed:
    """The listing of one partition, each row once, and who its learners are."""

    def __init__(self, inputs: Inputs, people: _People, parts: Sequence[pa.Table]) -> None:
        self._rules = inputs.rules
        self._portals = range(len(parts))
        self.rows = pa.concat_tables(parts).combine_chunks()
        coded = self.column("status").dictionary_encode()
        self.words: list[str] = coded.dictionary.to_pylist()
        self.statuses = coded.indices.to_numpy()
        self.place = np.repeat(np.arange(len(parts)), [part.num_rows for part in parts])
        self.index = pd.Index(self["id"] + self.place * keys.PLACE)
        if not self.index.is_unique:
            updated = to_pandas(self.rows.select(["updated_at"]))
            self._keep(decide.latest(updated.assign(code=self.index)).index.to_numpy())
        self.learners = self["user_id"] + self.place * keys.PLACE
        self.people = people
        self.known = people.index.get_indexer(pd.Index(self.learners))

    def __getitem__(self, name: str) -> Array:
        return np.asarray(self.rows[name].to_numpy())

    def _keep(self, at: Array) -> None:
        self.rows = self.rows.take(pa.array(at))
        self.place, self.statuses = self.place[at], self.statuses[at]
        self.index = self.index[at]

    def only(self, at: Array) -> None:
        """Keep these rows alone."""
        self._keep(at)
        self.learners, self.known = self.learners[at], self.known[at]

    def has(self, statuses: Sequence[str]) -> Array:
        """Say which rows have one of these statuses."""
        return np.array([word in set(statuses) for word in self.words], dtype=bool)[self.statuses]

    def column(self, name: str) -> pa.Array:
        """Return a column in one piece."""
        return self.rows[name].combine_chunks()

    @cached_property
    def wanted(self) -> Array:
        """Which rows belong in Salesforce if their learner is matched (see `decide.is_wanted`)."""
        return ~self["unenrolled"].astype(bool) | self.has(self._rules.finished_statuses)

    @cached_property
    def path(self) -> pd.Series:
        """The paths (codes) of path enrollments."""
        return pd.Series(self["path_id"] + self.place * keys.PLACE)

    def parts(self, at: Array) -> Iterator[pa.Table]:
        """Give these rows portal by portal."""
        chosen, place = self.rows.filter(pa.array(at)), self.place[at]
        for portal in self._portals:
            yield chosen.slice(*_stretch(place, portal))


def _stretch(place: Array, portal: int) -> tuple[int, int]:
    """Return where the rows of a portal begin, and how many they are; rows lie portal by portal."""
    start, end = np.searchsorted(place, [portal, portal + 1])
    return int(start), int(end - start)


class _Sifting:
    """One kind of row on its way through all partitions."""

    def __init__(self, inputs: Inputs, row: Row, found: _Found, folder: Path) -> None:
        self._inputs = inputs
        self._row = row
        self._found = found
        self.listings = [
            Park(folder / str(place), park.schema, number=by_id) for place, park in enumerate(inputs.listings[row])
        ]
        number = held_number(row, inputs.portal_ids)
        self.held = {
            entity.name: Park(folder / entity.name, inputs.held[entity.name].schema, number=number)
            for entity in SIDES[row]
        }

    def sift(self, parts: list[pa.Table], held: list[pa.Table]) -> None:
        """Settle what can be settled of one partition, park the rest, and count."""
        if not any(part.num_rows for part in (*parts, *held)):
            return
        listed = _Listed(self._inputs, self._found.people, parts)
        codes = [pd.Index(keys.parsed(part[KEY], self._row, self._inputs.portal_ids)) for part in held]
        if self._inputs.scope and self._row == "enrollment":
            self._count_unlisted(listed, held, codes)
        self._count(listed)
        places = [listed.index.get_indexer(code) for code in codes]
        together = np.concatenate(places)
        once = np.bincount(together[together >= 0], minlength=len(listed.index)) == 1
        left = np.ones(len(listed.index), dtype=bool)
        for entity, existing, place in zip(SIDES[self._row], held, places, strict=True):
            agree = self._agree(entity, listed, existing, place, once)
            self._found.unchanged[entity.name] += int(agree.sum())
            left[place[agree]] = False
            over = ~agree & (place >= 0) if self._inputs.scope else ~agree
            if over.any():
                self.held[entity.name].append(existing.filter(pa.array(over)))
        for park, rest in zip(self.listings, listed.parts(left), strict=True):
            if rest.num_rows:
                park.append(rest)

    def _count_unlisted(self, listed: _Listed, held: list[pa.Table], codes: list[pd.Index]) -> None:
        """Count what Salesforce holds and a backfill does not see listed: it asks nobody, and absence is no proof."""
        for entity, part, code in zip(SIDES[self._row], held, codes, strict=True):
            lacking = (listed.index.get_indexer(code) < 0) & (code >= 0)
            theirs = pc.is_in(part["LUUser__c"], value_set=listed.people.numbers)  # of one learner these are few
            rows_held = part.select(_COUNTED).filter(pc.and_(theirs, pa.array(lacking)))
            existing = existing_frame(rows_held, entity, self._inputs.portal_ids)
            flagged = existing[REMOVED].fillna(value=False).astype(bool)
            listing = as_listed(self._inputs, existing[~flagged])
            known = listed.people.index.get_indexer(pd.Index(listing["learner"]))
            self._found.tally.add(listing[known >= 0], known[known >= 0])

    def _count(self, listed: _Listed) -> None:
        """Count the totals and the courses done of all rows, and cut a listing down to the scope of a backfill."""
        if self._row == "enrollment":
            status = pd.Series(pd.Categorical.from_codes(listed.statuses, pd.Index(listed.words)))
            listing = pd.DataFrame({"learner": listed.learners, "unenrolled": listed["unenrolled"], "status": status})
            self._found.tally.add(listing, listed.known)
            self._watch(listed)
        if self._inputs.scope:
            listed.only(np.flatnonzero(self._inputs.scope.covers(to_pandas(listed.rows.select(["date_enrolled"])))))
            matched = listed.people.on_side["Contact"][listed.known] | listed.people.on_side["User"][listed.known]
            self._found.in_scope.append(pd.Index(listed.learners[listed.wanted & matched]).unique())
        counts = np.bincount(listed.statuses, minlength=len(listed.words))
        self._found.statuses.update(dict(zip(listed.words, counts.tolist(), strict=True)))

    def _watch(self, listed: _Listed) -> None:
        done = listed.has(self._inputs.rules.path_done_statuses) & ~listed["unenrolled"].astype(bool)
        done &= listed.known >= 0
        courses = []
        for name in ("course_id", "course_source_id"):
            column = listed.column(name)
            at = np.flatnonzero(done & column.is_valid().to_numpy(zero_copy_only=False))
            courses.append((column.take(pa.array(at)).to_numpy() + listed.place[at] * keys.PLACE, at))
        self._found.progress.watch(listed.known, courses)

    def _agree(self, entity: Entity, listed: _Listed, existing: pa.Table, place: Array, once: Array) -> Array:
        """Say which existing rows are as they should be, so that there is nothing to decide."""
        if not len(place) or not len(once):
            return np.zeros(len(place), dtype=bool)
        on_side = listed.people.on_side[entity.person or "Contact"][listed.known]
        agree = (place >= 0) & (once & on_side & listed.wanted)[place]
        at = pa.array(place, mask=place < 0)
        for name, shape in self._inputs.shapes[entity.name].items():
            want = self._desired(entity, listed, name).take(at)
            agree &= ~unlike(want, existing[name].combine_chunks()).to_numpy(zero_copy_only=False)
            if not agree.any():
                break
            fitting = fits(want, shape)
            if fitting is not None:
                agree &= fitting.to_numpy(zero_copy_only=False)
        return agree

    def _desired(self, entity: Entity, listed: _Listed, name: str) -> pa.Array:
        """Return a column as the rows of a listing should have it in Salesforce, as `etl.rows` does."""
        source = rows.TAKEN[self._row].get(name)
        if source is not None:
            return listed.column(source)
        if name == rows.STATUS:
            shown = [rows.label(status, self._inputs.rules.status_labels) for status in listed.words]
            return pa.array(shown, pa.string()).take(pa.array(listed.statuses))
        if name in {rows.PARENT, entity.person_field}:
            whose = pa.array(listed.known, mask=listed.known < 0)
            return (listed.people.keys if name == rows.PARENT else listed.people.ids).take(whose)
        if name == rows.COURSES:
            return pa.array(self._found.progress.sizes(listed.path))
        if name == rows.DONE:
            return pa.array(self._found.progress.done(listed.known, listed.path))
        raise AssertionError(name)  # pragma: no cover - every column of an enrollment is one of these
