"""The CSV lists: safe in a spreadsheet, complete, and bounded in memory however many rows there are."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.diff import CHANGED
from etl.plan import EntityPlan
from etl.report.samples import sample_changes
from etl.report.tables import changes_csv, refused_csv, safe, unmatched_csv
from etl.schema import CONTACT, CONTACT_ENROLLMENT, KEY


def parsed(pieces: Iterable[bytes]) -> list[dict[str, str]]:
    """Read CSV as any program does: rows with a header."""
    content = b"".join(pieces)
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""), strict=True))


def table(schema: pa.Schema, rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """Return rows as a table of that schema; columns left out are null."""
    return pa.Table.from_pylist([{**dict.fromkeys(schema.names), **row} for row in rows], schema=schema)


def bits(*columns: str) -> int:
    """Return the bit mask of changed columns of a Contact's enrollment."""
    return sum(1 << CONTACT_ENROLLMENT.columns.index(column) for column in columns)


@pytest.fixture
def plan(tmp_path: Path) -> EntityPlan:
    """Return a plan of a Contact's enrollments with one change of each kind."""
    made = EntityPlan(CONTACT_ENROLLMENT, tmp_path)
    when = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    made.creates.append(
        table(made.creates.schema, [{KEY: "12345:enrollment:1", "Status__c": "Not Started", "Date_Enrolled__c": when}])
    )
    new = {"Id": "a015g00000AAAAAAA1", KEY: "12345:enrollment:2", "Status__c": "Completed", "Score__c": 88.5}
    old = {"Id": "a015g00000AAAAAAA1", KEY: "12345:enrollment:2", "Status__c": "In Progress"}
    made.updates.append(table(made.updates.schema, [new | {CHANGED: bits("Status__c", "Score__c")}]))
    made.before.append(table(made.before.schema, [old]))
    made.deletes.append(
        table(made.deletes.schema, [{"Id": "a015g00000AAAAAAA2", KEY: "12345:enrollment:3", "reason": "unenrolled"}])
    )
    return made


def test_changes_name_every_row_and_what_happens_to_it(plan: EntityPlan) -> None:
    """Each planned row is there once, with its record id, changed columns and reason where it has them."""
    assert [tuple(row.values()) for row in parsed(changes_csv(plan))] == [
        ("create", "12345:enrollment:1", "", "", ""),
        ("update", "12345:enrollment:2", "a015g00000AAAAAAA1", "Status__c;Score__c", ""),
        ("delete", "12345:enrollment:3", "a015g00000AAAAAAA2", "", "unenrolled"),
    ]


def test_changes_of_a_person_are_known_by_record_id(tmp_path: Path) -> None:
    """A Contact has no key of ours: its record id stands in both columns."""
    plan = EntityPlan(CONTACT, tmp_path)
    plan.updates.append(table(plan.updates.schema, [{"Id": "0035g00000QwErTAAV", CHANGED: 1}]))
    row = parsed(changes_csv(plan))[0]
    assert row == {
        "action": "update", "key": "0035g00000QwErTAAV", "record_id": "0035g00000QwErTAAV",
        "changed": "LU_User_ID__c", "reason": "",
    }  # fmt: skip


def test_an_empty_plan_is_a_header_alone(tmp_path: Path) -> None:
    """Without changes the list still opens and says what it would hold."""
    assert b"".join(changes_csv(EntityPlan(CONTACT, tmp_path))) == (b"action,key,record_id,changed,reason\r\n")


def test_the_sample_shows_what_the_plan_holds(plan: EntityPlan) -> None:
    """A create shows its values, an update old and new ones of the changed columns, a delete its reason."""
    found = [(one.action, one.column, one.before, one.after, one.reason) for one in sample_changes({"X": plan})]
    assert found == [
        ("create", "Status__c", None, "Not Started", ""),
        ("create", "Date_Enrolled__c", None, datetime(2026, 11, 20, 9, 30, tzinfo=UTC), ""),
        ("update", "Status__c", "In Progress", "Completed", ""),
        ("update", "Score__c", None, 88.5, ""),
        ("delete", "", None, None, "unenrolled"),
    ]


def test_the_sample_is_bounded_by_object_and_action(plan: EntityPlan) -> None:
    """However large the plan, a few rows of each action are shown, across parked files too."""
    for _ in range(30):
        plan.deletes.append(plan.deletes.read().slice(0, 1))
    assert sum(change.action == "delete" for change in sample_changes({"X": plan}, limit=10)) == 10
    assert sample_changes({"X": plan}, limit=0) == []


LEARNERS = pd.DataFrame(
    {
        "user_id": pd.array([7, 8, 9], dtype="Int64"),
        "reason": pd.array(["no_salesforce_id", pd.NA, "contact_deleted"], dtype="string[pyarrow]"),
        "sf_contact_id": pd.array([pd.NA, "0035g00000QwErTAAV", "0035g00000QwErUAAV"], dtype="string[pyarrow]"),
        "sf_user_id": pd.array([pd.NA] * 3, dtype="string[pyarrow]"),
        "first_name": pd.array(["=HYPERLINK(1)", "Ana", "Zoë"], dtype="string[pyarrow]"),
        "last_name": pd.array(["O'Neil", "B", "Šimić"], dtype="string[pyarrow]"),
        "email": pd.array(["a@example.com", "b@example.com", pd.NA], dtype="string[pyarrow]"),
    }
)


def test_unmatched_learners_are_listed_with_the_reason_in_words() -> None:
    """Only learners with a reason are listed, by portal and id; names and e-mail stay out."""
    rows = parsed(unmatched_csv([("academy", LEARNERS), ("empty", LEARNERS.iloc[:0])], show_names=False))
    assert [(row["portal"], row["learner_id"], row["reason"]) for row in rows] == [
        ("academy", "7", "no_salesforce_id"),
        ("academy", "9", "contact_deleted"),
    ]
    assert rows[1]["explanation"] == "the Contact was deleted"
    assert rows[1]["sf_contact_id"] == "0035g00000QwErUAAV"
    assert not set(rows[0]) & {"first_name", "last_name", "email"}


def test_names_are_listed_only_when_asked_and_cannot_run() -> None:
    """With show_names the name is there, accents whole, and a formula among them is disarmed."""
    rows = parsed(unmatched_csv([("academy", LEARNERS)], show_names=True))
    assert [row["first_name"] for row in rows] == ["'=HYPERLINK(1)", "Zoë"]
    assert rows[0]["email"] == "a@example.com"


def test_refused_rows_keep_salesforces_words() -> None:
    """Refused rows come with code and message as they were, rows never sent after them with our reason."""
    refused = pd.DataFrame(
        {
            "object": ["Contact"],
            "key": ["0035g00000QwErTAAV"],
            "operation": ["update"],
            "code": ["FIELD_CUSTOM_VALIDATION_EXCEPTION"],
            "message": ['Score must be "0" to "100",\r\nsaid the rule'],
        }
    )
    rejected = pd.DataFrame({"object": ["User"], "key": ["0055g00000AbCdEAAX"], "reason": ["Score__c: too long"]})
    rows = parsed(refused_csv(refused, rejected))
    assert rows[0]["message"] == 'Score must be "0" to "100",\r\nsaid the rule'
    assert tuple(rows[1].values()) == ("User", "0055g00000AbCdEAAX", "none", "rejected", "Score__c: too long")


RISKY = ["=1+1", "+1+1", "-1-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "＝1", "＋1x", "－1x", "＠x", "-", "+"]  # noqa: RUF001


@pytest.mark.parametrize("cell", RISKY)
def test_a_cell_that_a_spreadsheet_would_run_is_disarmed(cell: str) -> None:
    """A text that starts like a formula gets an apostrophe in front and stays whole behind it."""
    assert safe(pa.chunked_array([[cell]])).to_pylist() == ["'" + cell]


@pytest.mark.parametrize("cell", ["-5", "+5", "-12.50", "5-3", "a=b", "'=1", " =1", "", "12345:enrollment:1"])
def test_numbers_and_harmless_texts_stay_as_they_are(cell: str) -> None:
    """A plain number, even a negative one, and a text that is no formula are not touched."""
    assert safe(pa.chunked_array([[cell]])).to_pylist() == [cell]


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))), max_size=20))
def test_whatever_a_name_holds_it_is_read_back_whole(names: list[str | None]) -> None:
    """Any text survives writing and reading, apart from the one apostrophe, and no cell starts like a formula."""
    frame = pd.DataFrame({"object": ["Contact"] * len(names), "key": pd.array(names, dtype="string[pyarrow]")})
    frame = frame.assign(operation="update", code="X", message="Y")
    content = b"".join(refused_csv(frame, pd.DataFrame({"object": [], "key": [], "reason": []})))
    rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True))[1:]
    assert [row[1] if row[1][:1] != "'" else row[1].removeprefix("'") for row in rows] == [
        (name or "").removeprefix("'") for name in names
    ]
    assert not any(row[1][:1] in {"=", "@", "\t", "\r", "\n", "\0"} for row in rows)


def test_memory_does_not_grow_with_the_plan(tmp_path: Path) -> None:
    """Half a million deletes are written file by file: no piece holds more than one parked file."""
    plan = EntityPlan(CONTACT_ENROLLMENT, tmp_path)
    row = table(plan.deletes.schema, [{"Id": "a015g00000AAAAAAA2", KEY: "12345:enrollment:3", "reason": "gone"}])
    batch = pa.concat_tables([row] * 65_536).combine_chunks()
    for _ in range(8):
        plan.deletes.append(batch)
    tracemalloc.start()
    held, most, lines = pa.total_allocated_bytes(), 0, 0
    for piece in changes_csv(plan):
        most = max(most, pa.total_allocated_bytes() - held)
        lines += piece.count(b"\n")
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lines == 8 * 65_536 + 1
    assert most < 64 << 20
    assert python < 16 << 20
