"""Counts per learner and per person, summed from statuses and memberships; decides no rows and does no I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from etl.frames import is_in
from etl.schema import COUNTS

LAST_ACCESS = "LU_Last_Accessed_At__c"
LU_USER = "LU_User_ID__c"
_SORT = {status: number for number, status in enumerate(COUNTS.values()) if status}
"""Statuses that are counted by themselves; 0 stands for all others."""
_SORTS = len(COUNTS)


def count_statuses(listing: pd.DataFrame) -> pd.DataFrame:
    """Return the seven totals of each learner in a listing, indexed by `learner` (a code); Int64 counts.

    Rows that are `unenrolled` do not count. A status that is none of the six counts as enrolled only.
    """
    live = listing[~listing["unenrolled"].to_numpy(dtype=bool)]
    learners, place = np.unique(live["learner"].to_numpy(dtype="int64"), return_inverse=True)
    totals = {}
    for column, status in COUNTS.items():
        hits = np.ones(len(live), dtype=bool) if not status else (live["status"] == status).to_numpy(dtype=bool)
        totals[column] = np.bincount(place[hits], minlength=len(learners))
    return pd.DataFrame(totals, index=pd.Index(learners, name="learner", dtype="int64"), dtype="int64")


def together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return totals by learner added up; the first part, which has nearly all learners, as it is if it is alone."""
    some = [part for part in parts[1:] if len(part)]
    return pd.concat([parts[0], *some]).groupby(level=0).sum() if some else parts[0]


class Tally:
    """The totals of learners over many parts of the enrollments: 32 bytes a known learner."""

    def __init__(self, known: pd.Index) -> None:
        """Begin with no enrollment; `known` are the learners (codes) of whom nearly all rows are."""
        self._known = known
        self._sums = np.zeros(len(known) * _SORTS, dtype="int32")
        self._others = [count_statuses(pd.DataFrame({"learner": [], "unenrolled": [], "status": []}))]

    def add(self, listing: pd.DataFrame, known: np.ndarray[Any, Any]) -> None:
        """Count the rows of one part (learner, status, unenrolled) whose learners are at these places of the known.

        The place of a learner who is not known is -1.
        """
        sorts = listing["status"].map(_SORT).fillna(0).to_numpy(dtype="int64")
        here = (known >= 0) & ~listing["unenrolled"].to_numpy(dtype=bool)
        self._sums += np.bincount(known[here] * _SORTS + sorts[here], minlength=len(self._sums)).astype("int32")
        if (known < 0).any():
            self._others.append(count_statuses(listing[known < 0]))

    def totals(self) -> pd.DataFrame:
        """Return the totals of all parts so far, as `count_statuses` does, zeros for known learners without rows."""
        sums = self._sums.reshape(-1, _SORTS)
        counted = pd.DataFrame(sums, columns=["", *list(COUNTS)[1:]], index=self._known)
        counted.insert(0, next(iter(COUNTS)), sums.sum(axis=1, dtype="int32"))
        others = pd.concat(self._others).groupby(level=0).sum().astype("int32")
        return pd.concat([counted[list(COUNTS)], others]) if len(others) else counted[list(COUNTS)]


def profiles(memberships: pd.DataFrame, person: str) -> pd.DataFrame:
    """Return each person's profile from their memberships, as Salesforce will hold them after the run.

    `memberships`: `{person}__c` (record id or null), `place` (of the portal in the configuration),
    `LU_Portal_Membership_ID__c`, the last access and the seven counts. Columns returned: Id, LU_User_ID__c (the user id
    in the first portal of the configuration that has that person, the smallest if that portal has several), the latest
    last access, the sums. A missing count is 0. Rows are in the order of Id.
    """
    referred = memberships[memberships[f"{person}__c"].notna()]
    ordered = referred.sort_values(["place", "LU_Portal_Membership_ID__c"], kind="stable")
    grouped = ordered.groupby(f"{person}__c", sort=True)
    summed = pd.DataFrame(
        {LU_USER: grouped["LU_Portal_Membership_ID__c"].first(), LAST_ACCESS: grouped[LAST_ACCESS].max()}
    )
    counts = grouped[list(COUNTS)].sum().astype("Int64")
    return pd.concat([summed, counts], axis=1).rename_axis("Id").reset_index()


def bereft(
    existing: pd.DataFrame, wanted: pd.DataFrame, known_learners: pd.Series, known_people: Collection[str] = ()
) -> pd.DataFrame:
    """Return the profiles of people whom no membership refers to any more: counts 0, no LearnUpon id, no last access.

    Only people whose LearnUpon id is one of `known_learners` (our portals' user ids), or who are among `known_people`
    (record ids), are ours to clear: another portal, synced by another configuration, may have written the rest.
    `existing` and `wanted` are profile frames.
    """
    ours = existing[LU_USER].isin(known_learners) | existing["Id"].isin(list(known_people))
    left = existing[ours & ~is_in(existing["Id"], wanted["Id"])]
    nothing = pd.Series(0, index=left.index, dtype="Int64")
    return pd.DataFrame(
        {
            "Id": left["Id"],
            LU_USER: pd.Series(pd.NA, index=left.index, dtype="Int64"),
            LAST_ACCESS: pd.Series(pd.NaT, index=left.index, dtype=existing[LAST_ACCESS].dtype),
            **dict.fromkeys(COUNTS, nothing),
        }
    )


def everybody(
    members: pd.DataFrame, person: str, existing: pd.DataFrame, known_people: Collection[str] = ()
) -> pd.DataFrame:
    """Return the profiles of all who are referred to, and cleared ones of those who no longer are (see `bereft`)."""
    wanted = profiles(members, person)
    cleared = bereft(existing, wanted, members["LU_Portal_Membership_ID__c"], known_people)
    return pd.concat([part for part in (wanted, cleared) if len(part)] or [wanted], ignore_index=True)


def without_columns(
    members: pd.DataFrame, learners: pd.DataFrame, counted: pd.DataFrame, people: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return memberships that cannot hold totals (LearnUpon's package) with those that this run knows of.

    Missing counts are those of the listings (`counted`, by learner). The last access is what LearnUpon lists; of a
    learner whom it does not list any more nothing but the person's profile remembers it, so that is taken: `people`
    are the profiles as they are, Contact and User.
    """
    filled = members.copy(deep=False)
    summed = counted.reindex(members["code"].to_numpy(), fill_value=0)
    for column in COUNTS:
        here = pd.Series(summed[column].to_numpy(), index=members.index, dtype="Int64")
        filled[column] = members[column].fillna(here)
    when = members[LAST_ACCESS].dtype
    listed = learners.set_index("learner")["last_sign_in_at"].astype(when)
    profiles = pd.concat([frame[["Id", LAST_ACCESS]] for frame in people.values()]).set_index("Id")[LAST_ACCESS]
    person = members["Contact__c"].fillna(members["User__c"])
    known = listed.reindex(members["code"].to_numpy()).set_axis(members.index)
    kept = profiles.astype(when).reindex(person.to_numpy()).set_axis(members.index)
    filled[LAST_ACCESS] = known.where(members["code"].isin(listed.index), kept)
    return filled
