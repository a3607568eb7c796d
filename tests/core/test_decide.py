"""The fate of single rows, and which of them LearnUpon is asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from core.situations import Portal, World, contact, enrollment, learner

from etl import decide, keys, situation
from etl.schema import CONTACT_ENROLLMENT, MEMBERSHIP

FINISHED = frozenset({"passed", "failed", "completed"})
KNOWN = FINISHED | {"in progress"}
NOBODY = pd.Index([], dtype="int64")


def _held(**columns: Any) -> pd.DataFrame:
    row = {"code": 7, "object_side": "Contact", "LUUser__c": 5, "Status__c": "In Progress", **columns}
    texts = {"object_side": "string[pyarrow]", "Status__c": "string[pyarrow]", "LUUser__c": "Int64"}
    return pd.DataFrame([{"Removed_In_LearnUpon__c": False, "Date_Completed__c": None, **row}]).astype(texts)


def _listed(side: str | None = "Contact", code: int = 7) -> pd.DataFrame:
    return pd.DataFrame({"code": [code], "learner": [5], "side": pd.array([side], dtype="string[pyarrow]")})


def _fate(held: pd.DataFrame, listing: pd.DataFrame, *, wanted: bool = True, **known: Any) -> str:
    fate = decide.fate(
        held,
        listing,
        pd.Series([wanted] * len(listing), dtype=bool) & listing["side"].notna(),
        known.get("unmatched", NOBODY),
        known.get("gone", frozenset()),
        decide.is_finished(held, FINISHED, KNOWN),
    )
    said = [name for name in ("kept", "left", "unconfirmed") if getattr(fate, name).iloc[0]]
    said += [] if pd.isna(fate.proof.iloc[0]) else [fate.proof.iloc[0]]
    assert len(said) <= 1, "a row has one fate"
    return said[0] if said else "desired"


GONE = frozenset({7})
DAY = pd.Timestamp("2026-01-05", tz="UTC")
SHELL: dict[str, Any] = {"LUUser__c": None, "Status__c": None, "Removed_In_LearnUpon__c": True}
"""What an upsert of the flag alone makes of a row that somebody deleted just before."""
FATES: list[tuple[dict[str, Any], pd.DataFrame, dict[str, Any], str]] = [
    ({}, _listed(), {}, "desired"),
    ({"Removed_In_LearnUpon__c": True}, _listed(), {}, "desired"),
    ({}, _listed(), {"wanted": False}, "unenrolled"),
    ({"Status__c": "Passed"}, _listed(), {"wanted": False}, "unenrolled"),
    ({}, _listed("User"), {}, "moved"),
    ({"Removed_In_LearnUpon__c": True}, _listed("User"), {}, "moved"),
    ({}, _listed(None), {}, "left"),
    ({}, _listed(code=8), {}, "unconfirmed"),
    ({}, _listed().iloc[:0], {}, "unconfirmed"),
    ({}, _listed(code=8), {"gone": GONE}, "gone"),
    ({"Status__c": None}, _listed(code=8), {"gone": GONE}, "gone"),
    ({"Status__c": " PASSED "}, _listed(code=8), {"gone": GONE}, "kept"),
    ({"Status__c": "Fertig", "Date_Completed__c": DAY}, _listed(code=8), {"gone": GONE}, "kept"),
    ({"Status__c": "Fertig"}, _listed(code=8), {"gone": GONE}, "gone"),
    ({"Date_Completed__c": DAY}, _listed(code=8), {"gone": GONE}, "gone"),
    ({"Status__c": "Passed"}, _listed(code=8), {}, "unconfirmed"),
    ({"Removed_In_LearnUpon__c": True}, _listed(code=8), {}, "kept"),
    ({"Removed_In_LearnUpon__c": True}, _listed(code=8), {"gone": GONE}, "kept"),
    ({**SHELL, "Status__c": "Passed"}, _listed(code=8), {}, "kept"),
    (SHELL, _listed(code=8), {}, "unconfirmed"),
    (SHELL, _listed(code=8), {"gone": GONE}, "gone"),
    (SHELL, _listed(), {}, "desired"),
    ({}, _listed(code=8), {"gone": GONE, "unmatched": pd.Index([5])}, "left"),
    ({"LUUser__c": None}, _listed(code=8), {"unmatched": pd.Index([5])}, "unconfirmed"),
    ({"code": keys.UNREADABLE}, _listed(), {"gone": frozenset({keys.UNREADABLE})}, "unconfirmed"),
]


@pytest.mark.parametrize(("held", "listing", "known", "expected"), FATES)
def test_the_fate_of_a_row(held: dict[str, Any], listing: pd.DataFrame, known: dict[str, Any], expected: str) -> None:
    """Listed rows follow LearnUpon, absent ones are kept, deleted or left only by an answer, never by absence."""
    assert _fate(_held(**held), listing, **known) == expected


@pytest.mark.parametrize(
    ("held", "listed", "unmatched", "asked"),
    [
        ({}, [], NOBODY, [7]),
        ({}, [7], NOBODY, []),
        ({"Removed_In_LearnUpon__c": True}, [], NOBODY, []),
        ({"Removed_In_LearnUpon__c": None}, [], NOBODY, [7]),
        (SHELL, [], NOBODY, [7]),
        ({**SHELL, "Status__c": "Passed"}, [], NOBODY, []),
        ({}, [], pd.Index([5]), []),
        ({"LUUser__c": None}, [], pd.Index([5]), [7]),
        ({"code": keys.UNREADABLE}, [], NOBODY, []),
    ],
)
def test_whom_to_ask_about(held: dict[str, Any], listed: list[int], unmatched: Any, asked: list[int]) -> None:
    """Asked about is what is missing, not flagged (or empty), readable, and not of a learner left alone anyway."""
    found = decide.questions(pd.Index(listed, dtype="int64"), _held(**held), unmatched)
    assert found.tolist() == asked


@pytest.mark.parametrize(
    ("status", "unenrolled", "side", "wanted"),
    [
        ("in_progress", False, "Contact", True),
        ("in_progress", True, "Contact", False),
        ("passed", True, "User", True),
        ("failed", True, "User", True),
        ("on_hold", True, "User", False),
        ("passed", False, None, False),
    ],
)
def test_who_belongs_in_salesforce(status: str, unenrolled: bool, side: str | None, wanted: bool) -> None:  # noqa: FBT001 - a table
    """Matched rows belong there, unless they are unenrolled and unfinished."""
    listing = pd.DataFrame({"status": [status], "unenrolled": [unenrolled], "side": [side]})
    assert decide.is_wanted(listing, ("completed", "passed", "failed")).tolist() == [wanted]


def _times(*texts: str | None) -> pd.Series:
    return pd.Series([pd.Timestamp(text, tz="UTC") if text else pd.NaT for text in texts], dtype="datetime64[s, UTC]")


def test_of_a_row_listed_twice_the_latest_counts() -> None:
    """The one updated last counts, one with a time before one without, and else the one read last."""
    times = _times("2026-02-01", "2026-01-01", None, None, None)
    listing = pd.DataFrame({"code": [1, 1, 1, 2, 2], "updated_at": times, "at": range(5)})
    assert decide.latest(listing)["at"].tolist() == [0, 4]


def test_one_side_of_a_kept_row_remains() -> None:
    """A row kept on both sides goes where its learner is now, as the row that stands there already."""
    held = pd.concat([_held(Status__c="Passed"), _held(Status__c="Failed", object_side="User")], ignore_index=True)
    held = held.assign(side=held["object_side"], person_id=pd.array([contact(1), None], dtype="string[pyarrow]"))
    people = pd.DataFrame({"side": ["Contact"], "person_id": [contact(2)]}, index=[5], dtype="string[pyarrow]")
    kept = decide.keep(held, people)
    assert kept[["Status__c", "side", "person_id"]].to_numpy().tolist() == [["Passed", "Contact", contact(2)]]
    assert kept["Removed_In_LearnUpon__c"].all()


def test_questions_name_rows_members_and_how_many_are_held(tmp_path: Path) -> None:
    """Rows and learners that are missing are asked about by code; by portal it is known how many rows are held."""
    world = World(tmp_path)
    world.portals[0] = Portal([learner(5), learner(6)], [enrollment(7, 5), enrollment(8, 5), enrollment(9, 6)])
    world.portals[1] = Portal([learner(6)], [enrollment(7, 6)])
    world.run()
    world.portals[0] = Portal([learner(5)], [enrollment(8, 5)])
    world.org[CONTACT_ENROLLMENT.name]["11:enrollment:x"] = {"LU_Key__c": "11:enrollment:x"}
    world.org[CONTACT_ENROLLMENT.name]["11:enrollment:9"]["Removed_In_LearnUpon__c"] = True
    for rows in (1, 1000):
        world.rows_per_partition = rows
        inputs = world.inputs()
        asked = situation.row_questions(inputs, "enrollment")
        assert asked.tolist() == [7]
        members = situation.member_questions(inputs.learners, inputs.held[MEMBERSHIP.name], inputs.portal_ids)
        assert members.tolist() == [6]
    missing = {"enrollment": asked, "member": members}
    assert situation.missing_rows(missing, inputs.held, inputs.portal_ids, ["one", "two"]) == {
        "enrollments of one": (3, 1),
        "enrollments of two": (1, 0),
        "learners of one": (2, 1),
        "learners of two": (1, 0),
    }


def test_a_scope_covers_its_days_and_nothing_without_a_date() -> None:
    """From is inclusive, the moment after the scope is not, and a row without a date is in no dated scope."""
    listing = pd.DataFrame({"date_enrolled": _times("2026-01-01", "2026-01-31T23:59:59", "2026-02-01", None)})
    first, after = pd.Timestamp("2026-01-01", tz="UTC"), pd.Timestamp("2026-02-01", tz="UTC")
    assert situation.Scope(first, after).covers(listing).tolist() == [True, True, False, False]
    assert situation.Scope(None, after).covers(listing).tolist() == [True, True, False, False]
    assert situation.Scope().covers(listing).all()
