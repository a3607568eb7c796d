"""What results mean: the rows of a job are sorted completely, whatever the job's end."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.salesforce.joblist import Job
from etl.salesforce.results import Outcome, _split
from etl.salesforce.verdict import judge

CODES = ["UNABLE_TO_LOCK_ROW", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "ENTITY_IS_DELETED", "UNKNOWN"]


def job(state: str = "JobComplete", processed: int = 0, failed: int = 0, error: str = "") -> Job:
    """Return an ended job."""
    return Job("750", state, "X", "upsert", "", None, processed, failed, error)


def outcome(
    written: list[bool] | None = None,
    failed: list[tuple[str, str]] | None = None,
    unprocessed: int = 0,
    unknown: int = 0,
) -> Outcome:
    """Return an outcome: written rows by whether they were created, failed ones by code and words."""
    written, failed = written or [], failed or []
    rows = {"key": [f"w{n}" for n in range(len(written))], "id": ["x"] * len(written), "created": written}
    errors = {
        "key": [f"f{n}" for n in range(len(failed))],
        "code": [one[0] for one in failed],
        "message": [one[1] for one in failed],
    }
    kinds = {"key": pa.string(), "id": pa.string(), "created": pa.bool_(), "code": pa.string(), "message": pa.string()}
    return Outcome(
        written=pa.table({name: pa.array(values, kinds[name]) for name, values in rows.items()}),
        failed=pa.table({name: pa.array(values, kinds[name]) for name, values in errors.items()}),
        unprocessed=pa.array([f"u{n}" for n in range(unprocessed)], pa.string()),
        unknown=pa.array([f"?{n}" for n in range(unknown)], pa.string()),
    )


@pytest.mark.parametrize(
    ("code", "words", "again"),
    [
        ("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", True),
        ("SERVER_UNAVAILABLE", "", True), ("UNKNOWN_EXCEPTION", "", True), ("QUERY_TIMEOUT", "", True),
        ("CANNOT_EXECUTE_FLOW_TRIGGER", "UNABLE_TO_LOCK_ROW: unable to obtain ...", True),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Trg: execution of AfterUpdate caused by: UNABLE_TO_LOCK_ROW", True),
        ("CANNOT_EXECUTE_FLOW_TRIGGER", "null reference", False),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "UNABLE_TO_LOCK_ROW is what the text says", False),
        ("STORAGE_LIMIT_EXCEEDED", "", False), ("DUPLICATE_VALUE", "", False), ("ENTITY_IS_DELETED", "", False),
    ],
)  # fmt: skip
def test_what_passes(code: str, words: str, again: bool) -> None:  # noqa: FBT001 - a case of the table
    """Locks and hiccups of the platform are worth another attempt, other refusals are not."""
    verdict = judge("upsert", job(processed=1, failed=1), outcome(failed=[(code, words)]), last=False)
    assert (len(verdict.again), verdict.refused.num_rows) == ((1, 0) if again else (0, 1))


def test_last_round() -> None:
    """After the last round what would pass is refused like everything else, with its code."""
    verdict = judge("upsert", job(processed=1, failed=1), outcome(failed=[(CODES[0], "x")]), last=True)
    assert verdict.refused["code"].to_pylist() == ["UNABLE_TO_LOCK_ROW"]


@pytest.mark.parametrize("code", ["ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"])
def test_deleted_already(code: str) -> None:
    """A record to delete that is gone, purged even, counts as deleted; one to update that is gone is refused."""
    gone = [(code, "words")]
    assert judge("delete", job(processed=2, failed=1), outcome([False], gone), last=False).deleted == 2
    assert judge("update", job(processed=2, failed=1), outcome([False], gone), last=False).refused.num_rows == 1


@pytest.mark.parametrize(
    "error",
    [
        "InvalidBatch : Field name not found : X",
        "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF",
    ],
)
def test_failed_half_way(error: str) -> None:
    """Rows that a failed job did not get to are sent again; those of an unreadable file, or an aborted job, are not."""
    half = outcome([True, False], unprocessed=1, unknown=2)
    failed = judge("upsert", job("Failed", processed=2), half, last=False)
    assert (failed.created, failed.updated, len(failed.again), len(failed.unknown)) == (1, 1, 3, 0)
    unreadable = judge("upsert", job("Failed", processed=2, error=error), half, last=False)
    assert (len(unreadable.again), unreadable.refused["code"].to_pylist()) == (0, ["JOB_FAILED"] * 3)
    aborted = judge("upsert", job("Aborted", processed=2), half, last=False)
    assert (len(aborted.again), aborted.refused["code"].to_pylist()) == (0, ["JOB_ABORTED"] * 3)


def test_unnamed_rows_of_an_insert_that_failed() -> None:
    """An insert that is repeated makes a second row: only rows that Salesforce calls unprocessed are sent again."""
    half = outcome([True, True], unprocessed=1, unknown=2)
    verdict = judge("insert", job("Failed", processed=2), half, last=False)
    assert (verdict.again.to_pylist(), verdict.unknown.to_pylist()) == (["u0"], ["?0", "?1"])


def test_unnamed_rows_of_a_complete_job() -> None:
    """Rows that a complete job does not name are unknown: they are not sent again."""
    verdict = judge("upsert", job(processed=1), outcome([True], unknown=1), last=False)
    assert (len(verdict.unknown), len(verdict.again)) == (1, 0)


def test_unnamed_rows_of_a_failed_job_that_got_further() -> None:
    """Rows that a failed job may have written, since it got further than its results say, are unknown."""
    verdict = judge("upsert", job("Failed", processed=2), outcome([True], unknown=1), last=False)
    assert (len(verdict.unknown), len(verdict.again)) == (1, 0)


@given(
    st.lists(st.booleans(), max_size=5),
    st.lists(st.tuples(st.sampled_from(CODES), st.just("x")), max_size=5),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(["JobComplete", "Failed", "Aborted"]),
    st.sampled_from(["upsert", "update", "delete"]),
    st.booleans(),
)
def test_numbers_add_up(
    written: list[bool],
    failed: list[tuple[str, str]],
    unprocessed: int,
    unknown: int,
    state: str,
    operation: str,
    last: bool,  # noqa: FBT001 - generated
) -> None:
    """Whatever came of a job, every row is in exactly one heap."""
    ended = job(state, processed=len(written) + len(failed), failed=len(failed))
    verdict = judge(operation, ended, outcome(written, failed, unprocessed, unknown), last=last)
    heaps = [verdict.created, verdict.updated, verdict.deleted, verdict.refused.num_rows, len(verdict.again)]
    assert sum(heaps) + len(verdict.unknown) == len(written) + len(failed) + unprocessed + unknown
    if last:
        assert not len(verdict.again)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ("UNABLE_TO_LOCK_ROW:unable: to lock:--", "UNABLE_TO_LOCK_ROW", "unable: to lock:--"),
        ("REQUIRED_FIELD_MISSING:Required:Name --", "REQUIRED_FIELD_MISSING", "Required:Name --"),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION:two\nlines:--", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "two\nlines:--"),
        ("no code at all", "UNKNOWN", "no code at all"), ("", "UNKNOWN", ""), (None, "UNKNOWN", ""),
    ],
)  # fmt: skip
def test_row_errors(error: str | None, code: str, words: str) -> None:
    """A row's error is split into Salesforce's code and its words; without a code the words are kept."""
    codes, messages = _split(pa.array([error], pa.string()))
    assert (codes.to_pylist(), messages.to_pylist()) == ([code], [words])
