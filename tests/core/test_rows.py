"""LearnUpon's rows as rows of Salesforce: labels, keys, parents, zeros; and the keys themselves."""

from __future__ import annotations

import pandas as pd
import pytest
from core.situations import PORTALS, contact, enrollment, frame, user

from etl import frames, keys, rows, totals
from etl.schema import CONTACT_ENROLLMENT, COUNTS, MEMBERSHIP

IDS = tuple(PORTALS)


@pytest.mark.parametrize(
    ("status", "renamed", "shown"),
    [
        ("not_started", {}, "Not Started"),
        ("pending_review", {}, "Pending Review"),
        ("passed", {}, "Passed"),
        ("on_hold", {}, "On Hold"),
        ("completed", {"completed": "Complete"}, "Complete"),
        ("on_hold", {"on_hold": "Paused"}, "Paused"),
    ],
)
def test_labels(status: str, renamed: dict[str, str], shown: str) -> None:
    """A status is shown by its new name, else in Title Case, known or not."""
    assert rows.label(status, renamed) == shown
    series = pd.Series([status, None, status], dtype="string[pyarrow]", index=[4, 2, 9])
    found = rows.labels(series, renamed)
    assert found.fillna("null").tolist() == [shown, "null", shown]
    assert found.index.tolist() == [4, 2, 9]


def test_finished_is_known_by_its_old_and_its_new_label() -> None:
    """A row written before a status was renamed still counts as finished."""
    assert rows.finished_labels(["passed", "completed"], {"completed": "Complete"}) == {
        "passed",
        "complete",
        "completed",
    }


def test_portal_rows_are_named_and_keyed() -> None:
    """A portal's key is its id as text."""
    found = rows.portal_rows(PORTALS)
    assert found["LU_Key__c"].tolist() == ["11", "22"]
    assert found["Name"].tolist() == ["First Academy", "Second Academy"]


def test_membership_fills_the_chosen_side_and_counts_zero() -> None:
    """Every matched learner has a row; the other lookup stays null; without enrollments the counts are 0, not blank."""
    learners = pd.DataFrame(
        {
            "learner": [5, keys.PLACE + 5, 6],
            "side": pd.array(["Contact", "User", None], dtype="string[pyarrow]"),
            "person_id": pd.array([contact(5), user(5), None], dtype="string[pyarrow]"),
            "last_sign_in_at": pd.array([None] * 3, dtype="datetime64[s, UTC]"),
        }
    )
    counted = totals.count_statuses(pd.DataFrame({"learner": [5], "status": ["passed"], "unenrolled": [False]}))
    found = rows.membership_rows(learners, counted, IDS)
    assert set(MEMBERSHIP.columns) <= set(found.columns)
    assert found["LU_Key__c"].tolist() == ["11:member:5", "22:member:5"]
    assert found["LearnUpon_Portal__c"].tolist() == ["11", "22"]
    assert found["Contact__c"].fillna("").tolist() == [contact(5), ""]
    assert found["User__c"].fillna("").tolist() == ["", user(5)]
    assert found["LU_Number_Passed__c"].tolist() == [1, 0]
    assert found[list(COUNTS)].notna().all(axis=None)
    assert not found["Removed_In_LearnUpon__c"].any()


def test_an_enrollment_row_carries_learnupons_values() -> None:
    """Score is the percentage, null stays null, the parent is the membership's key, the flag says unenrolled."""
    listing = frame(
        [enrollment(7, 5, "passed", percentage=80.0, unenrolled=True), enrollment(8, 5)], frames.ENROLLMENTS
    ).assign(code=[7, 8], learner=[5, 5], side="Contact", person_id=contact(5))
    found = rows.enrollment_rows(listing, IDS, {})
    assert set(CONTACT_ENROLLMENT.columns) - {"SFContact__c"} <= set(found.columns)
    assert found["LU_Key__c"].tolist() == ["11:enrollment:7", "11:enrollment:8"]
    assert found["LearnUpon_Portal_Membership__c"].tolist() == ["11:member:5"] * 2
    assert found["Score__c"].isna().tolist() == [False, True]
    assert found["Removed_In_LearnUpon__c"].tolist() == [True, False]
    assert found["LUEnrollment__c"].tolist() == [7, 8]


@pytest.mark.parametrize(
    "text",
    [
        None, "", "11", "11:path", "11:path:", "11:path:x", "11:path:07", "11:path:-1", "11:path:1.0", "11:path:1\n",
        " 11:path:1", "11:path:1 ", "111:path:1", "1:path:1", "11:member:1", "11:PATH:1", "11:path:٣",
        "11:path:281474976710656", "11:path:9999999999999999999", "011:path:1",
    ],
)  # fmt: skip
def test_unreadable_keys(text: str | None) -> None:
    """What is not exactly portal, kind and a whole number without leading zeros is no key of ours."""
    assert keys.parse(pd.Series([text], dtype="string[pyarrow]"), "path", [11]).tolist() == [keys.UNREADABLE]


def test_same_ids_of_two_portals_are_two_keys() -> None:
    """Ids of two portals collide, their codes and keys do not; the largest id that fits is read back."""
    texts = pd.Series(["11:path:5", "22:path:5", f"22:path:{keys.MAX_ID}"], dtype="string[pyarrow]", index=[3, 1, 2])
    coded = keys.parse(texts, "path", IDS)
    assert coded.tolist() == [5, keys.PLACE + 5, keys.PLACE + keys.MAX_ID]
    assert coded.index.tolist() == [3, 1, 2]
