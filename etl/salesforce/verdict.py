"""What a job's results mean for its rows: written, refused, to be sent again, or unknown; it sends nothing."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from etl.salesforce.joblist import Job
from etl.salesforce.results import Outcome

_PASSING = ["UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION", "QUERY_TIMEOUT"]
"""Refusals that another attempt may mend: a lock, and hiccups of the platform."""
_WRAPPING = ["CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER"]
"""Errors of triggers and flows, which may hold a lock inside."""
_LOCKED_INSIDE = r"UNABLE_TO_LOCK_ROW|unable to obtain exclusive access"
_GONE = ["ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"]
"""How a delete is answered for a record that is in the recycle bin, or gone from there too."""
_UNREADABLE = ("InvalidBatch", "ClientInputError")
"""How the error of a job begins whose file could not be read (the latter: its line ends, as seen in the field)."""
REFUSED = pa.schema({"key": pa.string(), "code": pa.string(), "message": pa.string()})


@dataclass(frozen=True)
class Verdict:
    """The rows of one job: the numbers and the keys add up to the rows that were sent."""

    created: int
    updated: int
    deleted: int
    refused: pa.Table
    """key, code, message."""
    again: pa.Array
    """Keys of rows worth sending again; none after the last round."""
    unknown: pa.Array

    @property
    def not_written(self) -> pa.Array:
        """Keys of the rows that are not known to be in Salesforce (those to be sent again left out)."""
        return pa.concat_arrays([self.refused["key"].combine_chunks(), self.unknown])


def judge(operation: str, job: Job, outcome: Outcome, *, last: bool) -> Verdict:
    """Sort the rows of an ended job.

    A record that was deleted already counts as deleted by a delete. Rows of a job that somebody aborted, or whose file
    Salesforce could not read, are not sent again.
    """
    failed, unprocessed, unknown = outcome.failed, outcome.unprocessed, outcome.unknown
    # an insert that is repeated makes a second row, so there only Salesforce's own word counts
    if (
        operation != "insert"
        and job.state != "JobComplete"
        and job.processed == outcome.written.num_rows + failed.num_rows
    ):
        # the job stopped early and every row it got to is named: the others were not got to
        unprocessed, unknown = pa.concat_arrays([unprocessed, unknown]), unknown.slice(0, 0)
    gone = pc.and_(pc.is_in(failed["code"], value_set=pa.array(_GONE)), operation == "delete")
    passing = pc.and_(_in_passing(failed), not (last or job.state == "Aborted"))
    final = failed.filter(pc.invert(pc.or_(gone, passing))).cast(REFUSED)
    again = failed["key"].filter(passing).combine_chunks()
    if last or job.state == "Aborted" or any(word in job.error for word in _UNREADABLE):
        words = job.error or "the job ended before this row"
        final = pa.concat_tables([final, refused(unprocessed, f"JOB_{job.state.upper()}", words)])
    else:
        again = pa.concat_arrays([again, unprocessed])
    written = outcome.written.num_rows
    created = 0 if operation == "delete" else _true(pc.fill_null(outcome.written["created"], False))
    return Verdict(
        created=created,
        updated=0 if operation == "delete" else written - created,
        deleted=_true(gone) + (written if operation == "delete" else 0),
        refused=final,
        again=again,
        unknown=unknown,
    )


def _true(values: pa.ChunkedArray) -> int:
    return int(pc.sum(values).as_py() or 0)


def _in_passing(failed: pa.Table) -> pa.ChunkedArray:
    locked_inside = pc.and_(
        pc.is_in(failed["code"], value_set=pa.array(_WRAPPING)),
        pc.match_substring_regex(failed["message"], _LOCKED_INSIDE),
    )
    return pc.or_(pc.is_in(failed["code"], value_set=pa.array(_PASSING)), locked_inside)


def refused(keys: pa.Array | pa.ChunkedArray, code: str, words: str) -> pa.Table:
    """Return rows (key, code, message) refused for one and the same reason."""
    texts = (pa.array([text] * len(keys), pa.string()) for text in (code, words))
    return pa.table([keys, *texts], REFUSED)
