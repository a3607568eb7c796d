"""A nightly job as everyone writes it: requests, `.json()`, json_normalize, pandas merge, simple-salesforce's bulk2."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pandas as pd
import requests
from bench.peers.common import (
    COLUMNS,
    COUNTS,
    DONE,
    FINISHED,
    LABELS,
    MEMBERSHIP,
    REMOVED,
    TOTALS,
    query,
    salesforce,
    tell,
    world,
)  # fmt: skip


def listing(session: requests.Session, url: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
    """Give the rows of a LearnUpon listing, page after page."""
    page, more = 1, True
    while more:
        answer = session.get(url, params={**params, "page": page}, timeout=120)
        answer.raise_for_status()
        yield from answer.json()[key]
        more = answer.headers["LU-Has-Next-Page"] == "true"
        page += 1


def extract(portal: dict[str, Any]) -> tuple[pd.DataFrame, ...]:
    """Read a portal: users, courses on paths, course enrollments, path enrollments."""
    session = requests.Session()
    session.auth = (portal["username"], portal["password"])
    url = f"{portal['url']}/api/v1"
    users = pd.json_normalize(list(listing(session, f"{url}/users", "user")))
    paths = list(listing(session, f"{url}/learning_paths", "learning_paths", include_courses="true"))
    on_paths = pd.json_normalize(paths, "courses", ["id"], record_prefix="course_")
    courses = list(listing(session, f"{url}/courses", "courses", include_all_versions="true"))
    enrollments: list[dict[str, Any]] = []
    path_enrollments: list[dict[str, Any]] = []
    for course in courses:
        enrollments.extend(listing(session, f"{url}/enrollments/search", "enrollments", course_id=course["id"]))
    for path in paths:
        found = listing(session, f"{url}/learning_path_enrollments/search", "enrollments", lp_id=path["id"])
        path_enrollments.extend(found)
    return users, on_paths, pd.json_normalize(enrollments), pd.json_normalize(path_enrollments)


def common(rows: pd.DataFrame, users: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the columns that all enrollments have; unfinished rows that are unenrolled are left out."""
    rows = rows[~rows["unenrolled"] | rows["status"].isin(FINISHED)]
    rows = rows.merge(users[["id", "sf_user_id", "sf_contact_id"]].rename(columns={"id": "user_id"}), on="user_id")
    return rows.assign(
        LU_Key__c=f"12345:{kind}:" + rows["id"].astype(str),
        **{"LearnUpon_Portal_Membership__r.LU_Key__c": "12345:member:" + rows["user_id"].astype(str)},
        SFUser__c=rows["sf_user_id"],
        SFContact__c=rows["sf_contact_id"],
        LUEnrollment__c=rows["id"],
        LUUser__c=rows["user_id"],
        Status__c=rows["status"].map(LABELS),
        Score__c=rows["percentage"],
        Date_Enrolled__c=pd.to_datetime(rows["date_enrolled"], utc=True),
        Date_Completed__c=pd.to_datetime(rows["date_completed"], utc=True),
        Removed_In_LearnUpon__c=rows["unenrolled"],
    )


def transform(
    users: pd.DataFrame, on_paths: pd.DataFrame, enrollments: pd.DataFrame, path_enrollments: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Return what Salesforce should hold, by object."""
    counted = enrollments[~enrollments["unenrolled"]]
    totals = pd.crosstab(counted["user_id"], counted["status"].map(LABELS)).reindex(columns=list(COUNTS), fill_value=0)
    totals = totals.rename(columns=COUNTS).assign(LU_Number_Enrolled__c=totals.sum(axis=1))
    people = users.merge(totals, left_on="id", right_index=True, how="left").assign(
        LU_User_ID__c=users["id"], LU_Last_Accessed_At__c=pd.to_datetime(users["last_sign_in_at"], utc=True)
    )
    people[TOTALS[1:]] = people[TOTALS[1:]].fillna(0)
    members = people.assign(
        LU_Key__c="12345:member:" + people["id"].astype(str), Contact__c=people["sf_contact_id"],
        **{"LearnUpon_Portal__r.LU_Key__c": "12345"}, User__c=people["sf_user_id"], Portal_Id__c=12345,
        LU_Portal_Membership_ID__c=people["id"], Removed_In_LearnUpon__c=False,
    )  # fmt: skip
    rows = common(enrollments, users, "enrollment")
    rows = rows.assign(
        Course_Name__c=rows["course_name"], Course_Id__c=rows["course_id"], Course_Version__c=rows["version"],
        Percent_Complete__c=rows["percentage_complete"],
    )  # fmt: skip
    done = counted.loc[counted["status"].isin(DONE), ["user_id", "course_id"]].drop_duplicates()
    done = done.merge(on_paths, on="course_id").groupby(["id", "user_id"]).size().rename("done").reset_index()
    paths = common(path_enrollments, users, "path")
    paths = paths.merge(done.rename(columns={"id": "lp_id"}), on=["lp_id", "user_id"], how="left")
    paths = paths.assign(
        Path_Name__c=paths["lp_name"],
        Number_Of_Courses_On_Path__c=paths["lp_id"].map(on_paths.groupby("id").size()),
        Number_Of_Courses_Completed_On_Path__c=paths["done"].fillna(0),
    )
    return {
        MEMBERSHIP: members,
        "LearnUponEnrollment__c": rows[rows["SFUser__c"].notna()],
        "LearnUponContactEnrollment__c": rows[rows["SFContact__c"].notna()],
        "LearnUponLearningPathEnrollment__c": paths[paths["SFUser__c"].notna()],
        "LearnUponLearningPathContactEnrollment__c": paths[paths["SFContact__c"].notna()],
        "Contact": people[people["sf_contact_id"].notna()].rename(columns={"sf_contact_id": "Id"}),
        "User": people[people["sf_user_id"].notna()].rename(columns={"sf_user_id": "Id"}),
    }


def existing(client: Any, name: str) -> pd.DataFrame:
    """Read what Salesforce holds of an object."""
    pages = getattr(client.bulk2, name).query(query(name), max_records=100_000, wait=0.05)
    held = pd.concat([pd.read_csv(io.StringIO(page)) for page in pages])
    for column in held.columns:
        if "Date" in column or column == "LU_Last_Accessed_At__c":
            held[column] = pd.to_datetime(held[column], utc=True)
    return held


def compare(name: str, wanted: pd.DataFrame, held: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int], list[str]]:
    """Return the rows to upsert, how many of what, and the record ids to delete."""
    key, *columns = COLUMNS[name]
    if key == "LU_Key__c":
        held = held.rename(columns={"Id": "Id_held"})
    merged = wanted[[key, *columns]].merge(held, on=key, how="outer", suffixes=("", "_held"), indicator=True)
    both, new, gone = (merged["_merge"] == side for side in ("both", "left_only", "right_only"))
    differs = pd.Series(data=False, index=merged.index)
    for column in columns:
        left, right = merged[column], merged[f"{column}_held"]
        if column.endswith("__r.LU_Key__c") or column in {"Contact__c", "User__c"}:
            left, right = left.astype("string"), right.astype("string")
        differs |= (left != right).fillna(value=False) & ~(left.isna() & right.isna())
        differs |= left.isna() != right.isna()
    kept = gone & merged.get("Status__c_held", pd.Series(index=merged.index, dtype=object)).isin(
        [LABELS[status] for status in FINISHED]
    )
    deletes = merged.loc[gone & ~kept, "Id_held"].tolist() if "Status__c_held" in merged else []
    if REMOVED in merged:
        kept &= merged[f"{REMOVED}_held"] != True  # noqa: E712 - the column is of objects
        merged.loc[kept, REMOVED] = True
    updates = (both & differs) | kept
    counts = {"created": int(new.sum()), "updated": int(updates.sum()), "deleted": len(deletes)}
    return merged.loc[new | updates, [key, *columns]], counts, deletes


def apply(client: Any, name: str, rows: pd.DataFrame) -> None:
    """Send the rows that differ."""
    if rows.empty:
        return
    for column in rows.columns:
        if isinstance(rows[column].dtype, pd.DatetimeTZDtype):
            rows[column] = rows[column].dt.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    bulk = getattr(client.bulk2, name)
    if "LU_Key__c" in rows:
        bulk.upsert(records=records, external_id_field="LU_Key__c", wait=0.05)
    else:
        bulk.update(records=records, wait=0.05)


def main() -> None:
    """Run the job once."""
    found = world()
    client = salesforce(found["salesforce"])
    wanted = transform(*extract(found["portals"][0]))
    changed, deletes = {}, {}
    for name, rows in wanted.items():
        changes, changed[name], deletes[name] = compare(name, rows, existing(client, name))
        apply(client, name, changes)
    for name, ids in deletes.items():
        if ids:
            getattr(client.bulk2, name).delete(records=[{"Id": one} for one in ids], wait=0.05)
    tell(changed)


if __name__ == "__main__":
    main()
