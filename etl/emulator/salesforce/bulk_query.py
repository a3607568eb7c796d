"""Query jobs of Bulk API 2.0: the result as CSV pages with locators; HTTP is elsewhere."""

from __future__ import annotations

import base64
import binascii
import random
from typing import TYPE_CHECKING, Any, ClassVar

from etl.emulator.salesforce import soql, values
from etl.emulator.salesforce.csvrows import DELIMITERS, LINE_ENDS
from etl.emulator.salesforce.errors import ApiError
from etl.emulator.salesforce.jobs import Job, bad_state
from etl.emulator.salesforce.soql_parse import parse

if TYPE_CHECKING:
    from etl.emulator.salesforce.org import SalesforceOrg

PARALLEL = 5


class QueryJob(Job):
    """One query job (Bulk API 2.0 guide, "Bulk API 2.0 Query"); it sees the records as they are when it runs."""

    kind: ClassVar[str] = "V2Query"

    def __init__(self, org: SalesforceOrg, number: int, spec: dict[str, Any], version: str) -> None:
        """Make a job; there is nothing to upload, so it starts as UploadComplete."""
        super().__init__(org, number, spec, version)
        self._header = ""
        self._lines: list[str] = []
        self.close()

    def begin(self) -> None:
        """Run the query; without ORDER BY the order means nothing, so it is shuffled (by a seed)."""
        text, deleted = self.spec["query"], self.spec["operation"] == "queryAll"
        try:
            found = soql.run(self.org, text, deleted=deleted, bulk=True)
        except ApiError as error:
            self.error = f"{error.code}: {error.message}"
            self.move("Failed")
            return
        glue = f'"{DELIMITERS[self.spec["columnDelimiter"]]}"'
        self._header = '"' + glue.join(column.name for column in found.columns) + '"'
        self._lines = _lines(found, glue)
        if not parse(text).order:
            random.Random(self.mixed).shuffle(self._lines)
        unseen = self.org.unseen_rows.get(self.spec["object"], 0)
        self._lines = self._lines[: max(0, len(self._lines) - unseen)]

    def work(self, share: float) -> None:
        """Finish when the time is up."""
        if share >= 1:
            self.processed = len(self._lines)
            self.move("JobComplete")

    def page(self, locator: str, max_records: str) -> tuple[str, int, str]:
        """CSV of a page (with header), its number of records, and the next locator: the text `null` at the end."""
        if self.state != "JobComplete":
            raise bad_state(f"Results are there when the job is complete, this one is {self.state}")
        start, size = self._start(locator), self._size(max_records)
        lines = self._lines[start : start + size]
        end = LINE_ENDS[self.spec["lineEnding"]]
        after = start + size
        return end.join([self._header, *lines, ""]), len(lines), self._locator(after)

    def pages(self, locator: str, max_records: str) -> tuple[list[str], str]:
        """Locators of up to five pages from here, and the one to go on from (`null` at the end)."""
        start, size = self._start(locator), self._size(max_records)
        starts = [start + size * place for place in range(PARALLEL)]
        after = start + size * PARALLEL
        here = [self._locator(one, last=one == 0) for one in starts]
        return [one for one in here if one != "null"], self._locator(after)

    def _size(self, max_records: str) -> int:
        """Rows of a page: `maxRecords` or fewer, for the service's size limits hold too (guide, "Get Results")."""
        largest = max(1, self.org.query_page_rows)
        if not max_records:
            return largest
        if not max_records.isdigit() or int(max_records) < 1:
            raise ApiError(400, "INVALID_QUERY_PARAMETER", f"maxRecords is not a positive number: {max_records}")
        return min(int(max_records), largest)

    def _locator(self, start: int, *, last: bool = False) -> str:
        """Opaque, stable while the job lives; only the text `null` ends the result."""
        if start >= len(self._lines) and not last:
            return "null"
        return base64.urlsafe_b64encode(f"0:{self.id[-6:]}:{start}".encode()).decode().rstrip("=")

    def _start(self, locator: str) -> int:
        if not locator:
            return 0
        try:
            text = base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)).decode()
            return int(text.split(":")[2])
        except (binascii.Error, UnicodeDecodeError, IndexError, ValueError) as error:
            raise ApiError(400, "INVALID_QUERY_LOCATOR", f"invalid query locator: {locator}") from error


def _lines(found: soql.Result, glue: str) -> list[str]:
    """The records as CSV lines, column by column for speed: everything quoted, null as empty text."""
    columns = []
    for column in found.columns:
        write = values.writer(column.type)
        get = column.path.get if column.path is not None else None
        columns.append([write(get(row)) for row in found.rows] if get is not None else [""] * len(found.rows))
    return ['"' + glue.join(cells) + '"' for cells in zip(*columns, strict=True)]
