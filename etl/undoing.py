"""What putting a run back means, row by row, decided by looking at what Salesforce holds now; asks and writes nothing.

A field is put back only where it still holds what the run wrote. Whatever somebody changed since stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from etl.book import Book
from etl.diff import CHANGED, changed_columns
from etl.frames import is_in, numbered_by, to_arrow, to_pandas
from etl.normalise import Shapes, normalise, unlike
from etl.park import Park, parts_for
from etl.plan import EntityPlan, Plan
from etl.schema import Entity

CREATED, CHANGED_SINCE, GONE_SINCE, THERE_AGAIN = "created", "changed since", "deleted since", "there again"
LEFT = pa.schema(dict.fromkeys(("object", "key", "record_id", "columns", "reason"), pa.string()))
"""Rows that stay as they are, wholly or (`columns`, joined by `;`) in these fields."""
NOTES = {
    CREATED: "{n} rows that the run created stay; left.csv lists them: delete by hand what should not be there",
    CHANGED_SINCE: "{n} rows were changed again since the run: the fields that left.csv names stay as they are now",
    GONE_SINCE: "{n} rows that the run changed were deleted since; they are not made anew (left.csv)",
    THERE_AGAIN: "{n} rows that the run deleted are there again and stay as they are (left.csv)",
}
ANEW = "{n} rows that the run deleted are made anew, so they have new record ids"
_PAIR = "pair"
_PART_ROWS = 200_000
_NO_COLUMNS = pd.StringDtype("pyarrow")


def enter(
    book: Book, source: EntityPlan, now: Park, shapes: Shapes, left: Park, *, by: str, part_rows: int = _PART_ROWS
) -> None:
    """Enter into the book what puts back one object of a run, and park in `left` the rows that stay as they are.

    `source` is what the run planned, `now` holds its rows as they are (others too). `by` names the column that says
    which record a changed row is: its key, or `Id` where keys are not unique. Memory depends on `part_rows` alone.
    """
    key = source.entity.key
    count = parts_for(max(now.rows, source.changes), part_rows)
    number = numbered_by(key)
    parks = (now, source.updates, source.before, source.deletes)
    parts = zip(*(park.partitions(count, number) for park in parks), _created(source, count, number), strict=True)
    for tables in parts:
        part = _Part(source.entity, shapes, by, *(to_pandas(table) for table in tables))
        part.enter(book)
        for table in part.left:
            left.append(table)


def _created(source: EntityPlan, count: int, number: Any) -> Iterator[pa.Table]:
    """Give the keys of the rows the run was to create; people are never created."""
    key = source.entity.key
    if key in source.creates.schema.names:
        yield from source.creates.partitions(count, number, [key])
    else:
        yield from [pa.table({key: pa.array([], pa.string())})] * count


class _Part:
    """One partition of an object: its rows now, what the run wrote, what was there before, what it deleted."""

    def __init__(
        self,
        entity: Entity,
        shapes: Shapes,
        by: str,
        now: pd.DataFrame,
        wrote: pd.DataFrame,
        was: pd.DataFrame,
        deleted: pd.DataFrame,
        created: pd.DataFrame,
    ) -> None:
        self._entity = entity
        self._shapes = shapes
        self._by = by
        self._now, self._wrote, self._deleted, self._created = now, wrote, deleted, created
        places = pd.Index(was["Id"]).get_indexer(wrote["Id"])
        if (places < 0).any():
            raise ValueError(f"{int((places < 0).sum())} changed rows of {entity.name} have no copy")
        self._was = was.iloc[places].reset_index(drop=True)
        self.left: list[pa.Table] = []

    def enter(self, book: Book) -> None:
        """Enter the rows that must change, and count those that stay."""
        entity, key, now = self._entity, self._entity.key, self._now
        place = pd.Index(now[self._by]).get_indexer(self._wrote[self._by])
        there = place >= 0
        held = now.take(place[there]).reset_index(drop=True)
        desired = self._put_back(held, self._wrote[there], self._was[there])
        again, made = is_in(now[key], self._deleted[key]), is_in(now[key], self._created[key])
        self._leave(now[again], THERE_AGAIN)
        self._leave(now[made], CREATED)
        self._leave(self._wrote[~there], GONE_SINCE)
        staying = now[(again | made) & ~is_in(now["Id"], held["Id"])]
        anew = self._deleted[~is_in(self._deleted[key], now[key])]
        existing = pd.concat([part for part in (held, staying) if len(part)] or [held], ignore_index=True)
        stays = ~is_in(existing["Id"], desired["Id"])
        wanted = pd.concat([part for part in (desired, anew) if len(part)] or [desired], ignore_index=True)
        wanted = wanted.assign(**{_PAIR: wanted["Id"]})[[*now.columns, _PAIR]]
        before = book.plan_of(entity).counts.create
        book.enter(
            entity,
            book.fit(entity, wanted),
            existing.assign(**{_PAIR: existing["Id"]}),
            key=_PAIR,
            stays=stays,
            unconfirmed=stays & ~stays,
            proof=pd.Series(pd.NA, index=existing.index, dtype=_NO_COLUMNS),
        )
        book.notes[ANEW] += book.plan_of(entity).counts.create - before
        for reason, words in NOTES.items():
            book.notes[words] += sum(table.num_rows for table in self.left if table["reason"][0].as_py() == reason)

    def _put_back(self, held: pd.DataFrame, wrote: pd.DataFrame, was: pd.DataFrame) -> pd.DataFrame:
        """Return the rows with something to put back as they should be; those changed since go to `left`."""
        wrote, was = wrote.reset_index(drop=True), was.reset_index(drop=True)
        now_is, wrote_is, was_is = (normalise(rows, self._shapes) for rows in (held, wrote, was))
        sent = wrote[CHANGED].to_numpy(dtype="int64")
        desired = held.copy(deep=False)
        touched = np.zeros(len(held), dtype=bool)
        lost = np.zeros(len(held), dtype="int64")
        for name in self._shapes:
            bit = self._entity.columns.index(name)
            was_sent = sent >> bit & 1 == 1
            if not was_sent.any():
                continue
            not_written = _mask(unlike(now_is[name], wrote_is[name]))
            not_before = _mask(unlike(now_is[name], was_is[name]))
            back = was_sent & ~not_written & not_before
            desired[name] = held[name].mask(back, was[name])
            touched |= back
            lost |= (was_sent & not_written & not_before).astype("int64") << bit
        self._leave(held[lost != 0], CHANGED_SINCE, lost[lost != 0])
        return desired[touched]

    def _leave(self, rows: pd.DataFrame, reason: str, bits: np.ndarray[Any, Any] | None = None) -> None:
        if not len(rows):
            return
        names = [
            "" if bits is None else ";".join(changed_columns(int(one), self._entity.columns))
            for one in (range(len(rows)) if bits is None else bits)
        ]
        facts = {"object": self._entity.name, "columns": names, "reason": reason}
        lines = pd.DataFrame({"key": rows[self._entity.key], "record_id": rows["Id"]}).assign(**facts)
        self.left.append(to_arrow(lines.astype("string[pyarrow]"), LEFT))


def _mask(answers: pa.Array) -> np.ndarray[Any, Any]:
    return np.asarray(answers.to_numpy(zero_copy_only=False), dtype=bool)


def fingerprint(plan: Plan) -> str:
    """Return a text that is the same for two plans that would write the same, whatever the order of their rows."""
    sums = []
    for name, part in plan.entities.items():
        for park in (part.creates, part.updates):
            total = sum(
                int(pd.util.hash_pandas_object(to_pandas(table), index=False).sum()) for table in park.batches()
            )
            sums.append(f"{name}:{park.rows}:{total % 2**64:x}")
    return " ".join(sums)
