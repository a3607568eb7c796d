"""What became of the rows of a job: its three result files, matched by the key column; it sends nothing again.

Source: Bulk API 2.0 guide, "get job successful / failed / unprocessed record results". The order of rows is not
promised, and a job that failed or was aborted may have written some of its rows, so all three are always read.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import requests

from etl.errors import StateFault, Unavailable
from etl.salesforce.answers import is_page
from etl.salesforce.csvtext import Part, read_back
from etl.salesforce.joblist import Job
from etl.salesforce.org import Org
from etl.salesforce.typed import Column, Malformed, from_csv
from etl.session import chunks, read_body
from etl.veil import veiled

_log = logging.getLogger(__name__)

_SUCCESSFUL, _FAILED, _UNPROCESSED = "successfulResults", "failedResults", "unprocessedrecords"
_ANSWER_S = 600.0
_SMALL = 1 << 16
_REREADS = 2


@dataclass(frozen=True)
class Outcome:
    """The rows of one job by what became of them; together they are the rows that were sent."""

    written: pa.Table
    """key, id, created (bool)."""
    failed: pa.Table
    """key, code, message."""
    unprocessed: pa.Array
    """Keys of rows that Salesforce says it did not get to."""
    unknown: pa.Array
    """Keys that none of the three files names."""


def read_outcome(org: Org, job: Job, part: Part, key: str, folder: Path) -> Outcome:
    """Read the three result files of an ended job and match them with the rows that were sent.

    `key` is the column (API name) that tells rows apart. A set of files that contradicts the job's own counts is read
    once more; rows still not named then are `unknown`. Raises Unavailable when a file cannot be had.
    """
    sent = read_back(part.path, [key])[key].combine_chunks()
    for last in (False, True):
        outcome = _match(_files(org, job, key, folder), sent)
        if last or _adds_up(job, outcome):
            return outcome
        _log.warning("job %s: the result files do not add up with its counts; reading them again", job.id)
    raise AssertionError  # pragma: no cover - the loop returns


def _files(org: Org, job: Job, key: str, folder: Path) -> tuple[pa.Table, pa.Table, pa.Table]:
    text, boolean = pa.string(), pa.bool_()
    keyed = Column("key", key, text)
    # a delete's only column is Id, and then the key is the record id itself
    written = (keyed, Column("id", "sf__Id", text), Column("created", "sf__Created", boolean))
    failed = (keyed, Column("error", "sf__Error", text))
    return (
        _file(org, job, _SUCCESSFUL, written, folder),
        _file(org, job, _FAILED, failed, folder),
        _file(org, job, _UNPROCESSED, (keyed,), folder),
    )


def _file(org: Org, job: Job, kind: str, columns: Sequence[Column], folder: Path) -> pa.Table:
    path = folder / f"{job.id}-{kind}.csv"

    def consume(response: requests.Response) -> None:
        if response.status_code != 200 or is_page(response):
            read_body(response, clock=org.clock, seconds=_ANSWER_S, max_bytes=_SMALL * 16)
            return
        try:
            with path.open("wb") as file:
                for piece in chunks(response, clock=org.clock, seconds=_ANSWER_S):
                    file.write(piece)
        except OSError as error:
            raise StateFault(f"cannot write {path}: {error.strerror or error}; free disk space") from error

    fault: Malformed | None = None
    for _ in range(_REREADS):
        org.send("GET", org.path(f"jobs/ingest/{job.id}/{kind}"), headers={"Accept": "text/csv"}, consume=consume)
        try:
            if path.stat().st_size >= _SMALL:
                return from_csv(path, columns)
            body = path.read_bytes()
            # a header alone names no rows; that of a job that wrote nothing may lack the columns that were sent
            return from_csv(body if len(body.strip().splitlines()) > 1 else b"", columns)
        except Malformed as error:
            fault = error
        finally:
            path.unlink(missing_ok=True)
    raise Unavailable(f"job {job.id}: {kind} cannot be read: {fault}") from fault


def _match(files: tuple[pa.Table, pa.Table, pa.Table], sent: pa.Array) -> Outcome:
    written, failed, unprocessed = (_ours(table, sent) for table in files)
    named = pa.concat_arrays([table["key"].combine_chunks() for table in (written, failed, unprocessed)])
    codes, messages = _split(failed["error"].combine_chunks())
    return Outcome(
        written=written,
        failed=pa.table({"key": failed["key"], "code": codes, "message": messages}),
        unprocessed=unprocessed["key"].combine_chunks(),
        unknown=sent.filter(pc.invert(pc.is_in(sent, value_set=named))),
    )


def _ours(table: pa.Table, sent: pa.Array) -> pa.Table:
    return table.filter(pc.is_in(table["key"], value_set=sent))


def _split(errors: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return code and words of `CODE:words:Fields --` (Bulk API 2.0 guide, "get job failed record results")."""
    errors = pc.fill_null(errors, "")
    parts = pc.extract_regex(errors, r"(?s)^(?P<code>[A-Z][A-Z0-9_]*):(?P<message>.*)$")
    unnamed = pc.is_null(parts)
    codes = pc.if_else(unnamed, "UNKNOWN", pc.struct_field(parts, "code"))
    return codes, _veiled(pc.if_else(unnamed, errors, pc.struct_field(parts, "message")))


def _veiled(messages: pa.Array) -> pa.Array:
    """Return messages without tokens: a trigger's words may quote the call it made."""
    coded = messages.dictionary_encode()
    different = pa.array([veiled(one) for one in coded.dictionary.to_pylist()], pa.string())
    return different.take(coded.indices)


def _adds_up(job: Job, outcome: Outcome) -> bool:
    succeeded = job.processed - job.failed
    return not len(outcome.unknown) and job.failed == outcome.failed.num_rows and succeeded == outcome.written.num_rows
