"""Putting a run back, decided row by row and field by field from what was, what was written, and what is now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from core.worlds import examples
from hypothesis import given
from hypothesis import strategies as st

from etl import undoing
from etl.book import Book
from etl.frames import entity_schema, to_arrow, to_pandas
from etl.normalise import declared_shapes
from etl.park import Park
from etl.plan import EntityPlan, Plan
from etl.schema import CONTACT_PATH, Entity

ENTITY: Entity = CONTACT_PATH
SHAPES = declared_shapes(ENTITY)
VALUES: dict[str, list[Any]] = {
    "Status__c": [None, "Passed", "Failed", " Passed ", "two\nlines"],
    "Score__c": [None, 0.0, 87.5],
    "Number_Of_Courses_On_Path__c": [None, 0, 3],
    "Removed_In_LearnUpon__c": [True, False, None],
}
Rows = dict[str, dict[str, Any]]
"""By key."""


def frame(rows: Rows) -> pd.DataFrame:
    """Return rows as a frame of the object; columns that are not given are null."""
    schema = entity_schema(ENTITY)
    lines = [{"LU_Key__c": key, "Id": f"id-{key}", **row} for key, row in rows.items()]
    found = {name: pd.array([line.get(name) for line in lines], dtype="object") for name in schema.names}
    return to_pandas(to_arrow(pd.DataFrame(found), schema))


class Case:
    """A run over one object, and what Salesforce holds afterwards."""

    def __init__(self, folder: Path, was: Rows, wrote: Rows) -> None:
        """Plan a run that makes `wrote` of `was`; whatever is only in `was` is deleted."""
        self.folder = folder
        book = Book(folder / "run", {ENTITY.name: SHAPES})
        existing = frame(was)
        proof = pd.Series("gone", index=existing.index, dtype="string[pyarrow]")
        self.source = self._entered(book, frame(wrote), existing, proof)

    @staticmethod
    def _entered(book: Book, desired: pd.DataFrame, existing: pd.DataFrame, proof: pd.Series) -> EntityPlan:
        nothing = pd.Series(data=False, index=existing.index)
        fitted = book.fit(ENTITY, desired)
        book.enter(ENTITY, fitted, existing, key="LU_Key__c", stays=nothing, unconfirmed=nothing, proof=proof)
        return book.plan_of(ENTITY)

    def undo(self, now: Rows, *, part_rows: int = 200_000, by: str = "LU_Key__c") -> Undone:
        """Decide what puts the run back when Salesforce holds `now`."""
        held = Park(self.folder / "now", entity_schema(ENTITY))
        held.append(to_arrow(frame(now), held.schema))
        book = Book(self.folder / "undo", {ENTITY.name: SHAPES})
        left = Park(self.folder / "left", undoing.LEFT)
        undoing.enter(book, self.source, held, SHAPES, left, by=by, part_rows=part_rows)
        return Undone(book.close((ENTITY,), []), left)


class Undone:
    """What was decided."""

    def __init__(self, plan: Plan, left: Park) -> None:
        """Read it from its parks."""
        self.plan, self.part = plan, plan.entities[ENTITY.name]
        self.creates = _by_key(self.part.creates)
        self.updates = _by_key(self.part.updates)
        self.left = {(row["key"], row["reason"]): row["columns"] or "" for row in left.read().to_pylist()}


def _by_key(park: Park) -> Rows:
    return {row["LU_Key__c"]: row for row in park.read().to_pylist()}


@contextmanager
def case(was: Rows, wrote: Rows) -> Iterator[Case]:
    """Give a run in a folder of its own."""
    with TemporaryDirectory() as folder:
        yield Case(Path(folder), was, wrote)


def test_a_field_that_holds_what_was_written_gets_its_old_value() -> None:
    """Only the fields that the run sent are put back; all others are as they are now."""
    with case(
        {"1:path:1": {"Status__c": "Failed", "Score__c": 1.0}}, {"1:path:1": {"Status__c": "Passed", "Score__c": 1.0}}
    ) as run:
        undone = run.undo({"1:path:1": {"Status__c": "Passed", "Score__c": 5.0}})
    assert undone.updates["1:path:1"]["Status__c"] == "Failed"
    assert undone.updates["1:path:1"]["Score__c"] == 5.0
    assert undone.updates["1:path:1"]["changed"] == 1 << ENTITY.columns.index("Status__c")
    assert undone.left == {}


def test_a_field_that_was_changed_since_is_left() -> None:
    """A field that holds neither what was written nor what was there before is named, and the others are put back."""
    before: Rows = {"1:path:1": {"Status__c": "Failed", "Score__c": 1.0, "LUUser__c": 7}}
    after: Rows = {"1:path:1": {"Status__c": "Passed", "Score__c": 2.0, "LUUser__c": 7}}
    with case(before, after) as run:
        undone = run.undo({"1:path:1": {"Status__c": "Passed", "Score__c": 3.0, "LUUser__c": 7}})
    assert undone.updates["1:path:1"]["Status__c"] == "Failed"
    assert undone.updates["1:path:1"]["Score__c"] == 3.0
    assert undone.left == {("1:path:1", undoing.CHANGED_SINCE): "Score__c"}


def test_a_field_that_is_as_before_needs_nothing() -> None:
    """A row that was refused, or put back by hand, is neither written nor listed."""
    with case({"1:path:1": {"Score__c": 1.0}}, {"1:path:1": {"Score__c": None}}) as run:
        undone = run.undo({"1:path:1": {"Score__c": 1.0}})
    assert (undone.plan.changes, undone.left) == (0, {})
    assert undone.part.counts.unchanged == 1


def test_a_row_that_is_gone_is_not_made_anew_by_a_change() -> None:
    """A row that the run changed and somebody deleted since is listed and stays deleted."""
    with case({"1:path:1": {"Score__c": 1.0}}, {"1:path:1": {"Score__c": 2.0}}) as run:
        undone = run.undo({})
    assert (undone.plan.changes, undone.left) == (0, {("1:path:1", undoing.GONE_SINCE): ""})


def test_a_deleted_row_is_made_anew_with_every_field() -> None:
    """All fields of a deleted row come from the copy, its parent and its person too, but not its record id."""
    row = dict.fromkeys(ENTITY.columns) | {
        "LearnUpon_Portal_Membership__c": "1:member:7",
        "SFContact__c": "003000000000001AAA",
        "LUEnrollment__c": 1,
        "Path_Name__c": "Way, in",
        "Score__c": 66.67,
        "Removed_In_LearnUpon__c": True,
        "Date_Completed__c": pd.Timestamp("2026-02-06T09:10:11Z"),
    }
    with case({"1:path:1": row, "1:path:2": row}, {}) as run:
        undone = run.undo({"1:path:2": {"Status__c": "Passed"}})
    assert "Id" not in undone.creates["1:path:1"]
    assert undone.creates == {"1:path:1": {"LU_Key__c": "1:path:1", **row}}
    assert undone.left == {("1:path:2", undoing.THERE_AGAIN): ""}
    assert any("1 rows that the run deleted are made anew" in line for line in undone.plan.warnings)


def test_a_created_row_is_listed_when_it_is_there() -> None:
    """Rows that the run created stay; one that was refused then, or deleted since, is not spoken of."""
    with case({}, {"1:path:1": {"Score__c": 1.0}, "1:path:2": {"Score__c": 1.0}}) as run:
        undone = run.undo({"1:path:2": {"Score__c": 9.0}, "1:path:3": {"Score__c": 1.0}})
    assert (undone.plan.changes, undone.left) == (0, {("1:path:2", undoing.CREATED): ""})
    assert undone.part.counts.existing == 1


def test_where_keys_are_not_unique_the_record_id_decides() -> None:
    """Of two records with one key (LearnUpon's package) the one that was changed is put back, and no other."""
    with case({"1:path:1": {"Score__c": 1.0}}, {"1:path:1": {"Score__c": 2.0}}) as run:
        now = pd.concat([frame({"1:path:1": {"Score__c": 2.0}})] * 2, ignore_index=True)
        now.loc[1, "Id"] = "id-another"
        held = Park(run.folder / "now", entity_schema(ENTITY))
        held.append(to_arrow(now, held.schema))
        book = Book(run.folder / "undo", {ENTITY.name: SHAPES})
        undoing.enter(book, run.source, held, SHAPES, Park(run.folder / "left", undoing.LEFT), by="Id")
        assert book.plan_of(ENTITY).updates.read()["Id"].to_pylist() == ["id-1:path:1"]


def test_a_value_that_the_field_can_no_longer_hold_is_rejected() -> None:
    """What does not fit the org any more is listed as rejected, and the row stays as it is."""
    with case({"1:path:1": {"Score__c": 99_999.0}, "1:path:2": {"Score__c": 1.0}}, {}) as run:
        undone = run.undo({})
    assert set(undone.creates) == {"1:path:2"}
    assert undone.plan.rejected["key"].tolist() == ["1:path:1"]
    assert undone.part.counts.desired == 2


_KEYS = [f"1:path:{number}" for number in range(1, 5)]
_ROWS = st.dictionaries(
    st.sampled_from(_KEYS), st.fixed_dictionaries({name: st.sampled_from(some) for name, some in VALUES.items()})
)


def _plain(name: str, value: Any) -> Any:
    """Return a value as it compares."""
    if name == "Removed_In_LearnUpon__c":
        return bool(value)
    return (value.strip() or None) if isinstance(value, str) else value


def _wanted(was: Rows, wrote: Rows, now: Rows) -> Rows:
    """Return what Salesforce should hold after the undo, told cell by cell."""
    wanted: Rows = {}
    for key in now.keys() | (was.keys() - wrote.keys()):
        if key not in now:
            wanted[key] = was[key]
            continue
        wanted[key] = dict(now[key])
        if key in was and key in wrote:
            for name in VALUES:
                if _plain(name, wrote[key][name]) == _plain(name, now[key][name]):
                    wanted[key][name] = was[key][name]
    return {key: {name: _plain(name, row[name]) for name in VALUES} for key, row in wanted.items()}


@examples(30)
@given(_ROWS, _ROWS, _ROWS, st.sampled_from([1, 2, 200_000]))
def test_any_world_is_put_back_cell_by_cell(was: Rows, wrote: Rows, now: Rows, part_rows: int) -> None:
    """Whatever was, was written and is now: each cell gets its old value where it holds what the run wrote, only there.

    Rows of the world that the run did not touch are not in the plan, and no row is deleted.
    """
    with case(was, wrote) as run:
        undone = run.undo(now, part_rows=part_rows)
    after = {key: {name: _plain(name, now[key][name]) for name in VALUES} for key in now}
    assert not undone.creates.keys() & now.keys()
    assert undone.updates.keys() <= now.keys()
    for key, row in (undone.creates | undone.updates).items():
        after[key] = {name: _plain(name, row[name]) for name in VALUES}
    assert after == _wanted(was, wrote, now)
    assert undone.part.counts.delete == undone.part.deletes.rows == 0
    touched = {key for key in was.keys() | wrote.keys() if was.get(key) != wrote.get(key)}
    assert undone.part.counts.existing <= len(touched & now.keys())


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_the_fingerprint_knows_no_order(tmp_path: Path, order: list[int]) -> None:
    """Two plans that would write the same have one fingerprint, and another value gives another one."""
    rows = [(f"1:path:{number}", {"Score__c": float(number)}) for number in range(3)]
    plain = Case(tmp_path / "plain", {}, dict(rows)).source
    other = Case(tmp_path / "other", {}, dict(rows[place] for place in order)).source
    value = Case(tmp_path / "value", {}, dict([*rows[:2], ("1:path:2", {"Score__c": 9.0})])).source
    seen = [undoing.fingerprint(Plan({ENTITY.name: part}, pd.DataFrame())) for part in (plain, other, value)]
    assert seen[0] == seen[1] != seen[2]
