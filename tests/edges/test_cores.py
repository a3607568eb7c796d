"""Work given to worker processes: what comes back is what would have been worked out here, or a clear error."""

from __future__ import annotations

import logging
import operator
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.clock import Stopped
from etl.cores import Cores, available
from etl.errors import StateFault, exit_code_of

LARGE = b"x" * 100_000
PARENT = """
import os, sys, threading, time
from etl.cores import Cores
cores = Cores(1)
while not cores.call(os.getpid) or not cores.ready:
    time.sleep(0.01)
print(cores.call(os.getpid), flush=True)
cores.call(time.sleep, 60)
"""


def started(cores: Cores, workers: int) -> Cores:
    """Have the workers started, and wait for them."""
    cores.call(len, b"")
    end = time.monotonic() + 20
    while cores.ready < workers:
        assert time.monotonic() < end, "the workers did not start"
        time.sleep(0.005)
    return cores


@pytest.fixture(scope="module")
def cores() -> Iterator[Cores]:
    """Give two workers that are up."""
    with Cores(2) as made:
        yield started(made, 2)


def alive(pid: int) -> bool:
    """Say whether a process still runs; one that has ended and waits for its parent does not."""
    with suppress(OSError):
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return False


def gone_soon(pid: int) -> bool:
    """Say whether a process ends within a few seconds."""
    end = time.monotonic() + 5
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not alive(pid)


@settings(deadline=None)
@given(st.binary(max_size=20), st.integers(0, 40_000))
def test_what_comes_back_is_what_would_have_been_worked_out_here(cores: Cores, piece: bytes, times: int) -> None:
    """A function of bytes gives the same there as here, small and large, in value and type."""
    body = piece * times
    assert cores.call(operator.add, body, piece) == body + piece
    assert cores.call(type, body) is bytes


def test_it_is_another_process_that_works(cores: Cores) -> None:
    """With workers up, nothing is worked out in the process that asks."""
    pids = {cores.call(os.getpid) for _ in range(20)}
    assert pids
    assert os.getpid() not in pids


def test_an_error_is_the_one_that_would_have_been_raised_here(cores: Cores) -> None:
    """What a worker cannot do is done again here: the error has its type and message, and the worker goes on."""
    with pytest.raises(ValueError, match="invalid literal"):
        cores.call(int, "ten")
    with pytest.raises(FileNotFoundError):
        cores.call(os.listdir, "/no/such/folder")
    assert cores.call(int, "10") == 10


def test_a_function_that_has_no_name_to_be_sent_by_is_refused_before_it_is_sent() -> None:
    """A lambda cannot be pickled: the caller is told, not kept waiting."""
    with Cores(1) as made, pytest.raises(Exception, match="pickle"):
        started(made, 1).call(lambda: 1)


def test_little_work_starts_no_process() -> None:
    """The calls of the threshold are done here; the next one starts the workers."""
    with Cores(1, after=3) as made:
        assert [made.call(os.getpid) for _ in range(3)] == [os.getpid()] * 3
        assert made.ready == 0
        time.sleep(0.2)
        assert made.ready == 0
        assert started(made, 1).call(os.getpid) != os.getpid()


def test_much_work_that_is_expected_starts_them_at_once() -> None:
    """Workers that are started after some calls are started before, too, when more calls than those are expected."""
    with Cores(1, after=5) as made:
        made.expect(5)
        assert made._all == []
        made.expect(6)
        assert len(made._all) == 1
        made.expect(7)
        assert len(made._all) == 1
    made.expect(9)
    assert made._all == [], "nothing is started once it is over"


def test_workers_can_be_started_before_anything_is_known_of_the_work() -> None:
    """Told to start, they start, whatever the threshold, once; and they are given even the first call."""
    with Cores(1, after=99) as made:
        made.start()
        made.start()
        assert len(made._all) == 1
        assert started(made, 1).call(os.getpid) != os.getpid()
    made.start()
    assert made._all == [], "nothing is started once it is over"


def test_nobody_waits_for_a_worker_to_start() -> None:
    """While the workers are starting, which takes them tenths of a second, everything is done here."""
    with Cores(1) as made:
        made.expect(1)
        assert made.call(os.getpid) == os.getpid()


def test_a_worker_is_sent_the_next_question_while_it_works_one_out(cores: Cores) -> None:
    """As many threads as there are workers ask for something long: one more has its answer before them."""
    pair = [threading.Thread(target=cores.call, args=(time.sleep, 1.0)) for _ in range(2)]
    for thread in pair:
        thread.start()
    time.sleep(0.1)
    assert cores.call(os.getpid) != os.getpid()
    assert all(thread.is_alive() for thread in pair)
    for thread in pair:
        thread.join()


def test_without_other_cores_everything_is_done_here() -> None:
    """With no workers wanted, no process is ever started."""
    with Cores(0) as made:
        assert made.call(os.getpid) == os.getpid()
        assert made.ready == 0


def test_a_killed_worker_is_a_clear_error_and_no_wait() -> None:
    """A worker killed at work (memory had run out) ends the run with 74, says what happened; so for all who ask."""
    with Cores(2) as made:
        started(made, 2)
        with pytest.raises(StateFault, match=r"a worker process of this run was ended by SIGKILL.*memory") as fault:
            made.call(signal.raise_signal, signal.SIGKILL)
        assert exit_code_of(fault.value) == 74
        with pytest.raises(StateFault, match="SIGKILL"):
            made.call(len, b"")


def test_a_worker_killed_while_it_waits_is_noticed_by_the_next_who_asks() -> None:
    """A worker that was killed idle is a clear error too, also for a question larger than what the socket holds."""
    with Cores(1) as made:
        pid = started(made, 1).call(os.getpid)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(StateFault, match="SIGKILL"):
            made.call(len, LARGE * 20)


def test_a_silent_worker_is_given_up() -> None:
    """A worker that gives no answer in the time allowed is an error, and is ended."""
    with Cores(1, seconds=0.3) as made:
        pid = started(made, 1).call(os.getpid)
        with pytest.raises(StateFault, match=r"gave no answer in 0.3 s"):
            made.call(time.sleep, 30)
        assert gone_soon(pid)


def test_a_worker_takes_no_part_in_signals(cores: Cores) -> None:
    """SIGINT and SIGTERM, as a terminal or an init system sends them to all, are for the process that asked."""
    for number in (signal.SIGINT, signal.SIGTERM):
        assert cores.call(signal.raise_signal, number) is None
    assert cores.call(int, "10") == 10
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGINT, signal.SIGTERM} == set()


def test_workers_end_with_whoever_started_them() -> None:
    """When the process that asked is killed, its workers end within seconds, busy or not."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    assert gone_soon(pid)


def test_close_ends_the_workers_and_wakes_whoever_waits() -> None:
    """After `close` no process is left; a thread that waited for an answer or for a worker is told Stopped."""
    told: list[BaseException] = []

    def ask() -> None:
        try:
            made.call(time.sleep, 30)
        except Stopped as error:
            told.append(error)

    made = Cores(1)
    pid = started(made, 1).call(os.getpid)
    threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    made.close()
    for thread in threads:
        thread.join(5)
    assert (len(told), alive(pid)) == (3, False)
    with pytest.raises(Stopped):
        made.call(len, b"")


def test_a_worker_that_cannot_start_is_done_without(caplog: pytest.LogCaptureFixture) -> None:
    """A worker that ends before it was given anything costs a warning: everything is done here."""
    with caplog.at_level(logging.WARNING), Cores(1, imports=["no_such_module"]) as made:
        end = time.monotonic() + 20
        while not caplog.records and time.monotonic() < end:
            assert made.call(os.getpid) == os.getpid()
        assert made.call(os.getpid) == os.getpid()
    assert "a worker process ended with status 1 at its start: this run uses fewer cores" in caplog.text


@pytest.mark.parametrize(("quota", "most"), [("max 100000\n", 64), ("100000 100000\n", 1), ("150000 100000\n", 2)])
def test_a_quota_counts_as_cores(tmp_path: Path, quota: str, most: int) -> None:
    """In a container the quota bounds the cores, rounded up; without one the affinity does."""
    file = tmp_path / "cpu.max"
    file.write_text(quota, encoding="ascii")
    here = len(os.sched_getaffinity(0))
    assert available(file) == min(most, here)
    assert available(tmp_path / "none") == here
