"""Who a learner is in Salesforce: decides from ids or e-mail, with a reason for everyone who is nobody; does no I/O."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from etl.frames import is_in, lacking
from etl.ids import to_18

Text = pd.StringDtype("pyarrow")
BothIds = Literal["flag", "contact", "user"]
_MAX_MERGES = 10
"""How many merges in a row are followed; a longer chain is taken for a loop."""

REASONS = {
    "no_salesforce_id": "no Salesforce id in LearnUpon",
    "no_email": "no Salesforce id and no e-mail in LearnUpon",
    "both_ids_undecided": "both a Contact and a User id, and is_salesforce_contact does not say which",
    "contact_unknown": "the Contact id is not in this org",
    "contact_deleted": "the Contact was deleted",
    "user_unknown": "the User id is not in this org",
    "email_unknown": "nobody in Salesforce has this e-mail",
    "email_ambiguous": "several people in Salesforce have this e-mail",
}
"""Why a learner is unmatched: the code in files and what it says to a person."""


def claims(users: pd.DataFrame, both_ids: BothIds) -> pd.DataFrame:
    """Return for each learner the side and record id that LearnUpon claims, or why it claims none.

    Columns: side (Contact, User or null), person_id (18 characters or null), reason (null, `no_salesforce_id` or
    `both_ids_undecided`); the index is that of `users`.
    """
    contact, user = to_18(users["sf_contact_id"]), to_18(users["sf_user_id"])
    has_contact, has_user = users["sf_contact_id"].notna(), users["sf_user_id"].notna()
    both = has_contact & has_user
    if both_ids == "flag":
        says_contact = users["is_salesforce_contact"]
    else:
        says_contact = pd.Series(both_ids == "contact", index=users.index, dtype="boolean")
    is_contact = (has_contact & ~has_user) | (both & says_contact.fillna(value=False))
    is_user = (has_user & ~has_contact) | (both & ~says_contact.fillna(value=True))
    side = pd.Series(pd.NA, index=users.index, dtype=Text).mask(is_contact, "Contact").mask(is_user, "User")
    person = contact.where(is_contact).astype(Text).mask(is_user, user)
    reason = pd.Series(pd.NA, index=users.index, dtype=Text)
    reason = reason.mask(both & side.isna(), "both_ids_undecided").mask(~has_contact & ~has_user, "no_salesforce_id")
    return pd.DataFrame({"side": side, "person_id": person, "reason": reason})


def claimed_ids(claimed: pd.DataFrame, side: str, known: pd.Series) -> list[str]:
    """Return the well-formed record ids claimed on one side that are not known yet, each once, sorted."""
    return lacking(claimed.loc[(claimed["side"] == side).fillna(value=False), "person_id"], known)


def emails_to_find(users: pd.DataFrame, claimed: pd.DataFrame) -> list[str]:
    """Return the e-mails (lower case, trimmed) of learners without any id, each once, sorted."""
    return sorted(_emails(users)[(claimed["reason"] == "no_salesforce_id").fillna(value=False)].dropna().unique())


def _emails(users: pd.DataFrame) -> pd.Series:
    emails = users["email"].str.strip().str.lower()
    return emails.mask(emails == "")


def masters_missing(people: pd.DataFrame) -> list[str]:
    """Return the masters of merged records that are not among `people` themselves, each once, sorted."""
    merged = people.loc[people["IsDeleted"].fillna(value=False).astype(bool), "MasterRecordId"]
    return lacking(merged, people["Id"])


def resolve(claimed: pd.DataFrame, contacts: pd.DataFrame, users: pd.DataFrame) -> pd.DataFrame:
    """Return the claims as Salesforce sees them: merged Contacts followed, deleted and unknown records refused.

    `contacts` and `users` hold everybody claimed that exists (frames.PERSON); columns returned as in `claims`.
    """
    found = claimed.copy()
    for side, people, unknown in (("Contact", contacts, "contact_unknown"), ("User", users, "user_unknown")):
        chosen = (found["side"] == side).fillna(value=False).astype(bool)
        ends, deleted = _follow(found.loc[chosen, "person_id"], people)
        reason = pd.Series(pd.NA, index=ends.index, dtype=Text).mask(ends.isna(), unknown)
        found.loc[chosen, "reason"] = reason.mask(deleted, "contact_deleted")
        found.loc[chosen, "person_id"] = ends.mask(deleted)
    refused = found["reason"].notna()
    found.loc[refused, ["side", "person_id"]] = pd.NA
    return found


def _follow(ids: pd.Series, people: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return where each id ends after merges (null: unknown), and whether the record there is deleted."""
    gone = people["IsDeleted"].fillna(value=False).astype(bool)
    masters = people[gone & people["MasterRecordId"].notna()].set_index("Id")["MasterRecordId"]
    current = ids
    for _ in range(_MAX_MERGES if len(masters) else 0):
        onward = current.map(masters).astype(Text)
        if onward.isna().all():
            break
        current = onward.fillna(current)
    known = current.where(is_in(current, people["Id"]))
    deleted = is_in(known, people.loc[gone, "Id"])
    return known.astype(Text), deleted


def match_by_email(
    users: pd.DataFrame, matched: pd.DataFrame, contacts: pd.DataFrame, sf_users: pd.DataFrame
) -> pd.DataFrame:
    """Return the matches with learners without ids matched to the one Contact, else the one User, with their e-mail.

    Users are looked at only where no Contact has the e-mail; several of the looked-at kind leave a learner unmatched.
    """
    is_open = (matched["reason"] == "no_salesforce_id").fillna(value=False).astype(bool)
    emails = _emails(users)[is_open]
    contact, contact_count = _by_email(contacts, emails)
    user, user_count = _by_email(sf_users, emails)
    on_contacts = contact_count > 0
    count = contact_count.where(on_contacts, user_count)
    one = count == 1
    reason = pd.Series("email_ambiguous", index=emails.index, dtype=Text).mask(count == 0, "email_unknown")
    found = matched.copy()
    found.loc[is_open, "reason"] = reason.mask(emails.isna(), "no_email").mask(one)
    found.loc[is_open, "person_id"] = contact.where(on_contacts, user).where(one)
    side = pd.Series("User", index=emails.index, dtype=Text).mask(on_contacts, "Contact")
    found.loc[is_open, "side"] = side.where(one)
    return found


def _by_email(people: pd.DataFrame, emails: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return for each e-mail one record that has it (null: none) and how many have it."""
    grouped = people.assign(email=_emails(people.rename(columns={"Email": "email"}))).groupby("email")["Id"]
    first, count = grouped.first(), grouped.nunique()
    return emails.map(first).astype(Text), emails.map(count).fillna(0).astype("int64")
