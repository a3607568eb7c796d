"""Bulk API 2.0 jobs: queries paged by locator, ingest files read when they are closed, three result files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from bench.servers import soql
from bench.servers.base import header, joined
from bench.servers.holdings import OUR_USER
from bench.servers.store import Found, Store
from bench.servers.wire import Answer
from bench.servers.writing import Outcome, write

MOST_ROWS = 250_000
"""Rows of a page of results where the client does not ask for fewer."""
_STRETCH = 65_536
_CSV = {"Content-Type": "text/csv;charset=UTF-8"}


@dataclass
class Job:
    """One job of either kind."""

    facts: dict[str, Any]
    found: Found | None = None
    body: bytes = b""
    sent: pa.Table | None = None
    outcome: Outcome | None = None

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.facts["id"])

    @property
    def shown(self) -> dict[str, Any]:
        """The job as JSON."""
        return self.facts


class Jobs:
    """All jobs of the org, and what they do to the stores."""

    def __init__(self, stores: Mapping[str, Store], now: Callable[[], str]) -> None:
        """Begin without jobs."""
        self._stores = stores
        self._now = now
        self._jobs: dict[str, Job] = {}

    def clear(self) -> None:
        """Forget all jobs."""
        self._jobs.clear()

    def named(self, job: str) -> Job:
        """Return a job; LookupError when there is none."""
        if job not in self._jobs:
            raise LookupError(f"no job {job}")
        return self._jobs[job]

    def listed(self) -> list[dict[str, Any]]:
        """Return the ingest jobs."""
        return [job.shown for job in self._jobs.values() if job.facts["jobType"] == "V2Ingest"]

    def _made(self, **facts: Any) -> Job:
        job = f"7505g{len(self._jobs) + 1:010d}AAA"
        common = {
            "id": job,
            "createdById": OUR_USER,
            "createdDate": self._now(),
            "contentType": "CSV",
            "apiVersion": 67.0,
        }
        common |= {"lineEnding": "LF", "columnDelimiter": "COMMA", "concurrencyMode": "Parallel"}
        self._jobs[job] = Job(common | facts)
        return self._jobs[job]

    def query(self, asked: Mapping[str, Any]) -> Job:
        """Make a query job; it is complete at once, its rows are those of this moment."""
        query = soql.parse(asked["query"])
        found = self._stores[query.source].find(query, deleted_too=asked["operation"] == "queryAll")
        job = self._made(
            operation=asked["operation"], object=query.source, state="JobComplete", jobType="V2Query",
            numberRecordsProcessed=len(found), totalProcessingTime=1, retries=0,
        )  # fmt: skip
        job.found = found
        return job

    def results(self, job: str, most: int, locator: str) -> Answer:
        """Return a page of a query's results."""
        found = self.named(job).found
        if found is None:
            raise ValueError("no query job")
        start, stop = int(locator or 0), int(locator or 0) + min(most, MOST_ROWS)
        rows, lines = found.page(start, stop)
        last = stop >= found.places
        headers = {"Sforce-NumberOfRecords": str(rows), "Sforce-Locator": "null" if last else str(stop)}
        return Answer(pieces=_headed(header(found.names), lines), headers=_CSV | headers)

    def ingest(self, asked: Mapping[str, Any]) -> Job:
        """Make an ingest job, open for its file."""
        job = self._made(state="Open", jobType="V2Ingest", **{"operation": "upsert", **asked})
        job.facts["contentUrl"] = f"services/data/v67.0/jobs/ingest/{job.id}/batches"
        return job

    def upload(self, job: str, body: bytes) -> None:
        """Take the file of a job."""
        self.named(job).body = body

    def turn(self, job: str, state: str) -> Job:
        """Abort a job, or close it: then its rows are written before the answer."""
        one = self.named(job)
        one.facts["state"] = state
        if state == "UploadComplete":
            one.sent = _read(one.body)
            key = one.facts.get("externalIdFieldName", "Id")
            try:
                one.outcome = write(
                    self._stores, one.facts["object"], one.facts["operation"], one.sent, key, self._now()
                )
                one.facts |= _counts(one.sent.num_rows, len(one.outcome.errors))
            except ValueError as error:
                one.facts |= {"state": "Failed", "errorMessage": str(error)} | _counts(0, 0)
        return one

    def outcome(self, job: str, kind: str) -> Answer:
        """Return one of the three result files."""
        one = self.named(job)
        sent, outcome = one.sent, one.outcome
        if outcome and not outcome.errors and kind == "successfulResults" and (lines := _lines(one.body)):
            return Answer(pieces=_beside(outcome, lines), headers=dict(_CSV))
        if sent is None:
            return Answer(b"", headers=dict(_CSV))
        if kind == "unprocessedrecords":
            return Answer(header(sent.column_names), headers=dict(_CSV))
        errors = outcome.errors if outcome else {}
        bad = np.zeros(sent.num_rows, bool)
        bad[list(errors)] = True
        if kind == "failedResults":
            table = sent.filter(pa.array(bad))
            first = {
                "sf__Id": pa.array([""] * len(errors)),
                "sf__Error": pa.array([errors[at] for at in sorted(errors)]),
            }
        else:
            table, good = sent.filter(pa.array(~bad)), pa.array(~bad)
            made = pa.array(outcome.created[~bad] if outcome else []).cast(pa.string())
            first = {"sf__Id": outcome.ids.filter(good) if outcome else pa.array([]), "sf__Created": made}
        whole = pa.table({**first, **{name: table[name] for name in table.column_names}})
        pieces = (joined(pa.Table.from_batches([batch])) for batch in whole.combine_chunks().to_batches(65_536))
        return Answer(pieces=_headed(header(whole.column_names), pieces), headers=dict(_CSV))


def _lines(body: bytes) -> pa.Array | None:
    """Return the lines of a file, its header first; None when it has quotes, within which lines may end."""
    if b'"' in body:
        return None
    body = body if body.endswith(b"\n") else body + b"\n"
    ends = np.flatnonzero(np.frombuffer(body, np.uint8) == ord("\n")) + 1
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets.tobytes()), pa.py_buffer(body))


def _beside(outcome: Outcome, lines: pa.Array) -> Iterator[bytes | memoryview]:
    """Give the rows as they were sent, with their record ids and whether they were made in front."""
    yield b'"sf__Id","sf__Created",' + lines[0].as_py().encode()
    made = pa.array(outcome.created).cast(pa.string())
    for start in range(0, len(made), _STRETCH):
        parts = (outcome.ids.slice(start, _STRETCH), ",", made.slice(start, _STRETCH), ",")
        joined_up = pc.binary_join_element_wise(*parts, lines.slice(1 + start, _STRETCH), "")
        yield _text_of(joined_up)


def _text_of(texts: pa.Array) -> memoryview:
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(texts.buffers()[2])[int(offsets[0]) : int(offsets[-1])]


def _headed(first: bytes, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _counts(processed: int, failed: int) -> dict[str, Any]:
    facts = {"numberRecordsProcessed": processed, "numberRecordsFailed": failed, "totalProcessingTime": 1, "retries": 0}
    return facts | ({"state": "JobComplete"} if processed else {})


def _read(body: bytes) -> pa.Table:
    names = pyarrow.csv.open_csv(io.BytesIO(body)).schema.names if b"\n" in body.strip() else []
    if not names:
        return pa.table({})
    return pyarrow.csv.read_csv(
        pa.BufferReader(body),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
