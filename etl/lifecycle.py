"""The life of one run around its pipeline: lock, folder, and a report at the end of whatever happened."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import partial

from etl import pipeline
from etl.clock import stoppable
from etl.config import NotifySettings
from etl.errors import BUG, OK, ROWS_REFUSED, Interrupted, StateFault, SyncError, bug_of, exit_code_of
from etl.interrupt import Signalled
from etl.notify import Notifier
from etl.report.html import html
from etl.report.model import Report, to_json
from etl.report.tables import changes_csv, refused_csv, unmatched_csv
from etl.stages.account import Record
from etl.stages.job import Job
from etl.state import RunDir, lock, orgfile, prune, remove_leftovers
from etl.state.kept import remove_stale
from etl.state.rundir import REFUSED, REPORT

_log = logging.getLogger(__name__)
_OUTCOMES = {OK: "ok", ROWS_REFUSED: "rows_refused"}
Work = Callable[[Job, RunDir, Record], int]


def execute(job: Job, work: Work = pipeline.run) -> tuple[Report, SyncError | None]:
    """Run a job from lock to report; return the report and the error that stopped it, if one did.

    Whatever stops it ends in a report with its exit code; of a Bug, the exception that nobody foresaw is the cause. A
    run that may write holds the lock of the state folder; LockHeld and StateFault are raised before anything was asked
    of anybody. From then on the outcome is that of the data: a report that cannot be written, or a listener who cannot
    be told, is a warning. A signal that comes while the report is written waits for its end, and afterwards shortens
    how long listeners are waited for.
    """
    state = job.settings.state_dir
    job.signals.hold()
    with _locked(job), RunDir(state, job.run_id, job.clock) as folder:
        remove_leftovers(state)
        if job.writes:
            orgfile.remove_unfinished(state)
        record = Record(job)
        notifier = Notifier(
            job.settings.notify if job.writes else NotifySettings(),
            clock=job.clock,
            random=job.random,
            transport=job.transport,
            signals=job.signals,
        )
        folder.journal.record("run_begun", command=job.command, dry_run=not job.writes)
        try:
            job.signals.release()
            notifier.began()
            code = work(replace(job, clock=stoppable(job.clock, job.stop)), folder, record)
            report, error = record.end(code, _OUTCOMES[code]), None
            job.signals.hold()
        except BaseException as raised:
            job.signals.hold()
            error = record.reason(raised) or bug_of(raised)
            report = record.end(exit_code_of(error), error.outcome, str(error))
            if not isinstance(raised, (Exception, Signalled)):  # somebody ends the process, and need not be stopped
                leave(folder, record)
                raise
        leave(folder, record)
        if job.signals.noted and error is None:
            error = Interrupted(job.signals.noted)
            report = record.end(exit_code_of(error), error.outcome, str(error))
            leave(folder, record)
        notifier.ended(report)
        if report.exit_code != BUG:
            _tidy(job, record)
    return report, error


def _locked(job: Job) -> AbstractContextManager[None]:
    return lock(job.settings.state_dir, run_id=job.run_id, clock=job.clock) if job.writes else nullcontext()


def _tidy(job: Job, record: Record) -> None:
    """Remove old runs, and listings of backfills that nobody has gone on with.

    Runs by the earlier of two clocks: one that has jumped ahead must not take the history with it.
    """
    now = min(moment for moment in (job.clock.now(), record.server_time) if moment)
    try:
        # a run that was looked at to be put back must still be there when somebody has said yes
        prune(job.settings.state_dir, job.settings.report.keep_days, now, spare=record.report.undoes)
        if job.writes:  # under the lock: a backfill under way holds what it keeps
            remove_stale(job.settings.state_dir, job.clock.now())
    except StateFault as fault:
        _log.warning("what is old was not removed: %s", fault)


def leave(folder: RunDir, record: Record) -> None:
    """Write what a run leaves: report.json, report.html, changes, unmatched and refused rows; the JSON last.

    What the disk does not take is left out, with a warning: the run has ended as it has ended.
    """
    report = record.report
    missing: list[str] = []
    for name, pieces in _files(record):
        try:
            folder.write(name, pieces())
        except StateFault as fault:
            if not missing:
                _log.warning("the report is not whole: %s", fault)
            missing.append(name)
            record.note([f"the disk did not take {name}: {fault}"])
    with suppress(StateFault):
        folder.journal.record("run_ended", exit_code=report.exit_code, outcome=report.outcome, missing=missing)
    _log.info("run %s ended: %s (exit %d)", report.run_id, report.outcome, report.exit_code)


def _files(record: Record) -> Iterator[tuple[str, Callable[[], Iterable[bytes]]]]:
    """Give the name of each file, and what makes its pieces when it is its turn."""
    report, refused = record.report, record.refused
    for name, plan in record.plan.entities.items():
        if plan.changes:
            yield f"changes/{name}.csv", partial(changes_csv, plan)
    yield "unmatched.csv", partial(unmatched_csv, record.unmatched, show_names=record.show_names)
    yield REFUSED, partial(refused_csv, refused, record.plan.rejected)
    yield "report.html", lambda: [html(report).encode()]
    yield REPORT, lambda: [json.dumps(to_json(report), indent=2, ensure_ascii=False).encode() + b"\n"]
