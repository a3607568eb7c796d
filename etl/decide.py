"""The fate of every row: wanted, left alone, kept, deleted with its proof, or unconfirmed; pure, does no I/O.

Absence is not proof: a row that LearnUpon's listing lacks is deleted or flagged only when LearnUpon, asked by id,
said that it is gone (`gone`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from etl import keys
from etl.schema import COUNTS, REMOVED

PROOFS = ("unenrolled", "gone", "moved")
"""Why a row may be deleted: LearnUpon lists it as unenrolled and unfinished, has it no more, or its learner moved."""


@dataclass(frozen=True)
class Fate:
    """What becomes of the existing rows of one kind, row by row (all indexed like the existing frame)."""

    kept: pd.Series
    """LearnUpon no longer has the row (asked by id, or flagged before): it stays, flagged."""
    left: pd.Series
    """Its learner is still listed but not matched (or the listing and `/users` disagree): it stays as it is."""
    unconfirmed: pd.Series
    """Missing from the listing but not confirmed by id: it stays as it is."""
    proof: pd.Series
    """One of PROOFS where the row is to be deleted, else null."""


def latest(listing: pd.DataFrame) -> pd.DataFrame:
    """Return a listing with each code once: of several, the one LearnUpon updated last (else the last one read)."""
    if listing["code"].is_unique:
        return listing
    ordered = listing.sort_values("updated_at", kind="stable", na_position="first")
    return ordered.drop_duplicates("code", keep="last").sort_index()


def with_people(listing: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Return a listing with each row's side and person_id (null for a learner who is unmatched or not listed).

    `people` holds these two, indexed by learner.
    """
    place = people.index.get_indexer(pd.Index(listing["learner"]))
    rows = listing.copy(deep=False)
    for column in ("side", "person_id"):
        values = people[column].array.take(place, allow_fill=True)
        rows[column] = pd.Series(values, index=rows.index, dtype="string[pyarrow]")
    return rows


def is_wanted(listing: pd.DataFrame, finished: tuple[str, ...]) -> pd.Series:
    """Return which rows of a listing belong in Salesforce: matched, and not both unenrolled and unfinished."""
    unfinished = ~listing["status"].isin(list(finished)).astype(bool)
    return listing["side"].notna() & ~(listing["unenrolled"].astype(bool) & unfinished)


def owners(existing: pd.DataFrame) -> pd.Series:
    """Return the learner (code) an existing row says it belongs to; UNREADABLE where it says nothing."""
    user = existing["LUUser__c"]
    readable = user.notna() & (existing["code"] != keys.UNREADABLE)
    coded = user.fillna(0).astype("int64") + keys.places(existing["code"]) * keys.PLACE
    owner: pd.Series = coded.where(readable, keys.UNREADABLE).astype("int64")
    return owner


def _flagged(existing: pd.DataFrame) -> pd.Series:
    """Return which enrollment rows are flagged and hold something; all others are asked about.

    Of a row that is kept only the flag is sent, by key. Had somebody deleted the row just before, this makes a new one
    of nothing but key and flag, which would else be kept for ever. It is asked about, and then deleted or made whole.
    """
    holds = existing["LUUser__c"].notna() | existing["Status__c"].notna()
    flagged: pd.Series = existing[REMOVED].fillna(value=False).astype(bool) & holds
    return flagged


def _are_in(codes: pd.Series, index: pd.Index) -> pd.Series:
    """Return which codes are in an index, whose hash table is made once and not for each partition."""
    return pd.Series(index.get_indexer(pd.Index(codes)) >= 0, index=codes.index)


def questions(listed: pd.Index, existing: pd.DataFrame, unmatched: pd.Index) -> pd.Series:
    """Return the codes to ask LearnUpon about: rows it does not list, not flagged yet, of learners not left alone.

    `existing` needs code, LUUser__c, Status__c and the flag; `unmatched` holds the learners who are listed but matched
    to nobody.
    """
    missing = ~existing["code"].isin(listed) & (existing["code"] != keys.UNREADABLE)
    flagged = _flagged(existing)
    left = _are_in(owners(existing), unmatched)
    return existing.loc[missing & ~flagged & ~left, "code"].drop_duplicates().sort_values()


def member_questions(listed: pd.Index, existing: pd.DataFrame) -> pd.Series:
    """Return the learners (codes) to ask about: memberships of users that `/users` does not list, not flagged yet."""
    missing = ~existing["code"].isin(listed) & (existing["code"] != keys.UNREADABLE)
    flagged = existing[REMOVED].fillna(value=False).astype(bool)
    return existing.loc[missing & ~flagged, "code"].drop_duplicates().sort_values()


def is_finished(existing: pd.DataFrame, finished: frozenset[str], known: frozenset[str]) -> pd.Series:
    """Return which existing rows are finished: by their label, or by the day of completion where that says nothing.

    `finished` and `known` are labels, lower case. A label that is not known may be one of earlier settings: a row can
    keep it through any change of them while its learner is unmatched, or get it back by `undo`.
    """
    shown = existing["Status__c"].str.strip().str.lower()
    completed = ~shown.isin(known).astype(bool) & existing["Date_Completed__c"].notna()
    done: pd.Series = shown.isin(finished).astype(bool) | completed
    return done


def fate(
    existing: pd.DataFrame,
    listing: pd.DataFrame,
    wanted: pd.Series,
    unmatched: pd.Index,
    gone: frozenset[int],
    done: pd.Series,
) -> Fate:
    """Decide the fate of existing enrollment (or path) rows of both sides.

    `existing`: code, object_side (Contact or User), LUUser__c, Status__c and the flag. `listing`: code, learner, side
    (null: unmatched), each code once; `wanted` says which of its rows belong in Salesforce, `done` which existing rows
    are finished (`is_finished`).
    """
    place = pd.Index(listing["code"]).get_indexer(pd.Index(existing["code"]))
    listed = pd.Series(place >= 0, index=existing.index)
    at = np.where(place < 0, 0, place)
    if len(listing):
        owner_matched = pd.Series(listing["side"].notna().to_numpy()[at], index=existing.index) & listed
        is_wanted_row = pd.Series(wanted.to_numpy()[at], index=existing.index) & listed
        listed_side = pd.Series(listing["side"].to_numpy()[at], index=existing.index)
    else:
        owner_matched = is_wanted_row = pd.Series(data=False, index=existing.index)
        listed_side = pd.Series(pd.NA, index=existing.index, dtype="string[pyarrow]")
    unreadable = existing["code"] == keys.UNREADABLE
    flagged = _flagged(existing)
    is_gone = existing["code"].isin(gone)
    left = (listed & ~owner_matched) | (~listed & ~unreadable & _are_in(owners(existing), unmatched))
    absent = ~listed & ~left & ~unreadable
    kept = absent & (flagged | (is_gone & done))
    proof = pd.Series(pd.NA, index=existing.index, dtype=pd.StringDtype("pyarrow"))
    proof = proof.mask(absent & ~flagged & is_gone & ~done, "gone")
    proof = proof.mask(owner_matched & ~is_wanted_row, "unenrolled")
    proof = proof.mask(is_wanted_row & (listed_side != existing["object_side"]).fillna(value=False), "moved")
    return Fate(kept, left, unreadable | (absent & ~kept & proof.isna()), proof)


def keep(existing: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Return kept rows as they should be: as they are, flagged, pointing at where their learner is matched now.

    `existing` carries `side` and `person_id` as Salesforce has them; a learner who is matched elsewhere takes the row
    along, so one code may come back on another side than it stands on. A row that already stands there wins.
    """
    rows = existing.copy(deep=False)
    if not len(rows):
        return rows
    rows["learner"] = owners(existing)
    now = with_people(rows[["learner"]], people)
    moved = now["side"].notna()
    rows["stays"] = ~moved | (now["side"] == rows["side"]).fillna(value=False)
    rows["side"] = rows["side"].mask(moved, now["side"])
    rows["person_id"] = rows["person_id"].mask(moved, now["person_id"])
    rows[REMOVED] = pd.Series(data=True, index=rows.index, dtype="boolean")
    ordered = rows.sort_values("stays", ascending=False, kind="stable")
    return ordered.drop_duplicates(["code", "side"]).sort_index().drop(columns=["learner", "stays"])


def stands(existing: pd.DataFrame, kept: pd.DataFrame) -> pd.Series:
    """Return which existing rows are on the side on which their kept row belongs."""
    if not len(kept):
        return pd.Series(data=False, index=existing.index)
    here = pd.MultiIndex.from_frame(existing[["code", "object_side"]])
    return pd.Series(here.isin(pd.MultiIndex.from_frame(kept[["code", "side"]])), index=existing.index)


def as_held(
    desired: pd.DataFrame, existing: pd.DataFrame, where: np.ndarray[Any, Any], columns: Sequence[str]
) -> pd.DataFrame:
    """Return desired rows with these columns as the existing row of the same code has them, null without one.

    That is done `where` what belongs there is not known.
    """
    if not where.any():
        return desired
    held = existing.drop_duplicates("code").set_index("code")
    known = {name: held[name].reindex(desired["code"].to_numpy()).set_axis(desired.index) for name in columns}
    return desired.assign(**{name: desired[name].mask(where, values) for name, values in known.items()})


def retire(existing: pd.DataFrame) -> pd.DataFrame:
    """Return the membership rows of learners who are gone: flagged, the counts 0, all else as it is."""
    if not len(existing):
        return existing
    nothing = pd.Series(0, index=existing.index, dtype="Int64")
    flag = pd.Series(data=True, index=existing.index, dtype="boolean")
    return existing.assign(**{REMOVED: flag}, **dict.fromkeys(COUNTS, nothing))
