"""Rows on disk by partition, frames that cross borders, and the book that keeps the plan's sums."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from core.situations import contact, frame

from etl import frames
from etl.book import Book
from etl.diff import diff
from etl.errors import StateFault
from etl.frames import hashed
from etl.normalise import declared_shapes
from etl.park import Park, parts_for
from etl.plan import EntityPlan
from etl.schema import CONTACT, ENTITIES, PORTAL, Entity

SCHEMA = pa.schema({"id": pa.int64(), "text": pa.string()})


def _table(start: int, stop: int) -> pa.Table:
    numbers = range(start, stop)
    return pa.table({"id": list(numbers), "text": [str(number) for number in numbers]}, schema=SCHEMA)


def _ids(table: pa.Table) -> np.ndarray[Any, Any]:
    return np.asarray(table["id"].to_numpy())


@pytest.mark.parametrize("flush_rows", [1, 7, 1000, 5_000])
@pytest.mark.parametrize("count", [1, 2, 64])
@pytest.mark.parametrize("number", [None, _ids])
def test_parked_rows_come_back_each_once(tmp_path: Path, flush_rows: int, count: int, number: Any) -> None:
    """Every row is in one partition, whatever waits in memory and on disk, in order from the start or not."""
    park = Park(tmp_path / "park", SCHEMA, number=number, flush_rows=flush_rows)
    rows = 50 if flush_rows < 1000 else 5_500
    for start in range(0, rows, rows // 5):
        park.append(_table(start, start + rows // 5))
    parts = list(park.partitions(count, _ids))
    assert len(parts) == count
    assert sorted(one for part in parts for one in part["id"].to_pylist()) == list(range(rows))
    for part in parts:
        assert part["text"].to_pylist() == [str(one) for one in part["id"].to_pylist()]
        assert part.num_rows <= 2 * rows / count + 2
    assert park.rows == park.read().num_rows == rows
    again = list(park.partitions(count, _ids, ["text"]))
    assert [part.schema.names for part in again] == [["text"]] * count
    assert sum(part.num_rows for part in again) == rows


def test_texts_are_numbered_by_what_they_say() -> None:
    """Equal texts have equal numbers wherever they lie; different ones up to 32 bytes, empty and null apart, do not."""
    texts = ["", "a", "aa", "a" * 31, "b" + "a" * 31, "a" * 33, "1:member:7", "1:member:8", "11:member:7", "\x00a", "ä"]
    found = hashed(pa.array(texts))
    assert len(set(found.tolist())) == len(texts)
    again = pa.chunked_array([["other"], [None, *texts[::-1]]]).slice(1)
    assert hashed(again).tolist() == [found[0], *found[::-1]]


@pytest.mark.parametrize("number", [None, _ids])
def test_equal_numbers_meet_in_one_partition(tmp_path: Path, number: Any) -> None:
    """Rows with one number are in the same partition of two tables, however the files of each were cut."""
    numbers = [0, 1, -1, 20_000_001, 20_000_002, 2**47]
    seen = []
    for flush_rows in (1, 4_096):
        park = Park(tmp_path / str(flush_rows), SCHEMA, number=number, flush_rows=flush_rows)
        for one in (numbers, numbers * 700):
            park.append(pa.table({"id": one, "text": ["x"] * len(one)}, schema=SCHEMA))
        parts = [set(part["id"].to_pylist()) for part in park.partitions(8, _ids)]
        assert sum(map(len, parts)) == len(numbers)
        seen.append(parts)
    assert seen[0] == seen[1]


def test_files_are_in_the_order_of_their_rows(tmp_path: Path) -> None:
    """Rows come back in the order they were added, though a file was written before the one that precedes it."""
    begun, later = threading.Event(), threading.Event()

    def first_waits(table: pa.Table) -> Any:
        if table["id"][0].as_py() == 0 and not later.is_set():
            begun.set()
            assert later.wait(10)
        return table["id"].to_numpy()

    rows = [pa.table({"id": [number, number]}) for number in range(2)]
    park = Park(tmp_path, rows[0].schema, number=first_waits, flush_rows=2)
    thread = threading.Thread(target=park.append, args=(rows[0],))
    thread.start()
    assert begun.wait(10)
    park.append(rows[1])
    later.set()
    thread.join(10)
    assert park.read()["id"].to_pylist() == [0, 0, 1, 1]


def test_rows_that_could_not_be_written_are_missed(tmp_path: Path) -> None:
    """A park that has lost rows to a disk gives none and takes none, also when whoever saved it goes on."""
    (tmp_path / "disk").write_text("in the way")
    park = Park(tmp_path / "disk" / "park", SCHEMA, number=_ids)
    park.append(_table(0, 3))
    with pytest.raises(StateFault, match="cannot use"):
        park.save()
    (tmp_path / "disk").unlink()
    uses: list[Any] = [park.read, park.save, lambda: list(park.partitions(2)), lambda: park.append(_table(3, 4))]
    for use in uses:
        with pytest.raises(StateFault, match=r"are lost .* run again"):
            use()
    park.clear()
    park.append(_table(3, 4))
    assert park.read()["id"].to_pylist() == [3]


def test_rows_are_added_while_a_file_is_written(tmp_path: Path) -> None:
    """Whoever adds rows does not wait for another thread that writes a file; all rows come back."""
    writing, added = threading.Event(), threading.Event()

    def slowly(table: pa.Table) -> Any:
        writing.set()
        assert added.wait(10), "nobody could add rows meanwhile"
        return table["id"].to_numpy()

    rows = [pa.table({"id": [number, number + 100]}) for number in range(2)]
    park = Park(tmp_path, rows[0].schema, number=slowly, flush_rows=2)
    thread = threading.Thread(target=park.append, args=(rows[0],))
    thread.start()
    assert writing.wait(10)
    park.append(rows[1].slice(0, 1))
    added.set()
    thread.join(10)
    assert sorted(park.read()["id"].to_pylist()) == [0, 1, 100]


def test_adopted_files_keep_their_partitions(tmp_path: Path) -> None:
    """Files that another park of the same numbering wrote give the partitions that the same rows appended give."""
    first = Park(tmp_path / "first", SCHEMA, number=_ids, flush_rows=3_000)
    second = Park(tmp_path / "second", SCHEMA, number=_ids)
    first.append(_table(0, 5_000))
    for path in first.save():
        second.adopt(path)
    second.append(_table(5_000, 5_500))
    first.append(_table(5_000, 5_500))
    found = [[set(part["id"].to_pylist()) for part in park.partitions(8)] for park in (first, second)]
    assert found[0] == found[1]
    assert second.rows == sum(map(len, found[1])) == 5_500


@pytest.mark.parametrize(
    ("rows", "each", "count"), [(0, 9, 1), (9, 9, 1), (10, 9, 2), (19, 9, 4), (10**7, 131_072, 128)]
)
def test_how_many_partitions(rows: int, each: int, count: int) -> None:
    """Partitions are a power of two, and hold about as many rows as asked for at most."""
    assert parts_for(rows, each) == count


def test_splitting_leaves_no_rows_on_disk(tmp_path: Path) -> None:
    """Parts are removed as they are given, so that the disk holds a table twice at most; clear removes the rest."""
    park = Park(tmp_path / "park", SCHEMA, flush_rows=10)
    park.append(_table(0, 50))
    list(park.partitions(4, _ids))
    assert list((tmp_path / "park" / "split-4").rglob("*.arrow")) == []
    park.clear()
    assert list(tmp_path.rglob("*.arrow")) == []
    assert park.read().num_rows == park.rows == 0


def test_a_disk_that_fails_is_named(tmp_path: Path) -> None:
    """When a folder cannot be used the error names it and says what to do."""
    (tmp_path / "file").write_text("in the way")
    park = Park(tmp_path / "file" / "park", SCHEMA)
    park.append(_table(0, 3))
    with pytest.raises(StateFault, match=r"file.*run again"):
        park.save()


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_frames_come_back_as_the_arrow_they_were(entity: Entity) -> None:
    """Values and nulls survive the way from arrow to a frame and back; ids and counts never become floats."""
    schema = frames.entity_schema(entity)
    full = {"int64": 7, "string": "x", "double": 1.5, "bool": True, "timestamp[s, tz=UTC]": pd.Timestamp(0, tz="UTC")}
    rows = [{}, {column.name: full[str(column.type)] for column in schema}]
    there = frame(rows, schema)
    assert not any(dtype == "float64" for dtype in there.dtypes)
    assert frames.to_arrow(there, schema).equals(pa.Table.from_pylist([dict.fromkeys(schema.names), rows[1]], schema))
    assert list(frames.empty(schema).columns) == schema.names


def test_is_in_is_isin() -> None:
    """Texts are found among others as pandas finds them; null is in nothing."""
    some = pd.Series(["a", None, "b"], dtype="string[pyarrow]", index=[5, 1, 3])
    found = frames.is_in(some, pd.Series(["b", None], dtype="string[pyarrow]"))
    assert found.tolist() == [False, False, True]
    assert found.index.tolist() == [5, 1, 3]
    assert not frames.is_in(some, pd.Series([], dtype="object")).any()


def _portals(*rows: tuple[str, str | None]) -> pd.DataFrame:
    held = [{"Id": f"a{key}", "LU_Key__c": key, "Name": name, "Portal_Id__c": int(key)} for key, name in rows]
    return frame(held, frames.entity_schema(PORTAL))


def _marks(rows: pd.DataFrame, *keys: str) -> pd.Series:
    return rows["LU_Key__c"].isin(list(keys)).astype(bool)


def test_the_book_keeps_sums_over_partitions(tmp_path: Path) -> None:
    """Each existing row is updated, unchanged, deleted or unconfirmed; desired is what will be there by our will."""
    book = Book(tmp_path, {PORTAL.name: declared_shapes(PORTAL)})
    existing = _portals(("1", "old"), ("2", "same"), ("3", "gone"), ("4", "left"), ("5", "unsure"))
    proof = pd.Series(pd.NA, index=existing.index, dtype="string[pyarrow]").mask(_marks(existing, "3"), "gone")
    for desired, held in (
        (_portals(("1", "new"), ("2", " same "), ("6", "fresh")), existing),
        (_portals(("7", "#N/A"), ("8", "x" * 81)), existing.iloc[:0]),
    ):
        book.enter(
            PORTAL,
            book.fit(PORTAL, desired),
            held,
            key="LU_Key__c",
            stays=_marks(held, "4"),
            unconfirmed=_marks(held, "5"),
            proof=proof.loc[held.index],
            kept=1,
        )
    plan = book.close((PORTAL, CONTACT), ["first"])
    counts = vars(plan.entities[PORTAL.name].counts)
    assert counts == {
        "desired": 6, "existing": 5, "create": 3, "update": 1, "delete": 1,
        "unchanged": 2, "kept": 2, "unconfirmed": 1, "rejected": 0,
    }  # fmt: skip
    assert list(plan.entities) == [PORTAL.name, CONTACT.name]
    assert plan.changes == 5
    assert plan.warnings[0] == "first"
    assert any("1 texts are longer" in text for text in plan.warnings)
    assert any("#N/A" in text for text in plan.warnings)


def test_a_delete_without_proof_is_a_bug_that_stops_everything(tmp_path: Path) -> None:
    """A row that would be deleted for no stated reason raises before anything is parked."""
    existing = _portals(("1", "here"))
    plan = EntityPlan(PORTAL, tmp_path)
    changes = diff(existing.iloc[:0], existing, "LU_Key__c", declared_shapes(PORTAL))
    with pytest.raises(ValueError, match="no proof"):
        plan.add(changes, pd.Series(pd.NA, index=existing.index, dtype="string[pyarrow]"))
    assert plan.changes == plan.deletes.rows == 0


def test_people_newly_referred_to_are_not_existing_for_the_guards(tmp_path: Path) -> None:
    """A first load fills many profiles: those do not count as updates of existing rows."""
    plan = EntityPlan(CONTACT, tmp_path)
    held = frame([{"Id": contact(number)} for number in range(3)], frames.entity_schema(CONTACT))
    wanted = held.assign(LU_User_ID__c=pd.array([1, 2, 3], dtype="Int64"))
    plan.add(diff(wanted, held, "Id", declared_shapes(CONTACT)), pd.Series(dtype="string[pyarrow]"))
    plan.counts.existing, plan.newly_referred = 3, 2
    assert (plan.load.existing, plan.load.updates, plan.load.deletes) == (1, 1, 0)
