"""The files that are uploaded: cells that Bulk takes, sizes below the limit, nothing lost between rows and lines."""

from __future__ import annotations

import csv
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from salesforce_kit import Plans, enrollment_row, member_row, portal_row, world

from etl import frames
from etl.errors import StateFault
from etl.salesforce.csvtext import Part, Parts, changed_cells, lines, read_back, subset, texts
from etl.salesforce.rowfiles import sent_columns, write_ids, write_rows
from etl.schema import CONTACT, CONTACT_ENROLLMENT, MEMBERSHIP, PORTAL

PERSON = "0035g0000000001AAA"
UPLOADABLE = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)


def cells(part: Part) -> list[dict[str, str]]:
    """Read a file with the standard library's reader, which knows nothing of ours."""
    with part.path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("values", "scale", "expected"),
    [
        (pa.array([datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None], frames.SECONDS_UTC), 0,
         ["2026-01-02T03:04:05.000Z", None]),
        (pa.array([True, False, None]), 0, ["true", "false", None]),
        (pa.array([12, -3, 10**17, None]), 0, ["12", "-3", "100000000000000000", None]),
        (pa.array([87.5, 0.1, 1e16, 100.0, None]), 2, ["87.50", "0.10", "10000000000000000.00", "100.00", None]),
        (pa.array(["a", "", None, "a,b", 'say "hi"', "two\nlines", "one\rmore", "#N/A", " x "]), 0,
         ["a", None, None, '"a,b"', '"say ""hi"""', '"two\nlines"', '"one\rmore"', "#N/A", " x "]),
        (pa.array(["=1+1", "+1", "-1 of 2", "@home", "\tx"]), 0, ["=1+1", "+1", "-1 of 2", "@home", "\tx"]),
    ],
)  # fmt: skip
def test_cells(values: pa.Array, scale: int, expected: list[str | None]) -> None:
    """Every kind of value is written as the Bulk guide asks, quoted only where it must be."""
    assert texts(values, scale).to_pylist() == expected


def test_changed_cells() -> None:
    """What did not change is empty, what was cleared is a bare #N/A."""
    changed = changed_cells(pa.array(["a", None, "b"]), pa.array([True, True, False]))
    assert changed.to_pylist() == ["a", "#N/A", ""]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(UPLOADABLE, UPLOADABLE), max_size=20), limit=st.integers(20, 400))
def test_round_trip(rows: list[tuple[str, str]], limit: int, tmp_path: Path) -> None:
    """Whatever the texts, another CSV reader finds the same rows in the files, in order, each file with the header."""
    columns = [texts(pa.array([row[place] for row in rows], pa.string())) for place in (0, 1)]
    with Parts(tmp_path, "t", ["A__c", "B__c"], limit) as parts:
        parts.write(lines(columns))
    found = [tuple(row.values()) for part in parts.done for row in cells(part)]
    assert found == rows
    assert sum(part.rows for part in parts.done) == len(rows)
    for part in parts.done:
        data = part.path.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (part.size, part.sha256)
        assert len(data) <= limit or part.rows == 1
        assert read_back(part.path).num_rows == part.rows


def test_size_limit(tmp_path: Path) -> None:
    """Files are cut at rows, by measured bytes, and none is empty."""
    with Parts(tmp_path, "t", ["A__c"], 50) as parts:
        parts.write(lines([pa.array([f"row-{n:03d}" for n in range(20)])]))
        parts.write(lines([pa.array(["x" * 80, "last"])]))
    assert [part.rows for part in parts.done] == [5, 5, 5, 5, 1, 1]
    assert all(part.size <= 50 for part in parts.done if part.rows > 1)


def test_subset(tmp_path: Path) -> None:
    """Rows taken out of a file are the same cells, quotes, clears and empty cells included."""
    with Parts(tmp_path, "t", ["LU_Key__c", "A__c", "B__c"], 10_000) as parts:
        parts.write(
            lines([pa.array(["k1", "k2", "k3"]), pa.array(['"a,\nb"', "#N/A", "x"]), pa.array(["", "#N/A", ""])])
        )
    found = subset(parts.done[0], "LU_Key__c", pa.array(["k1", "k2"]), tmp_path, "again")
    assert found is not None
    assert found.path.read_text() == 'LU_Key__c,A__c,B__c\nk1,"a,\nb",\nk2,#N/A,#N/A\n'
    assert found.rows == 2
    assert subset(parts.done[0], "LU_Key__c", pa.array([], pa.string()), tmp_path, "none") is None


def test_line_ends_inside_a_long_file(tmp_path: Path) -> None:
    """A file longer than what is parsed at a time is taken apart by records, never at a line end inside quotes."""
    course = '"' + "Ropes\nand knots\n" * 12 + '"'
    numbers = pa.array([str(number) for number in range(12_000)])
    with Parts(tmp_path, "t", ["LU_Key__c", "A__c"], 10_000_000) as parts:
        parts.write(lines([numbers, pa.array([course] * len(numbers))]))
    table = read_back(parts.done[0].path)
    assert table["LU_Key__c"].combine_chunks() == numbers
    assert set(table["A__c"].to_pylist()) == {course[1:-1]}


@pytest.mark.parametrize("before", ["", "x"])
def test_pairs_of_line_ends_inside_a_long_file(before: str, tmp_path: Path) -> None:
    """CR LF inside a text is sent again as it was, wherever in a long file it stands."""
    text = f'"{before}' + "\r\n" * 3_000_000 + '"'
    with Parts(tmp_path, "t", ["LU_Key__c", "A__c"], 10_000_000) as parts:
        parts.write(lines([pa.array(["k1"]), pa.array([text])]))
    again = subset(parts.done[0], "LU_Key__c", pa.array(["k1"]), tmp_path, "again")
    assert again is not None
    assert again.sha256 == parts.done[0].sha256


def test_disk_failure(tmp_path: Path) -> None:
    """A folder that cannot be written is 74, with its path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateFault, match="file"):
        Parts(tmp_path / "file" / "sub", "t", ["A__c"], 100)


def files(tmp_path: Path, plans: Plans, name: str, **changed: Any) -> list[Part]:
    """Write the files of one object."""
    with world() as served:
        return list(write_rows(served.connect(**changed), plans[name], tmp_path / "files"))


def test_creates(tmp_path: Path) -> None:
    """Created rows have all columns, parents by external id, and empty cells for nulls."""
    plans = Plans(tmp_path)
    plans.create(CONTACT_ENROLLMENT, enrollment_row(PERSON, 5, 7, Course_Name__c=None))
    (part,) = files(tmp_path, plans, CONTACT_ENROLLMENT.name)
    (row,) = cells(part)
    assert list(row)[:3] == ["LU_Key__c", "LearnUpon_Portal_Membership__r.LU_Key__c", "SFContact__c"]
    assert len(row) == len(CONTACT_ENROLLMENT.columns) + 1
    assert row["LearnUpon_Portal_Membership__r.LU_Key__c"] == "1:member:7"
    assert (row["Score__c"], row["Course_Name__c"], row["Date_Enrolled__c"]) == (
        "87.50",
        "",
        "2026-11-22T02:00:00.000Z",
    )


def test_updates_alone(tmp_path: Path) -> None:
    """Without creates only the key and the columns that differ somewhere are sent."""
    plans = Plans(tmp_path)
    rows = [enrollment_row(PERSON, n, 7, Id=f"a035g000000000{n}AAA") for n in (1, 2, 3)]
    plans.change(CONTACT_ENROLLMENT, ["Status__c"], rows[0])
    plans.change(CONTACT_ENROLLMENT, ["Score__c", "Status__c"], {**rows[1], "Score__c": None})
    plans.change(CONTACT_ENROLLMENT, ["Removed_In_LearnUpon__c"], {**rows[2], "Removed_In_LearnUpon__c": True})
    assert sent_columns(plans[CONTACT_ENROLLMENT.name]) == ("Status__c", "Score__c", "Removed_In_LearnUpon__c")
    (part,) = files(tmp_path, plans, CONTACT_ENROLLMENT.name)
    assert [tuple(row.values()) for row in cells(part)] == [
        ("1:enrollment:1", "Passed", "", ""),
        ("1:enrollment:2", "Passed", "#N/A", ""),
        ("1:enrollment:3", "", "", "true"),
    ]


def test_creates_and_updates_in_one_file(tmp_path: Path) -> None:
    """Creates and updates share a file; an update leaves alone what did not change."""
    plans = Plans(tmp_path)
    plans.create(PORTAL, portal_row(1))
    plans.change(PORTAL, ["Name"], {**portal_row(2), "Id": "a005g0000000001AAA"})
    (part,) = files(tmp_path, plans, PORTAL.name)
    assert [tuple(row.values()) for row in cells(part)] == [("1", "Portal 1", "1"), ("2", "Portal 2", "")]


def test_profiles_by_record_id(tmp_path: Path) -> None:
    """People are updated by record id."""
    plans = Plans(tmp_path)
    plans.change(CONTACT, ["LU_Number_Enrolled__c"], {"Id": PERSON, "LU_Number_Enrolled__c": 4, "LU_User_ID__c": 9})
    (part,) = files(tmp_path, plans, "Contact")
    assert cells(part) == [{"Id": PERSON, "LU_Number_Enrolled__c": "4"}]


def test_rows_of_a_parent_side_by_side(tmp_path: Path) -> None:
    """Rows are sorted by parent, so that few batches lock the same parent."""
    plans = Plans(tmp_path)
    plans.create(CONTACT_ENROLLMENT, *(enrollment_row(PERSON, n, n % 3) for n in range(30)))
    (part,) = files(tmp_path, plans, CONTACT_ENROLLMENT.name)
    parents = [row["LearnUpon_Portal_Membership__r.LU_Key__c"] for row in cells(part)]
    assert parents == sorted(parents)


def test_files_below_the_limit(tmp_path: Path) -> None:
    """A large object becomes several files, each smaller than bulk_file_mb, together with every row once."""
    plans = Plans(tmp_path)
    plans.create(MEMBERSHIP, *(member_row(PERSON, n) for n in range(20_000)))
    parts = files(tmp_path, plans, MEMBERSHIP.name, bulk_file_mb=1)
    assert len(parts) > 1
    assert all(part.path.stat().st_size == part.size < 1_000_000 for part in parts)
    keys = [row["LU_Key__c"] for part in parts for row in cells(part)]
    assert sorted(keys) == sorted(f"1:member:{n}" for n in range(20_000))


def test_deletes_are_ids_alone(tmp_path: Path) -> None:
    """A delete's file has the column Id and nothing else."""
    with world() as served:
        ids = pa.table({"Id": ["a", "b"], "LU_Key__c": ["1", "2"]})
        (part,) = write_ids(served.connect(), CONTACT_ENROLLMENT, iter([ids]), tmp_path)
    assert part.path.read_text() == "Id\na\nb\n"


def test_nothing_to_write(tmp_path: Path) -> None:
    """Without rows there is no file."""
    assert files(tmp_path, Plans(tmp_path), PORTAL.name) == []
