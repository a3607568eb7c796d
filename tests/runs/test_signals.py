"""SIGTERM and SIGINT in the middle of a run: it stops within 20 seconds, tells the truth, and the next run goes on.

A few moments of a run; `make stops` tries 200 that chance chooses.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from runs.elsewhere import Elsewhere, signalled
from runs.laboratory import Laboratory
from runs.listener import Listener
from runs.org_time import records
from runs.stage import CONTACT_ROWS, Stage

from etl.clock import Clock
from etl.emulator.faults import Fault

MOMENTS = {
    "the lease": "send POST /services/data/v67.0/composite/sobjects",
    "the log": "send PATCH /services/data/v67.0/composite/sobjects",
    "reading": "enrollments/search",
    "a job made": "send POST /services/data/v67.0/jobs/ingest",
    "an upload": "send PUT",
    "a job closed": 'send {"state": "UploadComplete"}',
    "results": "failedResults",
    "the lease given back": "send DELETE /services/data/v67.0/composite/sobjects",
    "the report": "os.rename",
    "its end": "report.json",
}
"""A part of the name of the step before which the signal comes: its first one in the run."""


@pytest.mark.fault("R4", "R5")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_stops_a_run_cleanly(moment: str, laboratory: Laboratory) -> None:
    """Whatever a run is at, SIGTERM ends it with 143 and an honest report, and one more run ends as if undisturbed."""
    signum = signal.SIGINT if moment in {"reading", "results"} else signal.SIGTERM
    found = laboratory.play("a night of changes", "stopped", signum=signum, at_name=MOMENTS[moment])
    assert found["code"] == 128 + signum, found
    assert found["took_s"] < 20


@pytest.mark.fault("R4")
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_signal_may_come_while_everything_is_imported(share: float, laboratory: Laboratory) -> None:
    """A new process that is told to stop ends at once: by the signal itself until it could begin anything, then 143."""
    found = laboratory.play("nothing to do", "stopped", share=share, cold=True)
    assert found["code"] in {-signal.SIGTERM, 143, 0}


@pytest.mark.fault("R4")
def test_a_second_signal_ends_a_run_that_tidies_up(laboratory: Laboratory) -> None:
    """Who cannot wait asks again: the run ends on the spot, and one more run ends as if undisturbed."""
    found = laboratory.play("a night of changes", "impatient")
    assert found["code"] == -signal.SIGTERM
    assert found["took_s"] < 4


@pytest.mark.fault("R4")
def test_a_server_that_is_silent_holds_no_run_up(stage: Stage) -> None:
    """SIGTERM ends a run in time though all that it asks Salesforce for by Bulk jobs hangs, in threads of their own."""
    asked, over = threading.Event(), threading.Event()

    def silence(_: object) -> None:
        asked.set()
        over.wait(60)

    stage.emu.salesforce_faults.add(Fault(match="POST .*/jobs/query", times=None, hook=silence))
    machine = Elsewhere(stage, stage.folder / "pod")
    with machine.start() as process:
        assert asked.wait(60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143
    over.set()
    (report,) = machine.reports()
    assert (report["exit_code"], report["outcome"]) == (143, "interrupted")
    assert records(stage, "lease:") == {}


@dataclass
class _Jumping:
    """A wall clock that is wrong by some hours, differently whenever it is told."""

    ahead: timedelta = field(default=timedelta())

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.mark.fault("R10")
@pytest.mark.parametrize("hours", [30, -30])
def test_a_clock_that_jumps_shortens_and_lengthens_no_wait(stage: Stage, hours: int) -> None:
    """A wall clock that is set right while a job is waited for ends no wait too early and none too late."""
    stage.enroll(stage.learner())
    stage.org.job_seconds = 0.2
    jumping = _Jumping()
    stage.before("GET .*/jobs/ingest/", lambda: setattr(jumping, "ahead", timedelta(hours=hours)))
    began = datetime.now(UTC)
    result = stage.run(clock=Clock(now=jumping.now))
    assert (result.code, len(stage.rows(CONTACT_ROWS))) == (0, 1), result.err
    assert datetime.now(UTC) - began < timedelta(seconds=60)
    stage.settled()


def test_a_reader_of_the_results_who_goes_away_stops_nothing(stage: Stage) -> None:
    """Standard output that nobody reads any more is no reason to fail, before a row is written or after."""
    stage.enroll(stage.learner())
    machine = Elsewhere(stage, stage.folder / "pod")
    with machine.start(piped=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 0
    (report,) = machine.reports()
    assert (report["exit_code"], len(stage.rows(CONTACT_ROWS))) == (0, 1)


@contextmanager
def _silent() -> Iterator[socket.socket]:
    """Give a server that takes every connection and says nothing; it can be asked for the connections it has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def _url(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}/ping"


@pytest.mark.fault("R4", "R14")
def test_a_switch_that_is_silent_at_the_start_holds_no_run_up(stage: Stage) -> None:
    """SIGTERM ends a run that waits for the dead man's switch to hear of its start: 143 in time, nothing written."""
    stage.enroll(stage.learner())
    machine = Elsewhere(stage, stage.folder / "pod")
    with (
        _silent() as switch,
        machine.start(notify={"ping_url": _url(switch)}) as process,
        switch.accept()[0] as connection,
    ):
        assert connection.recv(1000).startswith(b"POST /ping/start ")
        assert signalled(process, signal.SIGTERM) == 143
    (report,) = machine.reports()
    assert (report["exit_code"], report["outcome"]) == (143, "interrupted")
    assert stage.rows(CONTACT_ROWS) == {}


@pytest.mark.fault("R4", "R14")
def test_listeners_that_are_silent_at_the_end_hold_no_run_up(stage: Stage) -> None:
    """SIGTERM while listeners are told how a run ended shortens the waiting for each, and changes no outcome."""
    stage.enroll(stage.learner())
    machine = Elsewhere(stage, stage.folder / "pod")
    with _silent() as slack, Listener() as listener:
        hooks = {"ping_url": f"{listener.url}/ping", "slack_webhook": _url(slack)}
        with machine.start(notify=hooks) as process, slack.accept()[0] as connection:
            assert connection.recv(1000).startswith(b"POST /ping ")
            assert signalled(process, signal.SIGTERM) == 0
            assert "notify.slack_webhook could not be told" in process.said()
    (report,) = machine.reports()
    assert (report["exit_code"], report["outcome"]) == (0, "ok")
    assert [path for path, _ in listener.told] == ["/ping/start", "/ping/0"]
    assert len(stage.rows(CONTACT_ROWS)) == 1
