"""The state folder: modes, whole files, journals that survive a cut, the lock."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl.clock import Clock
from etl.errors import LockHeld, StateFault
from etl.state import (
    Journal,
    RunDir,
    disk,
    lock,
    new_run_id,
)

NOW = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
CLOCK = Clock(now=lambda: NOW)
RUN = "20261122T010000Z-1a2b"


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set the umask for one test."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return the permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("_umask")
def test_everything_left_behind_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Folders are 0700 and files 0600 whatever the umask, the files of others in the run folder too."""
    state = tmp_path / "var"
    with lock(state, run_id=RUN, clock=CLOCK):
        assert mode(state / "lock") == mode(state / "lock.json") == 0o600
        with RunDir(state, RUN, CLOCK) as run:
            run.journal.record("run_begun")
            run.write_text("changes/Contact.csv", "x")
            os.close(os.open(run.path / "by-others.arrow", os.O_CREAT | os.O_WRONLY, 0o666))
    modes = {path.relative_to(state).as_posix(): (path.is_dir(), mode(path)) for path in state.rglob("*")}
    assert modes
    assert all(bits == (0o700 if is_folder else 0o600) for is_folder, bits in modes.values()), modes
    assert mode(state) == 0o700


def test_a_run_id_says_when_and_differs_by_chance() -> None:
    """A run id is the start in UTC and four hexadecimal digits."""
    east = NOW.astimezone(tz=None)
    ids = {new_run_id(east, random.Random(seed)) for seed in range(20)}  # noqa: S311 - no secret
    assert all(one.startswith("20261122T010000Z-") and len(one) == len(RUN) for one in ids)
    assert len(ids) == 20


def test_a_run_folder_is_never_shared(tmp_path: Path) -> None:
    """The folder of a run that is there already is refused, not written into."""
    RunDir(tmp_path, RUN, CLOCK).close()
    with pytest.raises(StateFault, match=RUN):
        RunDir(tmp_path, RUN)


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """When the pieces stop half-way, the old file stays and no half-written one is left."""
    with RunDir(tmp_path, RUN, CLOCK) as run:
        run.write_text("report.json", "old")

        def pieces() -> Iterator[bytes]:
            yield b"new, but"
            raise ValueError("cut")

        with pytest.raises(ValueError, match="cut"):
            run.write("report.json", pieces())
        assert (run.path / "report.json").read_text() == "old"
        assert sorted(path.name for path in run.path.iterdir()) == [".alive", "report.json", "work"]


def test_the_scratch_folder_goes_with_the_run(tmp_path: Path) -> None:
    """The scratch folder is there during the run and gone after it, after a failed one too."""
    run = RunDir(tmp_path, RUN, CLOCK)
    (run.work / "rows.arrow").write_bytes(b"x")
    with pytest.raises(KeyError), run:
        raise KeyError("the run's own error")
    assert not run.work.exists()


def test_a_journal_gives_back_what_was_recorded(tmp_path: Path) -> None:
    """Events come back in order, with the time and all facts, in any script."""
    journal = Journal(tmp_path / "journal.jsonl", CLOCK)
    journal.record("job_creating", object="Contact", rows=3)
    journal.record("job_created", job="750A", note="Zoë מבוא\n")
    assert journal.events() == [
        {"at": "2026-11-22T01:00:00Z", "event": "job_creating", "object": "Contact", "rows": 3},
        {"at": "2026-11-22T01:00:00Z", "event": "job_created", "job": "750A", "note": "Zoë מבוא\n"},
    ]


def test_a_line_is_synced_before_record_returns(tmp_path: Path) -> None:
    """A line is written, then synced: in a pipe, which takes the line but cannot be synced, recording is a fault."""
    path = tmp_path / "journal.jsonl"
    os.mkfifo(path, 0o600)
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(StateFault, match=r"journal\.jsonl"):
            Journal(path, CLOCK).record("first")
        assert os.read(pipe, 1000).endswith(b'"event": "first"}\n')
    finally:
        os.close(pipe)


@pytest.mark.parametrize("cut", range(1, 40, 6))
def test_a_torn_last_line_is_ignored_and_the_next_record_is_whole(tmp_path: Path, cut: int) -> None:
    """A journal cut off anywhere in its last line gives the lines before it, and goes on as if that one never was."""
    journal = Journal(tmp_path / "journal.jsonl", CLOCK)
    journal.record("first", text="x" * 9000)
    journal.record("second", text="y" * 5000)
    os.truncate(journal.path, journal.path.stat().st_size - cut)
    assert [event["event"] for event in journal.events()] == ["first"]
    journal.record("third")
    assert [event["event"] for event in journal.events()] == ["first", "third"]


def test_a_damaged_line_inside_a_journal_is_shown_not_hidden(tmp_path: Path) -> None:
    """A line in the middle that is no event becomes `unreadable` with its number; the others are still read."""
    journal = Journal(tmp_path / "journal.jsonl", CLOCK)
    journal.record("first")
    with journal.path.open("ab") as file:
        file.write(b"\x00\x00\xff\n[1]\n")
    journal.record("last")
    assert [event["event"] for event in journal.events()] == ["first", "unreadable", "unreadable", "last"]


def test_a_full_disk_is_a_state_fault() -> None:
    """A write that the kernel refuses for want of space names the path and the remedy, and is exit code 74."""
    with pytest.raises(StateFault, match=r"/dev/full.*free disk space") as caught, disk(Path("/dev/full")):
        Path("/dev/full").write_text("x")
    assert caught.value.exit_code == 74


def test_a_size_limit_half_way_through_a_line_leaves_whole_lines(tmp_path: Path) -> None:
    """When the disk takes only a part of a line, that part is taken back and the fault is raised."""
    path = tmp_path / RUN / "journal.jsonl"
    path.parent.mkdir()
    code = (
        "import resource, signal, sys; from pathlib import Path; from etl.state import Journal\n"
        "from etl.errors import StateFault\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); journal = Journal(Path(sys.argv[1])); journal.record('first')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
        "try: journal.record('second', text='x' * 500)\n"
        "except StateFault as fault: print(fault)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert str(path) in done.stdout
    assert path.read_bytes().count(b"\n") == 1
    assert path.read_bytes().endswith(b"\n")


def test_a_second_run_is_refused_at_once_and_told_who_holds_the_lock(tmp_path: Path) -> None:
    """The lock never waits; its refusal names process, host, time and run, and ends with the first run."""
    with (
        lock(tmp_path, run_id=RUN, clock=CLOCK),
        pytest.raises(LockHeld, match=rf"process {os.getpid()} on .+ since 2026-11-22T01:00:00Z, run {RUN}") as caught,
        lock(tmp_path),
    ):
        pytest.fail("two runs hold the lock")
    assert caught.value.exit_code == 75
    with lock(tmp_path):
        pass


def test_the_lock_of_a_killed_run_holds_nobody_up(tmp_path: Path) -> None:
    """A run that was killed with SIGKILL leaves its lock files, but not the lock."""
    code = (
        "import sys, time; from pathlib import Path; from etl.state import lock\n"
        "with lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(LockHeld, match=f"process {process.pid} "), lock(tmp_path):
            pytest.fail("two runs hold the lock")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (tmp_path / "lock.json").exists()
    with lock(tmp_path):
        pass


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free disk space"),
        (errno.EROFS, "state_dir"),
        (errno.EACCES, "right to write"),
        (errno.EIO, "mend"),
    ],
)
def test_a_disk_fault_says_where_and_what_to_do(number: int, remedy: str) -> None:
    """Each failure of the disk is exit code 74 with the path and a remedy."""
    with pytest.raises(StateFault, match=f"/srv/var.*{remedy}"), disk(Path("/srv/var")):
        raise OSError(number, os.strerror(number))


def test_a_state_folder_that_is_a_file_is_a_state_fault(tmp_path: Path) -> None:
    """A state_dir that cannot be a folder stops the run with 74 before anything else."""
    place = tmp_path / "var"
    place.write_text("not a folder")
    with pytest.raises(StateFault, match="var"), lock(place):
        pytest.fail("locked a file")
    with pytest.raises(StateFault, match="var"):
        RunDir(place, RUN)
