"""LearnUpon's rows as the rows Salesforce should hold: names, labels, keys, parents; decides no fate, does no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import pyarrow as pa

from etl import keys
from etl.schema import COUNTS, KEY, REMOVED
from etl.totals import LAST_ACCESS

Text = pd.StringDtype("pyarrow")
STATUSES = ("not_started", "in_progress", "pending_review", "completed", "passed", "failed")
_UNDOCUMENTED = "{n} enrollments have the status %s, which LearnUpon does not document; it is carried in Title Case"
_MOST_NAMED = 20
"""Undocumented statuses that are named, of one partition: a portal has one or two, a broken one may have thousands."""
"""The statuses LearnUpon documents for a course enrollment (API guide, enrollments)."""


def label(status: str, renamed: Mapping[str, str]) -> str:
    """Return what Salesforce shows for a status: `rules.status_labels`, else Title Case (`Not Started`)."""
    return renamed.get(status) or status.replace("_", " ").title()


def labels(statuses: pd.Series, renamed: Mapping[str, str]) -> pd.Series:
    """Return the labels of statuses; null stays null."""
    coded = pa.array(statuses, type=pa.string(), from_pandas=True).dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    shown = pa.array([label(status, renamed) for status in coded.dictionary.to_pylist()], type=pa.string())
    return pd.Series(pd.array(shown.take(coded.indices), dtype=Text), index=statuses.index)


def finished_labels(finished: Sequence[str], renamed: Mapping[str, str]) -> frozenset[str]:
    """Return the labels, lower case, by which Salesforce shows a finished status: renamed ones and the plain ones."""
    return frozenset(text.lower() for status in finished for text in (label(status, renamed), label(status, {})))


def portal_rows(titles: Mapping[int, str]) -> pd.DataFrame:
    """Return the desired portal rows; `titles` maps portal id to title, in the order of the configuration."""
    ids = pd.Series(list(titles), dtype="Int64")
    return pd.DataFrame(
        {KEY: ids.astype(Text), "Name": pd.Series(list(titles.values()), dtype=Text), "Portal_Id__c": ids}
    )


def membership_rows(learners: pd.DataFrame, totals: pd.DataFrame, portal_ids: Sequence[int]) -> pd.DataFrame:
    """Return the desired membership rows of matched learners: one for each, enrolled or not, with totals.

    `learners`: learner (code), side, person_id, last_sign_in_at; `totals` is indexed by learner. Without enrollments
    the counts are 0, not blank.
    """
    matched = learners[learners["side"].notna()].reset_index(drop=True)
    code = matched["learner"]
    portal = pd.Series([portal_ids[place] for place in keys.places(code)], index=matched.index, dtype="Int64")
    rows = pd.DataFrame(
        {
            "code": code,
            KEY: keys.texts(code, "member", portal_ids),
            "LearnUpon_Portal__c": portal.astype(Text),
            "Contact__c": matched["person_id"].where(matched["side"] == "Contact"),
            "User__c": matched["person_id"].where(matched["side"] == "User"),
            "Portal_Id__c": portal,
            "LU_Portal_Membership_ID__c": keys.lu_ids(code).astype("Int64"),
            REMOVED: pd.Series(data=False, index=matched.index, dtype="boolean"),
            LAST_ACCESS: matched["last_sign_in_at"],
        }
    )
    counted = totals.reindex(code.to_numpy(), fill_value=0)
    for column in COUNTS:
        rows[column] = pd.array(counted[column].to_numpy(), dtype="Int64")
    return rows


def _common(listing: pd.DataFrame, row: str, portal_ids: Sequence[int], renamed: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "code": listing["code"],
            KEY: keys.texts(listing["code"], row, portal_ids),
            "side": listing["side"],
            "person_id": listing["person_id"],
            "LearnUpon_Portal_Membership__c": keys.texts(listing["learner"], "member", portal_ids),
            "LUEnrollment__c": keys.lu_ids(listing["code"]).astype("Int64"),
            "LUUser__c": keys.lu_ids(listing["learner"]).astype("Int64"),
            "Status__c": labels(listing["status"], renamed),
            "Score__c": listing["percentage"],
            "Date_Enrolled__c": listing["date_enrolled"],
            "Date_Completed__c": listing["date_completed"],
            REMOVED: listing["unenrolled"].astype("boolean"),
        }
    )


def enrollment_rows(listing: pd.DataFrame, portal_ids: Sequence[int], renamed: Mapping[str, str]) -> pd.DataFrame:
    """Return desired course enrollment rows of a listing whose learners are matched (columns side, person_id)."""
    rows = _common(listing, "enrollment", portal_ids, renamed)
    rows["Course_Name__c"] = listing["name"]
    rows["Course_Id__c"] = listing["course_id"]
    rows["Course_Version__c"] = listing["version"]
    rows["Percent_Complete__c"] = listing["percentage_complete"]
    return rows


def path_rows(
    listing: pd.DataFrame,
    portal_ids: Sequence[int],
    renamed: Mapping[str, str],
    sizes: pd.Series,
    progress: pd.DataFrame,
) -> pd.DataFrame:
    """Return desired path enrollment rows; `sizes` is courses by path, `progress` holds learner, path, done."""
    rows = _common(listing, "path", portal_ids, renamed)
    rows["Path_Name__c"] = listing["name"]
    path = listing["path"]
    rows["Number_Of_Courses_On_Path__c"] = path.map(sizes).fillna(0).astype("Int64")
    wanted = pd.DataFrame({"learner": listing["learner"].to_numpy(), "path": path.to_numpy()})
    done = wanted.merge(progress, on=["learner", "path"], how="left", validate="many_to_one")["done"]
    rows["Number_Of_Courses_Completed_On_Path__c"] = pd.array(done.fillna(0).to_numpy(dtype="int64"), dtype="Int64")
    return rows


def undocumented(statuses: pd.Series, renamed: Mapping[str, str]) -> dict[str, int]:
    """Return a warning for each status that neither LearnUpon's documents nor the settings know, with how many have it.

    `{n}` in the warning stands for the number.
    """
    unknown = statuses[~statuses.isin([*STATUSES, *renamed])].str.slice(0, 80)
    return {_UNDOCUMENTED % status: int(rows) for status, rows in unknown.value_counts().head(_MOST_NAMED).items()}
