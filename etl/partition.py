"""One partition of a listing as arrays, each row once, and who its learners are; it decides and reads nothing.

For `etl.settle`, which holds whole columns of it against those of Salesforce.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from etl import decide, keys
from etl.frames import to_pandas
from etl.situation import Inputs

Array = np.ndarray[Any, Any]


class People:
    """Who the learners are, as arrays in the order of `Inputs.people`."""

    def __init__(self, inputs: Inputs) -> None:
        """Look everybody up who is listed."""
        people = inputs.people
        self.index = keys.ready(people.index)
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


class Partition:
    """The listing of one partition, each row once, and who its learners are."""

    def __init__(self, inputs: Inputs, people: People, parts: Sequence[pa.Table]) -> None:
        """Take the rows of each portal, in the order of their places (`etl.shapes`)."""
        self._rules = inputs.rules
        self._portals = range(len(parts))
        self.rows = pa.concat_tables(parts).combine_chunks()
        coded = self.column("status").dictionary_encode()
        self.words: list[str] = coded.dictionary.to_pylist()
        self.statuses = coded.indices.to_numpy()
        self.place = np.repeat(np.arange(len(parts)), [part.num_rows for part in parts])
        self.index = pd.Index(self["id"] + self.place * keys.PLACE)
        self.repeats = len(self.index)
        """Rows that were listed again: of several with one id the one counts that LearnUpon updated last."""
        if not self.index.is_unique:
            updated = to_pandas(self.rows.select(["updated_at"]))
            self._keep(decide.latest(updated.assign(code=self.index)).index.to_numpy())
        self.repeats -= len(self.index)
        self.learners = self["user_id"] + self.place * keys.PLACE
        self.people = people
        self.known = people.index.get_indexer(pd.Index(self.learners))

    def __getitem__(self, name: str) -> Array:
        """Return a column without nulls."""
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
