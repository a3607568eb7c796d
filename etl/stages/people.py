"""Finds in Salesforce the people LearnUpon's learners claim to be, and lets the core match them; it decides nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from etl import keys, match
from etl.config import MatchingSettings
from etl.frames import is_in, lacking
from etl.salesforce.org import Org
from etl.salesforce.people import find_by_email, find_people, references, referred_to
from etl.schema import CONTACT, COUNTS, USER, Entity

_MERGES = 10


@dataclass(frozen=True)
class Matched:
    """The matches of all learners, and the profiles of everybody they may refer to."""

    learners: pd.DataFrame
    """The learners with side, person_id and reason."""
    profiles: dict[str, pd.DataFrame]
    """Contact and User: known people and those newly referred to (frames.entity_schema)."""
    named: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Contact and User: people who are known to be ours by a membership alone (`known_by_rows`)."""


def match_learners(
    org: Org, learners: pd.DataFrame, known: dict[str, pd.DataFrame], matching: MatchingSettings
) -> Matched:
    """Match all learners; `known` are the profiles of people who carry a LearnUpon id, who are not looked up again."""
    claimed = match.claims(learners, matching.both_ids)
    people = {entity.name: _people(org, entity, claimed, known[entity.name]) for entity in (CONTACT, USER)}
    found = match.resolve(claimed, people["Contact"], people["User"])
    if matching.email == "unique":
        emails = match.emails_to_find(learners, claimed)
        by_email = {side: find_by_email(org, side, emails) for side in _sides()}
        found = match.match_by_email(learners, found, by_email["Contact"], by_email["User"])
        people = {entity.name: _complete(org, entity, found, people[entity.name]) for entity in (CONTACT, USER)}
    matched = pd.concat([learners.drop(columns=["side", "person_id", "reason"], errors="ignore"), found], axis=1)
    return Matched(matched, {name: _living(frame) for name, frame in people.items()})


def _sides() -> tuple[Literal["Contact"], Literal["User"]]:
    return "Contact", "User"


def _people(org: Org, entity: Entity, claimed: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return everybody of one side who is known or claimed, with the masters of merged Contacts."""
    people = known.assign(
        IsDeleted=pd.Series(data=False, index=known.index, dtype="boolean"),
        MasterRecordId=pd.Series(pd.NA, index=known.index, dtype="string[pyarrow]"),
    )
    people = _complete(org, entity, claimed, people)
    for _ in range(_MERGES):
        masters = match.masters_missing(people)
        if not masters:
            break
        found = find_people(org, entity.person or "Contact", masters)
        if found.empty:
            break
        people = _both(people, found)
    return people


def _complete(org: Org, entity: Entity, claimed: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    missing = match.claimed_ids(claimed, entity.name, people["Id"])
    return _both(people, find_people(org, entity.person or "Contact", missing)) if missing else people


def _both(people: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    return (
        pd.concat([people, found[people.columns]], ignore_index=True) if len(people) else found.reset_index(drop=True)
    )


def _living(people: pd.DataFrame) -> pd.DataFrame:
    gone = people["IsDeleted"].fillna(value=False).astype(bool)
    return people[~gone].drop(columns=["IsDeleted", "MasterRecordId"]).reset_index(drop=True)


def with_referred(org: Org, members: pd.DataFrame, known: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the known profiles with those of people whom memberships refer to but who carry no LearnUpon id yet."""
    return without_strangers(org, with_members(org, members, known), members)


def with_members(org: Org, members: pd.DataFrame, known: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return profiles with those of people whom memberships refer to and nobody has read: a run that died left them."""
    found = dict(known)
    for entity in (CONTACT, USER):
        referred = lacking(members[f"{entity.name}__c"], known[entity.name]["Id"])
        if referred:
            people = _living(find_people(org, entity.person or "Contact", referred))
            parts = [frame for frame in (known[entity.name], people) if len(frame)]
            found[entity.name] = pd.concat(parts, ignore_index=True) if parts else known[entity.name]
    return found


def without_strangers(
    org: Org, profiles: dict[str, pd.DataFrame], members: pd.DataFrame, learners: pd.DataFrame | None = None
) -> dict[str, pd.DataFrame]:
    """Return the profiles without people who belong to portals of another configuration only.

    Whoever carries the LearnUpon id of one of our learners, and is referred to by none of our memberships, was left by
    that learner and is to be cleared; or the number is that of a learner of another portal, and then a membership of
    that portal refers to this person. Whether there is one is all that is ever asked about rows of others. `members`
    are our memberships as held, `learners` those matched now.
    """
    numbers = members["LU_Portal_Membership_ID__c"].dropna()
    if learners is not None:
        numbers = pd.concat([numbers, keys.lu_ids(learners["learner"])])
    found = {}
    for entity in (CONTACT, USER):
        frame, referred = profiles[entity.name], members[f"{entity.name}__c"]
        if learners is not None:
            referred = pd.concat([referred, learners.loc[learners["side"] == entity.person, "person_id"]])
        ours = frame["LU_User_ID__c"].isin(numbers.to_numpy(dtype="int64"))
        left = frame["Id"][ours & ~is_in(frame["Id"], referred)]
        strangers = referred_to(org, entity, sorted(left))
        found[entity.name] = frame[~frame["Id"].isin(strangers)].reset_index(drop=True) if strangers else frame
    return found


def known_by_rows(
    org: Org, profiles: dict[str, pd.DataFrame], members: pd.DataFrame, learners: pd.DataFrame
) -> dict[str, frozenset[str]]:
    """Return the record ids of people whom a membership of ours names, though they carry no LearnUpon id of ours.

    Somebody changed that id, or `undo` put it back. When their learner leaves them they are to be cleared all the same:
    those with nothing to clear are left out, and those whom memberships of other portals refer to (see
    `without_strangers`). Whom a learner is matched to now is not asked about.
    """
    found = {}
    for entity in (CONTACT, USER):
        frame = profiles[entity.name]
        odd = ~frame["LU_User_ID__c"].isin(members["LU_Portal_Membership_ID__c"])
        filled = frame[["LU_User_ID__c", *COUNTS]].notna().any(axis=1)
        named = is_in(frame["Id"], members[f"{entity.name}__c"])
        matched = is_in(frame["Id"], learners.loc[learners["side"] == entity.person, "person_id"])
        left = sorted(frame["Id"][odd & filled & named & ~matched])
        ours = members[f"{entity.name}__c"].value_counts()
        every = references(org, entity, left).value_counts()
        found[entity.name] = frozenset(one for one in left if every.get(one, 0) <= ours.get(one, 0))
    return found
