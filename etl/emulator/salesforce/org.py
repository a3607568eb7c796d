"""The emulated org: its objects, records, users, knobs and clock, for tests and seeds; HTTP is elsewhere."""
# ruff: noqa: A002 - object and id are the words of Salesforce for them

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any

from etl.emulator.ledger import Ledger
from etl.emulator.salesforce import ids, values
from etl.emulator.salesforce.dml import Writer
from etl.emulator.salesforce.inputs import stored
from etl.emulator.salesforce.objects import all_objects
from etl.emulator.salesforce.refusal import Refusal
from etl.emulator.salesforce.sessions import USERNAME, Sessions
from etl.emulator.salesforce.table import Row, Table
from etl.emulator.salesforce.ties import Ties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etl.emulator.salesforce.schema import Field, ObjectType

__all__ = ["Refusal", "SalesforceOrg"]


def default_limits() -> dict[str, dict[str, int]]:
    """The limits that matter here, with invented sizes (REST guide, "Limits")."""
    sizes = {
        "DailyApiRequests": 1_000_000,
        "DailyBulkApiBatches": 15_000,
        "DailyBulkV2QueryJobs": 10_000,
        "DailyBulkV2QueryFileStorageMB": 976_562,
        "DataStorageMB": 10_240,
        "FileStorageMB": 10_240,
    }
    return {name: {"Max": size, "Remaining": size} for name, size in sizes.items()}


class SalesforceOrg:
    """An org with the sync's objects and no records but its own user; every knob is a plain attribute.

    `job_seconds`: how long an ingest or query job stays in UploadComplete, and again in InProgress, by `clock`
    (seconds since 1970). `stuck_jobs`: so many of the next ingest jobs stay InProgress until `unstick()`; True
    means all. `fail_jobs_after_rows`: ingest jobs commit that many rows, then fail. `session_calls`: a session
    dies after so many calls. `query_page_rows`: most rows of a Bulk result page, whatever the client asks.
    `read_only_fields`: names like ``Contact.LU_User_ID__c`` that field-level security closes. `refuse`: rules that
    refuse records. `can_hard_delete`: whether the user may. `unseen_rows`: object to how many rows its Bulk queries
    leave out in silence. Take `lock` to change records outside the methods.
    """

    def __init__(  # a seed or test names what it needs
        self,
        *,
        org_id: str = "00D5g00000EMULATE",
        is_sandbox: bool = True,
        namespace: str = "",
        ledger: Ledger | None = None,
        clock: Callable[[], float] = time.time,
        seed: int = 1,
    ) -> None:
        """Make the org; `namespace="LearnUponP"` gives the objects of LearnUpon's package instead."""
        self.org_id = ids.normal(org_id[:15].ljust(15, "0")) or ""
        self.namespace = namespace
        self.clock = clock
        self.ledger = ledger if ledger is not None else Ledger(clock)
        self.lock = threading.RLock()
        self.dice = random.Random(seed)
        self._now = (-1, "")
        self.objects: dict[str, ObjectType] = all_objects(namespace)
        self.tables: dict[str, Table] = {name: Table(kind) for name, kind in self.objects.items()}
        self.ties = Ties()
        self._set_knobs()
        self.user_id = self.profile_id = ""
        self._seed_own(is_sandbox=is_sandbox)
        self.sessions = Sessions(self)

    def _set_knobs(self) -> None:
        self.job_seconds = 0.02
        self.stuck_jobs: int | bool = 0
        self.fail_jobs_after_rows: int | None = None
        self.refuse: list[Refusal] = []
        self.limits = default_limits()
        self.query_page_rows = 50_000
        self.rest_page_rows = 2_000
        self.list_page_rows = 1_000
        self.read_only_fields: set[str] = set()
        self.can_hard_delete = False
        self.unseen_rows: dict[str, int] = {}
        self.settle: Callable[[], object] = lambda: None
        self.unstick: Callable[[], object] = lambda: None

    def _seed_own(self, *, is_sandbox: bool) -> None:
        now = self.now()
        stamps = {"CreatedDate": now, "LastModifiedDate": now, "SystemModstamp": now}
        self.profile_id = self.tables["Profile"].next_id()
        self.tables["Profile"].put({"Id": self.profile_id, "Name": "Minimum Access - API Only", **stamps})
        self.tables["Organization"].put(
            {
                "Id": self.org_id,
                "Name": "Emulated Org",
                "IsSandbox": is_sandbox,
                "InstanceName": "EMU1",
                "OrganizationType": "Developer Edition" if not is_sandbox else "Enterprise Edition",
                "LanguageLocaleKey": "en_US",
                "TimeZoneSidKey": "Europe/Dublin",
                **stamps,
            }
        )
        self._list_objects()
        fields = {"FirstName": "Sync", "LastName": "Integration", "Username": USERNAME, "Email": USERNAME}
        self.user_id = self.insert("User", fields, record=False)

    def _list_objects(self) -> None:
        """Fill EntityDefinition with the objects there are."""
        table = self.tables["EntityDefinition"]
        for kind in self.objects.values():
            yes = dict.fromkeys(("IsQueryable", "IsRetrieveable", "IsIdEnabled", "IsCustomizable"), True)
            rights = {"Creatable": kind.createable, "Updatable": kind.updateable, "Deletable": kind.deletable}
            flags = {f"IsEver{name}": value for name, value in rights.items()}
            named = {"QualifiedApiName": kind.name, "Label": kind.label, "KeyPrefix": kind.prefix}
            table.put({"Id": table.next_id(), **named, **flags, **yes})

    def now(self) -> str:
        """The org's time, in the stored form of a datetime."""
        second = int(self.clock())
        if second != self._now[0]:
            self._now = (second, values.moment(second))
        return self._now[1]

    @property
    def access_token(self) -> str:
        """A fixed session of the integration user."""
        return self.sessions.fixed

    @property
    def session_calls(self) -> int | None:
        """Calls a session lives; None = for ever."""
        return self.sessions.calls_each

    @session_calls.setter
    def session_calls(self, calls: int | None) -> None:
        self.sessions.calls_each = calls

    def expire_sessions(self) -> None:
        """End every session, the fixed one too; tokens can be asked for anew, the fixed one by `restore`."""
        self.sessions.expire()

    def restore_access_token(self) -> None:
        """Make the fixed access token valid again."""
        self.sessions.restore()

    def insert(
        self, object: str, fields: dict[str, Any], *, record: bool = True, source: str = "seed", by: str = ""
    ) -> str:
        """Make a record and return its id (18 characters); fields as in JSON. RowError when refused.

        A Contact or User without a required field gets an invented one. `by` is the user who does it, here and below:
        nobody named is the integration user.
        """
        with self.lock:
            table = self.tables[object]
            given = {**self._person_defaults(table), **fields}
            return Writer(self, source, record=record, by=by).create(table, stored(self, table, given))

    def update(self, object: str, id: str, fields: dict[str, Any], *, record: bool = True, by: str = "") -> None:
        """Change a record as a person would by hand; KeyError without it, RowError when refused."""
        with self.lock:
            table = self.tables[object]
            row = table.rows[table.id_of(id) or id]
            Writer(self, "seed", record=record, by=by).update(table, row, stored(self, table, fields))

    def delete(self, object: str, id: str, *, record: bool = True, by: str = "") -> None:
        """Delete a record softly, with its details; RowError when refused."""
        with self.lock:
            table = self.tables[object]
            found = table.id_of(id) or id
            writer = Writer(self, "seed", record=record, by=by)
            writer.check_delete(table, found)
            writer.delete(table, found)

    def undelete(self, object: str, id: str, *, stamped: bool = True, by: str = "") -> None:
        """Take a record out of the recycle bin, with its details and look-ups (`ties`).

        KeyError when it is not there, RowError when its key is taken. It is a change like any other unless `stamped`
        says otherwise (assumed: no guide says either). What a merge moved to the master stays there.
        """
        with self.lock:
            table = self.tables[object]
            found = table.id_of(id) or id
            writer = Writer(self, "seed", by=by)
            writer.check_unique(table, table.bin[found], found)
            row = table.restore(found)
            table.change(row, writer.stamped() if stamped else {})
            self.ties.give_back(found)

    def purge(self, object: str, id: str) -> None:
        """Take a record out of the recycle bin for good, as its owner, 15 days or a full bin do; no query shows it."""
        with self.lock:
            table = self.tables[object]
            found = table.id_of(id) or id
            del table.bin[found]
            self.ties.forget(found)

    def merge_contacts(self, master_id: str, loser_id: str) -> None:
        """Merge: children move to the master, the loser is deleted and names its master in MasterRecordId.

        The children's SystemModstamp stays (assumed, as for look-ups that are emptied).
        """
        with self.lock:
            table = self.tables["Contact"]
            master, loser = table.rows[table.id_of(master_id) or ""], table.rows[table.id_of(loser_id) or ""]
            writer = Writer(self, "merge")
            for child, field in self.referring("Contact"):
                moved = [row for row in child.rows.values() if row.get(field.name) == loser["Id"]]
                writer.clear_reference(child, field.name, moved, to=master["Id"])
            writer.delete(table, loser["Id"])
            table.bin[loser["Id"]]["MasterRecordId"] = master["Id"]

    def rows(self, object: str, *, include_deleted: bool = False) -> list[Row]:
        """Copies of all records, with every field (null: None); finishes jobs that are due first."""
        self.settle()
        with self.lock:
            table = self.tables[object]
            names = list(table.kind.fields)
            return [{name: row.get(name) for name in names} for row in table.everything(deleted=include_deleted)]

    def get(self, object: str, id: str) -> Row | None:
        """A copy of a live record with every field, None without it."""
        self.settle()
        with self.lock:
            table = self.tables[object]
            row = table.rows.get(table.id_of(id) or "")
            return {name: row.get(name) for name in table.kind.fields} if row is not None else None

    def find(self, object: str, **equals: Any) -> list[Row]:
        """Copies of the live records whose fields have exactly these values."""
        found = self.rows(object)
        return [row for row in found if all(row.get(name) == value for name, value in equals.items())]

    def referring(self, object: str) -> Iterator[tuple[Table, Field]]:
        """Tables and their reference fields that point at this object (system fields aside)."""
        for table in self.tables.values():
            for field in table.kind.fields.values():
                if object in field.reference_to and (field.custom or field.name == "AccountId"):
                    yield table, field

    def table_of(self, id: str) -> Table | None:
        """The table whose key prefix an id has."""
        return next((one for one in self.tables.values() if one.kind.prefix == id[:3]), None)

    def table(self, name: str) -> Table | None:
        """The table of an object, its name in any case."""
        found = self.tables.get(name)
        if found is not None:
            return found
        low = name.lower()
        return next((one for key, one in self.tables.items() if key.lower() == low), None)

    def _person_defaults(self, table: Table) -> dict[str, Any]:
        if table.kind.name == "Contact":
            return {"LastName": f"Person {table.made + 1}"}
        if table.kind.name == "User":
            unique = f"user{table.made + 1}@example.com"
            return {"LastName": f"Person {table.made + 1}", "Username": unique, "Email": unique}
        return {}
