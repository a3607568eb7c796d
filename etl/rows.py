"""LearnUpon's rows as the rows Salesforce should hold: names, labels, keys, parents; decides no fate, does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from etl import keys
from etl.frames import column
from etl.schema import COUNTS, KEY, REMOVED
from etl.totals import LAST_ACCESS

Text = pd.StringDtype("pyarrow")
STATUSES = ("not_started", "in_progress", "pending_review", "completed", "passed", "failed")
"""The statuses LearnUpon documents for a course enrollment (API guide, enrollments)."""
STATUS = "Status__c"
PARENT = "LearnUpon_Portal_Membership__c"
COURSES = "Number_Of_Courses_On_Path__c"
DONE = "Number_Of_Courses_Completed_On_Path__c"
_ALIKE = {
    "LUEnrollment__c": "id",
    "LUUser__c": "user_id",
    "Score__c": "percentage",
    "Date_Enrolled__c": "date_enrolled",
    "Date_Completed__c": "date_completed",
    REMOVED: "unenrolled",
}
TAKEN: dict[str, dict[str, str]] = {
    "enrollment": {
        **_ALIKE,
        "Course_Name__c": "name",
        "Course_Id__c": "course_id",
        "Course_Version__c": "version",
        "Percent_Complete__c": "percentage_complete",
    },
    "path": {**_ALIKE, "Path_Name__c": "name"},
}
"""By row: which columns hold what LearnUpon lists, and the name it has there."""
_UNDOCUMENTED = "{n} enrollments have the status %s, which LearnUpon does not document; it is carried in Title Case"
_MOST_NAMED = 20
"""Undocumented statuses that are named, of one partition: a portal has one or two, a broken one may have thousands."""


def label(status: str, renamed: Mapping[str, str]) -> str:
    """Return what Salesforce shows for a status: `rules.status_labels`, else Title Case (`Not Started`)."""
    return renamed.get(status) or status.replace("_", " ").title()


def labels(statuses: pd.Series, renamed: Mapping[str, str]) -> pd.Series:
    """Return the labels of statuses; null stays null."""
    return pd.Series(pd.array(labelled(column(statuses), renamed), dtype=Text), index=statuses.index)


def labelled(statuses: pa.Array, renamed: Mapping[str, str]) -> pa.Array:
    """Return the labels of an array of statuses; null stays null."""
    coded = statuses.cast(pa.string()).dictionary_encode()
    shown = pa.array([label(status, renamed) for status in coded.dictionary.to_pylist()], type=pa.string())
    return shown.take(coded.indices)


def shown_as(status: str, renamed: Mapping[str, str], lengths: Iterable[int] = ()) -> frozenset[str]:
    """Return how Salesforce may show a status, lower case: renamed, plain, and cut to fields of these lengths."""
    texts = {label(status, renamed), label(status, {})}
    cut = {text[:length] for text in texts for length in lengths if length}
    return frozenset(text.strip().lower() for text in texts | cut)


def finished_labels(finished: Iterable[str], renamed: Mapping[str, str], lengths: Iterable[int] = ()) -> frozenset[str]:
    """Return the labels, lower case, by which Salesforce shows a finished status (see `shown_as`)."""
    return frozenset().union(*(shown_as(status, renamed, lengths) for status in finished))


def known_labels(renamed: Mapping[str, str], lengths: Iterable[int] = ()) -> frozenset[str]:
    """Return the labels, lower case, that stand for any status that is known (see `shown_as`)."""
    return finished_labels((*STATUSES, *renamed), renamed, lengths)


def statuses_shown(shown: pd.Series, renamed: Mapping[str, str], lengths: Iterable[int] = ()) -> pd.Series:
    """Return the statuses that labels in Salesforce stand for; the empty text for a label of none that is known."""
    known = {text: status for status in STATUSES for text in shown_as(status, {}, lengths)}
    known |= {text: status for status in (*STATUSES, *renamed) for text in shown_as(status, renamed, lengths)}
    return shown.str.strip().str.lower().map(known).astype(Text).fillna("")


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
    counted = totals.reindex(code.to_numpy(), fill_value=0)
    return pd.DataFrame(
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
            **{name: pd.array(counted[name].to_numpy(), dtype="Int64") for name in COUNTS},
        }
    )


def _common(listing: pd.DataFrame, row: str, portal_ids: Sequence[int], renamed: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "code": listing["code"],
            KEY: keys.texts(listing["code"], row, portal_ids),
            "side": listing["side"],
            "person_id": listing["person_id"],
            PARENT: keys.texts(listing["learner"], "member", portal_ids),
            STATUS: labels(listing["status"], renamed),
            **{name: listing[source] for name, source in TAKEN[row].items()},
        }
    )


def enrollment_rows(listing: pd.DataFrame, portal_ids: Sequence[int], renamed: Mapping[str, str]) -> pd.DataFrame:
    """Return desired course enrollment rows of a listing whose learners are matched (columns side, person_id)."""
    return _common(listing, "enrollment", portal_ids, renamed)


def path_rows(
    listing: pd.DataFrame,
    portal_ids: Sequence[int],
    renamed: Mapping[str, str],
    courses: np.ndarray[Any, Any],
    done: np.ndarray[Any, Any],
) -> pd.DataFrame:
    """Return desired path enrollment rows; `courses` are how many a path has, `done` how many of them are done."""
    rows = _common(listing, "path", portal_ids, renamed)
    return rows.assign(**{COURSES: pd.array(courses, dtype="Int64"), DONE: pd.array(done, dtype="Int64")})


def undocumented(statuses: Mapping[str, int], renamed: Mapping[str, str]) -> dict[str, int]:
    """Return a warning for each status that neither LearnUpon's documents nor the settings know, with how many have it.

    `statuses` maps a status to its number of rows; `{n}` in the warning stands for the number.
    """
    unknown = {status: rows for status, rows in statuses.items() if status not in {*STATUSES, *renamed}}
    most = sorted(unknown.items(), key=lambda pair: -pair[1])[:_MOST_NAMED]
    return {_UNDOCUMENTED % status[:80]: rows for status, rows in most}
