"""Ingest jobs of Bulk API 2.0: rows of an upload applied chunk by chunk; HTTP is elsewhere."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, ClassVar

from etl.emulator.salesforce.csvrows import CsvError, Rows, parse, quoted
from etl.emulator.salesforce.dml import Writer
from etl.emulator.salesforce.errors import RowError
from etl.emulator.salesforce.ingest_plan import NULL, Plan, plan
from etl.emulator.salesforce.inputs import key_twice, more_than_one, twice
from etl.emulator.salesforce.jobs import Job, bad_job, bad_state

if TYPE_CHECKING:
    from etl.emulator.salesforce.org import SalesforceOrg
    from etl.emulator.salesforce.table import Table

CHUNK = 200
BATCH = 10_000


class IngestJob(Job):
    """One ingest job (Bulk API 2.0 guide, "Bulk API 2.0 Ingest")."""

    kind: ClassVar[str] = "V2Ingest"

    def __init__(self, org: SalesforceOrg, number: int, spec: dict[str, Any], version: str) -> None:
        """Make an Open job."""
        super().__init__(org, number, spec, version)
        self.uploads: list[bytes] = []
        self.stuck = False
        self.succeeded: list[tuple[str, str, int]] = []
        self.failed: list[tuple[str, str, int]] = []
        self._rows = Rows([], [])
        self._plan = Plan([])
        self._end = 0
        self._next = 0
        self._over_quota = False

    @property
    def table(self) -> Table:
        """The table the job writes."""
        return self.org.tables[self.spec["object"]]

    def upload(self, body: bytes) -> None:
        """Take a PUT; a second one is taken too, and found out when the job is closed (real answers say so)."""
        if self.state != "Open":
            raise bad_state(f"Data can be uploaded to an Open job only, this one is {self.state}")
        self.uploads.append(body)

    def finish_upload(self) -> None:
        """UploadComplete. A job without any data ends with nothing processed; a second close is refused (assumed)."""
        if self.state != "Open":
            raise bad_state(f"A job in state {self.state} cannot be closed")
        if len(self.uploads) > 1:
            raise bad_job(
                f"Found multipe contents for job: <{self.id}>, please 'Close' / 'Abort' / 'Delete' the current Job "
                "then create a new Job and make sure you only do 'PUT' once on a given Job."
            )
        stuck = self.org.stuck_jobs
        self.stuck = bool(stuck)
        if stuck and stuck is not True:
            self.org.stuck_jobs = stuck - 1
        self.close()

    def begin(self) -> None:
        """Read the file; a file that cannot be used fails the job."""
        spec = self.spec
        try:
            if self.uploads:
                self._rows = parse(self.uploads[0], spec["columnDelimiter"], spec["lineEnding"])
                self._plan = plan(
                    self.org, self.table, self._rows.header, spec["operation"], spec.get("externalIdFieldName") or ""
                )
        except CsvError as error:
            self._fail(str(error))
            return
        self._take_batches()

    def _take_batches(self) -> None:
        """Count the batches of 10,000 rows; those over the daily allocation are not run and leave no results."""
        limit = self.org.limits["DailyBulkApiBatches"]
        wanted = -(-len(self._rows.records) // BATCH)
        granted = min(wanted, max(0, limit["Remaining"]))
        limit["Remaining"] -= granted
        self._over_quota = granted < wanted
        self._end = min(len(self._rows.records), granted * BATCH)

    def work(self, share: float) -> None:
        """Apply rows in chunks of 200 up to the share; finish, or fail where the org's knob says."""
        if self.stuck:
            return
        stop = self.org.fail_jobs_after_rows
        end = self._end if stop is None else min(self._end, stop)
        due = end if share >= 1 else int(end * share) // CHUNK * CHUNK
        while self._next < due:
            self._chunk(self._next, min(self._next + CHUNK, due))
        self.processed = len(self.succeeded) + len(self.failed)
        self.failed_count = len(self.failed)
        if share < 1:
            return
        if end < self._end:
            self._fail("InternalServerError : Batch retried more than 20 times")
        elif self._over_quota:
            self._fail("ExceededQuota : ApiBatchItems Limit exceeded.")
        else:
            self.move("JobComplete")

    def _fail(self, message: str) -> None:
        self.error = message
        self.move("Failed")

    def _chunk(self, start: int, end: int) -> None:
        """One transaction's worth: two rows with the same key in it both fail."""
        self._next = end
        writer = Writer(self.org, "bulk", self.id)
        operation = self.spec["operation"]
        again = self._twice(start, end)
        doomed: list[tuple[str, int]] = []
        for place in range(start, end):
            cells = self._rows.records[place]
            try:
                self._check_row(place, cells, again)
                if operation in ("delete", "hardDelete"):
                    doomed.append((self._deletable(writer, cells), place))
                else:
                    record_id, created = self._write(writer, operation, cells)
                    self.succeeded.append((record_id, created, place))
            except RowError as error:
                given = cells[self._plan.id_place] if self._plan.id_place >= 0 else ""
                self.failed.append((given, error.bulk, place))
        self._delete(writer, doomed)

    def _twice(self, start: int, end: int) -> set[str]:
        place = self._plan.key_place if self._plan.key_place >= 0 else self._plan.id_place
        if place < 0:
            return set()
        return twice([self._key(cells[place]) for cells in self._rows.records[start:end]])

    def _key(self, cell: str) -> str:
        if self._plan.key_place < 0:
            return self.table.id_of(cell) or cell
        return str(self.table.folded(self._plan.key_name, cell.strip()))

    def _check_row(self, place: int, cells: list[str], again: set[str]) -> None:
        if place in self._rows.faulty:
            raise RowError("INVALID_FIELD", self._rows.faulty[place])
        if not again:
            return
        key_place, id_place = self._plan.key_place, self._plan.id_place
        cell = cells[key_place if key_place >= 0 else id_place]
        if self._key(cell) in again:
            raise key_twice(cell, external=key_place >= 0)

    def _write(self, writer: Writer, operation: str, cells: list[str]) -> tuple[str, str]:
        """Create or change one record: its id, and what `sf__Created` says."""
        given = self._plan.values(cells)
        id_cell = cells[self._plan.id_place] if self._plan.id_place >= 0 else ""
        if operation == "insert":
            if id_cell:
                raise RowError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", "Id")
            return writer.create(self.table, given), "true"
        if operation == "update" or self._plan.key_place < 0:
            if not id_cell and operation == "upsert":
                return writer.create(self.table, given), "true"
            row_id = self._live(id_cell)
            writer.update(self.table, self.table.rows[row_id], given)
            return row_id, "false"
        return self._upsert(writer, given, id_cell)

    def _upsert(self, writer: Writer, given: dict[str, Any], id_cell: str) -> tuple[str, str]:
        name = self._plan.key_name
        key = given.get(name)
        if id_cell and id_cell != NULL:
            raise RowError("INVALID_FIELD", "cannot specify both an external ID reference and a salesforce id", "Id")
        if key is None:
            raise RowError("MISSING_ARGUMENT", f"{name} not specified")
        found = self.table.find(name, key)
        if not found:
            return writer.create(self.table, given), "true"
        if len(found) > 1:
            raise more_than_one(found)
        writer.update(self.table, self.table.rows[found[0]], given, name)
        return found[0], "false"

    def _live(self, cell: str) -> str:
        """The live record that a cell of the column Id names."""
        if not cell or cell == NULL:
            raise RowError("MISSING_ARGUMENT", "Id not specified in an update call")
        found = self.table.id_of(cell.strip())
        if found is not None and found in self.table.rows:
            return found
        if found is not None:
            raise RowError("ENTITY_IS_DELETED", "entity is deleted")
        return self._no_record(cell.strip())

    def _no_record(self, cell: str) -> str:
        if len(cell) in (15, 18) and cell.isalnum() and cell[:3] == self.table.kind.prefix:
            raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        raise RowError("MALFORMED_ID", f"{self.table.kind.name} ID: id value of incorrect type: {cell}", "Id")

    def _deletable(self, writer: Writer, cells: list[str]) -> str:
        found = self._live(cells[0])
        writer.check_delete(self.table, found)
        return found

    def _delete(self, writer: Writer, doomed: list[tuple[str, int]]) -> None:
        if not doomed:
            return
        try:
            writer.delete_many(self.table, [record_id for record_id, _ in doomed])
        except RowError as error:
            self.failed += [(record_id, error.bulk, place) for record_id, place in doomed]
            return
        if self.spec["operation"] == "hardDelete":
            for record_id, _ in doomed:
                self.table.bin.pop(record_id, None)
        self.succeeded += [(record_id, "false", place) for record_id, place in doomed]

    def full(self) -> dict[str, Any]:
        """The job as GET gives it; `numberRecordsProcessed` includes the failures."""
        made = {**super().full(), "numberRecordsFailed": self.failed_count}
        return {**made, "apiActiveProcessingTime": made["totalProcessingTime"], "apexProcessingTime": 0}

    def result(self, name: str) -> str:
        """One of the three result files, rows in an order that means nothing."""
        records = self._rows.records
        if name == "unprocessedrecords":
            head, lines = [], [quoted(cells) for cells in records[self._next : self._end]]
        else:
            good = name == "successfulresults"
            head = ["sf__Id", "sf__Created"] if good else ["sf__Id", "sf__Error"]
            found = self.succeeded if good else self.failed
            lines = [quoted([one, two, *records[place]]) for one, two, place in found]
        random.Random(self.mixed).shuffle(lines)
        return "\n".join([quoted([*head, *self._rows.header]), *lines, ""])

    def info(self) -> dict[str, Any]:
        """The create answer; `contentUrl` has no leading slash."""
        return {**super().info(), "contentUrl": f"services/data/v{self.version}/jobs/ingest/{self.id}/batches"}
