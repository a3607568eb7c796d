"""Faults of the machine and the night: two starts, a kill, hosts that are not there, an environment full of traps."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from runs.afterwards import at_rest
from runs.elsewhere import Elsewhere
from runs.listener import Listener
from runs.org_time import OrgTime
from runs.programs import COMMAND, ROOT, Program, ended
from runs.small_world import furnish, quick, stopped
from runs.stage import CONTACT_ROWS, MEMBERSHIP, Stage
from runs.told import told

from etl.clock import Clock
from etl.emulator.faults import Fault


@pytest.mark.fault("R1", "R15", "D39")
def test_a_second_start_leaves_the_first_alone(stage: Stage, tmp_path: Path) -> None:
    """A run that begins while another is at work in the state folder ends with 75 at once: named, nobody asked."""
    furnish(stage)
    gate, reading = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        reading.set()
        gate.wait(50)

    stage.emu.salesforce_faults.add(Fault(match="POST .*/jobs/query", hook=hold))
    first = Elsewhere(stage, tmp_path / "first").start("run", state_dir=str(stage.state_dir))
    assert reading.wait(60)
    second = stage.run()
    gate.set()
    ((code, said),) = ended([first])
    assert (second.code, second.ledger, second.folder, code) == (75, (), None, 0), said
    assert " INFO " in said, "the log would not be looked through"
    for words in (f"process {first.pid} on", "another run holds", "nothing was written", "run again once it has ended"):
        assert words in second.err
    assert len(stage.rows(CONTACT_ROWS)) == 4
    at_rest(stage)
    stage.settled()


@pytest.mark.long
@pytest.mark.fault("R9")
def test_a_run_killed_for_its_memory_goes_on(stage: Stage, tmp_path: Path) -> None:
    """Killed by the kernel in the middle of a file, a run leaves a lease and an Open job: the next ends both."""
    furnish(stage)
    pod = Elsewhere(stage, tmp_path / "pod")
    stage.emu.salesforce_faults.add(Fault(match=r"PUT \S*/batches", nth=3, hook=lambda _: process.kill()))
    process = pod.start()
    ((code, words),) = ended([process])
    assert code == -9, words
    stage.state_dir = pod.folder / "var"
    stage.configure(state_dir=str(stage.state_dir))
    result = stage.synced()
    assert result.counts(MEMBERSHIP)["unchanged"] == 3
    assert result.counts(CONTACT_ROWS)["created"] == 4
    assert "of an earlier run: aborted, nothing was written" in result.warnings
    at_rest(stage)


_MOUNTED = """
mount --make-rprivate / && mount --bind "$1" "$1" && mount --rbind "$2" "$2" || exit 99
mount -o remount,bind,ro "$2" && mount -o remount,bind,ro / || exit 99
if touch "$2/probe" 2>/dev/null; then exit 98; fi
shift 2; exec "$@"
"""
_REFUSED = """
import errno, os, runpy, sys
ours, sys.argv = sys.argv[1], ["etl", *sys.argv[2:]]
def refuse(event, args):
    path, mode = (args[0], args[2]) if event == "open" else (args[0], os.O_WRONLY) if event in {
        "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.chmod", "os.link", "os.symlink"
    } else ("", 0)
    if isinstance(path, (str, bytes, os.PathLike)) and mode & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        where = os.path.abspath(os.fsdecode(path))
        if not where.startswith((ours, "/dev/", "/proc/")):
            raise OSError(errno.EROFS, "read-only in this test", where)
sys.addaudithook(refuse)
runpy.run_module("etl", run_name="__main__", alter_sys=True)
"""
"""For machines where nothing can be mounted: whatever Python would write outside of the folder is refused."""


def _mounted(state: Path, rest: Path, arguments: list[str]) -> list[str]:
    """Return the command of a run on disks that are mounted to be read, but for the state folder."""
    return ["unshare", "-m", "sh", "-c", _MOUNTED, "sh", str(state), str(rest), *COMMAND, *arguments]


def _refused(state: Path, _: Path, arguments: list[str]) -> list[str]:
    """Return the command of a run that is refused any other folder than the state folder."""
    return [sys.executable, "-B", "-c", _REFUSED, str(state), *arguments]


@pytest.mark.fault("R8", "R12")
@pytest.mark.parametrize("read_only", [_mounted, _refused])
def test_nothing_but_the_state_folder_is_needed_of_the_machine(
    stage: Stage, tmp_path: Path, read_only: Callable[[Path, Path, list[str]], list[str]]
) -> None:
    """With a read-only disk, an empty home, and proxies, netrc and certificates in the environment, a run runs."""
    furnish(stage)
    machine = Elsewhere(stage, tmp_path / "pod")
    arguments = ["-v", "--config", str(machine.config()), "run"]
    state = machine.folder / "var"
    state.mkdir()
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login wrong password wrong\ndefault login wrong password wrong\n")
    with Listener() as trap:
        traps = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), trap.url)
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "NETRC": str(netrc), "HOME": "/nonexistent"}
        nowhere = dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "TMPDIR"), "/nonexistent")
        program = Program(stage, read_only(state, tmp_path, arguments), env=environ | traps | nowhere)
        ((code, said),) = ended([program])
        if code in {1, 99} and ("unshare" in said or "mount" in said):
            pytest.skip(f"no mounts of one's own here ({said.strip()}): the disk is refused, not read-only")
        assert code == 0, said
        assert trap.told == []
    assert len(stage.rows(CONTACT_ROWS)) == 4
    assert len(machine.reports()) == 1


@pytest.mark.fault("R11")
@pytest.mark.parametrize("address", ["https://nobody.invalid", "http://127.0.0.1:9"])
@pytest.mark.parametrize("vendor", ["Salesforce", "LearnUpon"])
def test_a_host_that_is_not_there(stage: Stage, vendor: str, address: str) -> None:
    """A name that does not resolve, or a port where nobody listens: 69 after five attempts, with the host's name."""
    furnish(stage)
    if vendor == "Salesforce":
        stage.configure(salesforce={"login_url": address})
    else:
        stage.settings["portals"][0]["url"] = address
    began = time.monotonic()
    result = stage.run(clock=quick())
    stopped(result, 69, urlsplit(address).hostname or "", "5 attempts", "run again later")
    told(result, 69)
    assert time.monotonic() - began < 60


@pytest.mark.fault("R16")
def test_missed_nights_are_made_up_for(stage: Stage) -> None:
    """After nights without a run one run brings in all that changed, in whichever night; the next has nothing to do."""
    world = furnish(stage)
    stage.synced()
    clock = OrgTime(stage)
    first, second, *_ = sorted(stage.academy.enrollments)
    going = stage.enroll(world.learners[1], world.second_course, status="in_progress")
    clock.jump(24 * 60)
    stage.academy.change_enrollment(first, percentage=40)
    stage.academy.change_enrollment(going, status="passed", percentage=70)
    clock.jump(24 * 60)
    stage.academy.change_enrollment(first, percentage=50)
    stage.academy.unenroll(second)
    clock.jump(24 * 60)
    result = stage.synced()
    rows = stage.rows(CONTACT_ROWS)
    assert rows[f"12345:enrollment:{first}"]["Score__c"] == 50
    assert rows[f"12345:enrollment:{going}"]["Status__c"] == "Passed"
    assert rows[f"12345:enrollment:{second}"]["Removed_In_LearnUpon__c"] is True
    assert result.counts(CONTACT_ROWS)["created"] == 1
    stage.settled()


def test_two_runs_of_one_second_have_folders_of_their_own(stage: Stage) -> None:
    """Of two runs that begin in the same second and draw the same four digits, the second draws again."""
    moment = datetime.now(UTC)
    results = [stage.run("plan", clock=Clock(now=lambda: moment), random=random.Random(7)) for _ in range(2)]  # noqa: S311
    assert [result.code for result in results] == [0, 0]
    first, second = (result.report["run_id"] for result in results)
    assert (first[:16], first != second) == (second[:16], True)
