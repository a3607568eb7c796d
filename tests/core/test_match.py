"""Who a learner is: ids, both ids, merged, deleted and unknown records, and e-mail."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from core.situations import contact, frame, user

from etl import frames, match
from etl.match import BothIds


def _users(*rows: dict[str, Any]) -> pd.DataFrame:
    return frame([{"user_id": number, **row} for number, row in enumerate(rows)], frames.USERS)


def _people(*rows: dict[str, Any]) -> pd.DataFrame:
    return frame([{"IsDeleted": False, **row} for row in rows], frames.PERSON)


def _addresses(*rows: dict[str, Any]) -> pd.DataFrame:
    return frame(list(rows), pa.schema({"Id": pa.string(), "Email": pa.string()}))


def _said(found: pd.DataFrame) -> list[tuple[str | None, str | None, str | None]]:
    return [
        tuple(None if pd.isna(value) else str(value) for value in row)  # type: ignore[misc]
        for row in found[["side", "person_id", "reason"]].itertuples(index=False)
    ]


C, U = contact(1), user(1)
BOTH = {"sf_contact_id": C, "sf_user_id": U}
CLAIMS: list[tuple[dict[str, Any], BothIds, tuple[str | None, str | None, str | None]]] = [
    ({"sf_contact_id": C}, "flag", ("Contact", C, None)),
    ({"sf_contact_id": C[:15]}, "flag", ("Contact", C, None)),
    ({"sf_user_id": U}, "flag", ("User", U, None)),
    ({"sf_user_id": U, "is_salesforce_contact": True}, "flag", ("User", U, None)),
    ({**BOTH, "is_salesforce_contact": True}, "flag", ("Contact", C, None)),
    ({**BOTH, "is_salesforce_contact": False}, "flag", ("User", U, None)),
    ({**BOTH, "is_salesforce_contact": None}, "flag", (None, None, "both_ids_undecided")),
    ({**BOTH, "is_salesforce_contact": False}, "contact", ("Contact", C, None)),
    ({**BOTH, "is_salesforce_contact": True}, "user", ("User", U, None)),
    ({}, "flag", (None, None, "no_salesforce_id")),
    ({}, "contact", (None, None, "no_salesforce_id")),
    ({"sf_contact_id": "no id at all"}, "flag", ("Contact", None, None)),
]


@pytest.mark.parametrize(("row", "both_ids", "expected"), CLAIMS)
def test_claims(row: dict[str, Any], both_ids: BothIds, expected: tuple[str | None, ...]) -> None:
    """Ids decide the side, with both the flag or the setting does, and who claims nobody has a reason."""
    assert _said(match.claims(_users(row), both_ids)) == [expected]


LOOP = [{"Id": contact(number), "IsDeleted": True, "MasterRecordId": contact(13 - number)} for number in (6, 7)]
PEOPLE = _people(
    {"Id": contact(1)},
    {"Id": contact(2), "IsDeleted": True, "MasterRecordId": contact(3)},
    {"Id": contact(3), "IsDeleted": True, "MasterRecordId": contact(1)},
    {"Id": contact(4), "IsDeleted": True},
    {"Id": contact(5), "IsDeleted": True, "MasterRecordId": contact(99)},
    *LOOP,
)


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        (contact(1), ("Contact", contact(1), None)),
        (contact(3), ("Contact", contact(1), None)),
        (contact(2), ("Contact", contact(1), None)),
        (contact(4), (None, None, "contact_deleted")),
        (contact(5), (None, None, "contact_unknown")),
        (contact(6), (None, None, "contact_deleted")),
        (contact(50), (None, None, "contact_unknown")),
        ("no id at all", (None, None, "contact_unknown")),
    ],
)
def test_the_record_must_exist(claimed: str, expected: tuple[str | None, ...]) -> None:
    """A merged Contact is followed to its last master; deleted, unknown and looping ones are nobody."""
    claims = match.claims(_users({"sf_contact_id": claimed}), "flag")
    assert _said(match.resolve(claims, PEOPLE, _people())) == [expected]


def test_sides_are_not_mixed_up() -> None:
    """A User id is looked for among Users only, and its reason says so."""
    claims = match.claims(_users({"sf_user_id": U}, {"sf_user_id": user(2)}, {"sf_contact_id": C}), "flag")
    found = match.resolve(claims, _people({"Id": C}), _people({"Id": U}))
    assert _said(found) == [("User", U, None), (None, None, "user_unknown"), ("Contact", C, None)]


def test_masters_to_look_up_are_those_not_seen_yet() -> None:
    """Only masters of merged records that are not known are asked for, each once."""
    assert match.masters_missing(PEOPLE) == [contact(99)]


EMAILS_OF_CONTACTS = _addresses(
    {"Id": contact(1), "Email": "One@Example.com"},
    {"Id": contact(2), "Email": "two@example.com"},
    {"Id": contact(3), "Email": "TWO@example.com"},
    {"Id": contact(4), "Email": None},
)
EMAILS_OF_USERS = _addresses(
    {"Id": user(1), "Email": "one@example.com"},
    {"Id": user(2), "Email": "two@example.com"},
    {"Id": user(3), "Email": "three@example.com"},
    {"Id": user(4), "Email": "four@example.com"},
    {"Id": user(5), "Email": "Four@example.com"},
)


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        (" one@EXAMPLE.com ", ("Contact", contact(1), None)),
        ("two@example.com", (None, None, "email_ambiguous")),
        ("Three@example.com", ("User", user(3), None)),
        ("four@example.com", (None, None, "email_ambiguous")),
        ("nobody@example.com", (None, None, "email_unknown")),
        ("  ", (None, None, "no_email")),
        (None, (None, None, "no_email")),
    ],
)
def test_email_matches_the_one_contact_else_the_one_user(email: str | None, expected: tuple[str | None, ...]) -> None:
    """An e-mail without case: the one Contact; Users only when no Contact has it; several of a kind are nobody."""
    users = _users({"email": email})
    claimed = match.claims(users, "flag")
    assert _said(match.match_by_email(users, claimed, EMAILS_OF_CONTACTS, EMAILS_OF_USERS)) == [expected]


def test_email_is_for_learners_without_ids_only() -> None:
    """A learner with an id that is deleted or undecided is not matched by e-mail, nor asked about."""
    users = _users(
        {"sf_contact_id": contact(9), "email": "one@example.com"},
        {**BOTH, "email": "one@example.com"},
        {"email": "Three@Example.com "},
        {"email": "three@example.com"},
    )
    claimed = match.claims(users, "flag")
    assert match.emails_to_find(users, claimed) == ["three@example.com"]
    nobody = claimed["person_id"].iloc[:0]
    assert match.claimed_ids(claimed, "Contact", nobody) == [contact(9)]
    assert match.claimed_ids(claimed, "Contact", pd.Series([contact(9)])) == []
    assert match.claimed_ids(claimed, "User", nobody) == []
    found = match.match_by_email(
        users, match.resolve(claimed, _people(), _people()), EMAILS_OF_CONTACTS, EMAILS_OF_USERS
    )
    assert [reason for _, _, reason in _said(found)] == ["contact_unknown", "both_ids_undecided", None, None]


def test_every_reason_has_words() -> None:
    """Each reason that matching gives is explained to people."""
    assert set(match.REASONS) >= {"no_email", "email_ambiguous", "email_unknown", "both_ids_undecided"}
    assert all(match.REASONS.values())
