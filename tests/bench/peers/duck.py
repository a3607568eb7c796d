"""The strong peer: pages fetched to files by four threads, the rest in DuckDB: read_json, FULL JOIN, COPY to CSV."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import requests
from bench.peers.common import (
    API,
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

_THREADS = 4
_COMMON = "id BIGINT, user_id BIGINT, status VARCHAR, percentage DOUBLE, date_enrolled TIMESTAMP, "
_COMMON += "date_completed TIMESTAMP, unenrolled BOOLEAN"
SHAPES = {
    "users": ("user", "id BIGINT, sf_user_id VARCHAR, sf_contact_id VARCHAR, last_sign_in_at TIMESTAMP"),
    "courses": ("courses", "id BIGINT"),
    "paths": ("learning_paths", "id BIGINT, courses STRUCT(id BIGINT)[]"),
    "enrollments": (
        "enrollments",
        f"{_COMMON}, course_id BIGINT, course_name VARCHAR, version INTEGER, percentage_complete DOUBLE",
    ),
    "path_enrollments": ("enrollments", f"{_COMMON}, lp_id BIGINT, lp_name VARCHAR"),
}
"""Table: the key of the list, and what is read of its rows."""


class Fetched:
    """Pages of listings as files."""

    def __init__(self, portal: dict[str, Any], folder: Path) -> None:
        """Keep files in `folder`, by table."""
        self._url = f"{portal['url']}/api/v1"
        self._auth = (portal["username"], portal["password"])
        self.folder = folder

    def listing(self, table: str, path: str, number: int = 0, **params: str) -> None:
        """Fetch all pages of one listing."""
        (self.folder / table).mkdir(exist_ok=True)
        with requests.Session() as session:
            session.auth = self._auth
            page, more = 1, True
            while more:
                answer = session.get(f"{self._url}/{path}", params={**params, "page": str(page)}, timeout=120)
                answer.raise_for_status()
                (self.folder / table / f"{number}-{page}.json").write_bytes(answer.content)
                more = answer.headers["LU-Has-Next-Page"] == "true"
                page += 1


def extract(base: duckdb.DuckDBPyConnection, portal: dict[str, Any], folder: Path) -> None:
    """Fetch a portal, and make tables of the files."""
    fetched = Fetched(portal, folder)
    fetched.listing("courses", "courses", include_all_versions="true")
    fetched.listing("paths", "learning_paths", include_courses="true")
    for table in ("courses", "paths"):
        load(base, table, folder)
    jobs: list[Callable[[], None]] = [lambda: fetched.listing("users", "users")]
    for (path,) in base.execute("SELECT id FROM paths").fetchall():
        jobs.append(_search(fetched, "path_enrollments", "learning_path_enrollments/search", "lp_id", path))
    for (course,) in base.execute("SELECT id FROM courses").fetchall():
        jobs.append(_search(fetched, "enrollments", "enrollments/search", "course_id", course))
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda job: job(), jobs))
    for table in ("users", "enrollments", "path_enrollments"):
        load(base, table, folder)


def _search(fetched: Fetched, table: str, path: str, name: str, number: int) -> Callable[[], None]:
    return lambda: fetched.listing(table, path, number, **{name: str(number)})


def load(base: duckdb.DuckDBPyConnection, table: str, folder: Path) -> None:
    """Make a table of the files of one kind."""
    key, shape = SHAPES[table]
    base.execute(f"""CREATE TABLE {table} AS SELECT unnest("{key}", max_depth := 2) FROM read_json(
        '{folder / table}/*.json', format = 'unstructured', maximum_object_size = 100000000,
        columns = {{"{key}": 'STRUCT({shape})[]'}})""")


def _labels(column: str) -> str:
    cases = " ".join(f"WHEN '{status}' THEN '{label}'" for status, label in LABELS.items())
    return f"CASE {column} {cases} END"


def _listed(values: tuple[str, ...]) -> str:
    return "(" + ", ".join(f"'{value}'" for value in values) + ")"


def _enrolled(table: str, kind: str, person: str, own: str) -> str:
    """Return the query for what Salesforce should hold of one kind of enrollments of one kind of people."""
    return f"""SELECT '12345:{kind}:' || e.id AS LU_Key__c,
        '12345:member:' || e.user_id AS "LearnUpon_Portal_Membership__r.LU_Key__c",
        u.sf_{person.lower()}_id AS SF{person}__c, e.id AS LUEnrollment__c, e.user_id AS LUUser__c,
        {_labels("e.status")} AS Status__c, e.percentage AS Score__c, {own},
        e.date_enrolled AS Date_Enrolled__c, e.date_completed AS Date_Completed__c, e.unenrolled AS {REMOVED}
        FROM {table} e JOIN users u ON u.id = e.user_id
        {"LEFT JOIN done ON done.path = e.lp_id AND done.user_id = e.user_id" if kind == "path" else ""}
        WHERE u.sf_{person.lower()}_id IS NOT NULL AND (NOT e.unenrolled OR e.status IN {_listed(FINISHED)})"""


def transform(base: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return a query for what Salesforce should hold of each object."""
    counts = ", ".join(f"count(*) FILTER (status = '{status}') AS {COUNTS[label]}" for status, label in LABELS.items())
    base.execute(f"""CREATE TABLE totals AS SELECT user_id, count(*) AS LU_Number_Enrolled__c, {counts}
        FROM enrollments WHERE NOT unenrolled GROUP BY user_id""")
    base.execute(f"""CREATE TABLE done AS SELECT p.path, e.user_id, count(DISTINCT e.course_id) AS done
        FROM (SELECT id AS path, unnest(courses).id AS course_id FROM paths) p JOIN enrollments e USING (course_id)
        WHERE NOT e.unenrolled AND e.status IN {_listed(DONE)} GROUP BY ALL""")
    totals = ", ".join(f"coalesce(t.{name}, 0) AS {name}" for name in TOTALS[1:])
    totals = f"u.last_sign_in_at AS {TOTALS[0]}, {totals} FROM users u LEFT JOIN totals t ON t.user_id = u.id"
    of_courses = "e.course_name AS Course_Name__c, e.course_id AS Course_Id__c, e.version AS Course_Version__c"
    of_courses += ", e.percentage_complete AS Percent_Complete__c"
    of_paths = "e.lp_name AS Path_Name__c, (SELECT len(courses) FROM paths WHERE id = e.lp_id) "
    of_paths += "AS Number_Of_Courses_On_Path__c, coalesce(done.done, 0) AS Number_Of_Courses_Completed_On_Path__c"
    return {
        MEMBERSHIP: f"""SELECT '12345:member:' || u.id AS LU_Key__c, '12345' AS "LearnUpon_Portal__r.LU_Key__c",
            u.sf_contact_id AS Contact__c, u.sf_user_id AS User__c, 12345 AS Portal_Id__c,
            u.id AS LU_Portal_Membership_ID__c, false AS {REMOVED}, {totals}""",
        "LearnUponEnrollment__c": _enrolled("enrollments", "enrollment", "User", of_courses),
        "LearnUponContactEnrollment__c": _enrolled("enrollments", "enrollment", "Contact", of_courses),
        "LearnUponLearningPathEnrollment__c": _enrolled("path_enrollments", "path", "User", of_paths),
        "LearnUponLearningPathContactEnrollment__c": _enrolled("path_enrollments", "path", "Contact", of_paths),
    } | {
        person: f"""SELECT u.sf_{person.lower()}_id AS Id, u.id AS LU_User_ID__c, {totals}
            WHERE u.sf_{person.lower()}_id IS NOT NULL"""
        for person in ("Contact", "User")
    }


class Bulk:
    """The few calls of Bulk API 2.0 that the job needs."""

    def __init__(self, client: Any, org: dict[str, str], folder: Path) -> None:
        """Use the client's session."""
        self._url = f"{org['login_url']}{API}/jobs"
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"Bearer {client.session_id}"
        self._folder = folder

    def _wait(self, kind: str, job: str) -> None:
        while (state := self._http.get(f"{self._url}/{kind}/{job}", timeout=60).json()["state"]) != "JobComplete":
            if state in {"Failed", "Aborted"}:
                raise SystemExit(f"job {job} ended {state}")
            time.sleep(0.05)

    def read(self, name: str) -> None:
        """Fetch the rows of an object into files."""
        asked = {"operation": "query", "query": query(name)}
        job = self._http.post(f"{self._url}/query", json=asked, timeout=60).json()["id"]
        self._wait("query", job)
        locator, page = "", 0
        while locator != "null":
            params = {"maxRecords": "250000"} | ({"locator": locator} if locator else {})
            answer = self._http.get(f"{self._url}/query/{job}/results", params=params, timeout=600)
            (self._folder / f"{name}-{page}.csv").write_bytes(answer.content)
            locator, page = answer.headers["Sforce-Locator"], page + 1

    def write(self, name: str, operation: str, path: Path) -> None:
        """Upload a file."""
        asked = {"object": name, "operation": operation, "contentType": "CSV", "lineEnding": "LF"}
        asked |= {"externalIdFieldName": "LU_Key__c"} if operation == "upsert" else {}
        job = self._http.post(f"{self._url}/ingest", json=asked, timeout=60).json()["id"]
        with path.open("rb") as file:
            self._http.put(f"{self._url}/ingest/{job}/batches", data=file, timeout=600).raise_for_status()
        self._http.patch(f"{self._url}/ingest/{job}", json={"state": "UploadComplete"}, timeout=600)
        self._wait("ingest", job)


_STAMP = "strftime({}, '%Y-%m-%dT%H:%M:%S.000Z')"


def compare(base: duckdb.DuckDBPyConnection, name: str, wanted: str, folder: Path) -> dict[str, int]:
    """Write the rows to upsert and the ids to delete as CSV; returns how many of what."""
    key, *columns = COLUMNS[name]
    base.execute(f"CREATE OR REPLACE TABLE wanted AS {wanted}")
    types = dict(base.execute("SELECT column_name, column_type FROM (DESCRIBE wanted)").fetchall())
    read = ", ".join(f"'{column}': '{'DOUBLE' if 'INT' in kind else kind}'" for column, kind in types.items())
    base.execute(f"""CREATE OR REPLACE TABLE held AS SELECT * FROM read_csv('{folder}/{name}-*.csv', header = true,
        auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = '',
        timestampformat = '%Y-%m-%dT%H:%M:%S.%gZ', columns = {{{"" if key == "Id" else "'Id': 'VARCHAR', "}{read}}})""")
    differs = " OR ".join(f'w."{column}" IS DISTINCT FROM h."{column}"' for column in columns)
    base.execute(f"""CREATE OR REPLACE TABLE changes AS SELECT h."Id" AS held_id, h."{key}" AS held_key, w.*,
        {"h.Status__c" if "Status__c" in types else "NULL"} AS held_status,
        {f"h.{REMOVED}" if REMOVED in types else "NULL"} AS held_removed
        FROM wanted w FULL JOIN held h ON w."{key}" = h."{key}" WHERE {differs}""")
    finished = f"held_status IN {_listed(tuple(LABELS[status] for status in FINISHED))}"
    kept = f'"{key}" IS NULL AND {finished} AND NOT held_removed'
    shown = [_STAMP.format(f'"{one}"') + f' AS "{one}"' if types[one] == "TIMESTAMP" else f'"{one}"' for one in columns]
    shown = [f"({kept}) OR {REMOVED} AS {REMOVED}" if one == f'"{REMOVED}"' else one for one in shown]
    base.execute(f"""COPY (SELECT coalesce("{key}", held_key) AS "{key}", {", ".join(shown)} FROM changes
        WHERE "{key}" IS NOT NULL OR ({kept})) TO '{folder}/{name}.upload'""")
    gone = f'"{key}" IS NULL AND held_status IS NOT NULL AND NOT {finished}'
    base.execute(f"""COPY (SELECT held_id AS "Id" FROM changes WHERE {gone}) TO '{folder}/{name}.gone'""")
    counted = base.execute(f"""SELECT count(*) FILTER (held_key IS NULL), count(*) FILTER (held_key IS NOT NULL AND
        ("{key}" IS NOT NULL OR ({kept}))), count(*) FILTER ({gone}) FROM changes""").fetchone()
    return dict(zip(("created", "updated", "deleted"), counted or (0, 0, 0), strict=True))


def main() -> None:
    """Run the job once."""
    found = world()
    changed: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        base = duckdb.connect(str(folder / "job.duckdb"))
        base.execute("SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
        bulk = Bulk(salesforce(found["salesforce"]), found["salesforce"], folder)
        extract(base, found["portals"][0], folder)
        for name, wanted in transform(base).items():
            bulk.read(name)
            changed[name] = compare(base, name, wanted, folder)
            if changed[name]["created"] + changed[name]["updated"]:
                bulk.write(name, "upsert" if "LU_Key__c" in COLUMNS[name] else "update", folder / f"{name}.upload")
        for name, counts in changed.items():
            if counts["deleted"]:
                bulk.write(name, "delete", folder / f"{name}.gone")
    tell(changed)


if __name__ == "__main__":
    main()
