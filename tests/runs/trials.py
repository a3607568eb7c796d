"""Trials in a copy of a world: a run is disturbed, one more run must end as if nobody had; it makes no world."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runs.afterwards import at_rest, held
from runs.audit import audit
from runs.killed import HANGS, Disturbance, Ended, Launcher
from runs.org_time import OrgTime, records
from runs.result import Result
from runs.stage import Stage

from etl.emulator.faults import Fault

LATEST_S = 20.0
"""How long a run may take to end after a signal."""
_DIED_MINUTES = 11
"""A little more than a lease lasts after its holder's last sign of life."""
_TICK_S = 0.05
"""How far the time of a file may be from the time of a signal that came at the same moment."""


@dataclass(frozen=True)
class Calm:
    """A run that nobody disturbed: what Salesforce held then, the steps it took, and how long."""

    state: str
    steps: list[str]
    lived_s: float


def evenly(first: int, last: int, count: int) -> list[int]:
    """Return so many numbers from first to last, both included."""
    return sorted({first + (last - first) * n // max(count - 1, 1) for n in range(count)}) if last >= first else []


def first_write(steps: list[str]) -> int:
    """Return the step (from 1) in which a run begins to write rows; 0 when it never does."""
    return next((n for n, step in enumerate(steps, 1) if step.startswith("send POST") and "ingest" in step), 0)


def _state(stage: Stage) -> str:
    return json.dumps(held(stage), sort_keys=True, default=str, indent=0)


def calm(stage: Stage, launcher: Launcher, arguments: tuple[str, ...], _: Calm) -> dict[str, Any]:
    """Disturb nothing."""
    ended = launcher.run(stage, *arguments)
    assert ended.code == 0, launcher.words(stage)
    assert " INFO " in launcher.words(stage), "the log of a run that is disturbed would not be looked through"
    at_rest(stage)
    return {"state": _state(stage), "steps": ended.steps, "lived_s": ended.lived_s}


def killed(
    stage: Stage,
    launcher: Launcher,
    arguments: tuple[str, ...],
    calm: Calm,
    *,
    at_step: int | None = None,
    at_name: str = "",
    lost: bool = False,
) -> dict[str, Any]:
    """Kill a run before one of its steps, or before the first one of a name; with `lost` its state folder goes too.

    A lease that the next run cannot know to be a dead one's sends every start away until it has expired; then one run
    follows, never two.
    """
    ended = launcher.run(stage, *arguments, by=Disturbance(signal.SIGKILL, at_step, at_name))
    expected = -signal.SIGKILL if ended.signalled_at else 0
    assert ended.code == expected, (ended.code, launcher.words(stage))
    assert ended.signalled_at or at_step is None or len(ended.steps) < at_step, "it took the step at which to die"
    waited = False
    if lost:
        stage.canaries.check()
        shutil.rmtree(stage.state_dir)
        waited = bool(records(stage, "lease:"))
        if waited:
            early = stage.run(*arguments)
            assert (early.code, early.effects, early.ingest_jobs) == (75, [], []), (early.code, early.err)
            OrgTime(stage).jump(_DIED_MINUTES)
    _converges(stage, arguments, calm)
    return {"code": ended.code, "waited": waited, "last": ended.steps[-1:]}


def _converges(stage: Stage, arguments: tuple[str, ...], calm: Calm) -> None:
    """One more run ends as if nobody had been disturbed, and after it there is nothing left to do or to tidy up."""
    result = stage.run(*arguments)
    assert result.code == 0, result.err
    state = _state(stage)
    assert state == calm.state, _difference(calm.state, state)
    at_rest(stage)
    assert records(stage, "lease:") == {}
    left = [path for path in stage.state_dir.rglob("*") if path.name == "work" or _is_torn(path.name)]
    assert not left, left
    stage.settled()
    shown = stage.run("runs")
    assert shown.code == 0, shown.err


def _is_torn(name: str) -> bool:
    return name.startswith(".") and name != ".alive"


def _difference(wanted: str, found: str) -> str:
    lines, others = wanted.splitlines(), found.splitlines()
    return "\n".join([*(set(lines) - set(others)), "instead of which there is", *(set(others) - set(lines))][:40])


def stopped(
    stage: Stage,
    launcher: Launcher,
    arguments: tuple[str, ...],
    calm: Calm,
    *,
    signum: int = signal.SIGTERM,
    at_step: int | None = None,
    at_name: str = "",
    share: float | None = None,
    cold: bool = False,
) -> dict[str, Any]:
    """Send a signal before a step, or after a share of the time that an undisturbed run takes."""
    seq, known, folders = stage._seq(), _jobs(stage), stage._folders()
    for server in (stage.emu.learnupon, stage.emu.salesforce):
        server.reset_calls()
    after_s = None if share is None else share * (calm.lived_s + (_cold_s(stage, launcher) if cold else 0.0))
    ended = launcher.run(stage, *arguments, by=Disturbance(signum, at_step, at_name, after_s, cold=cold))
    words = launcher.words(stage)
    assert ended.code != HANGS, f"no end within a minute\n{words}"
    result = _result(stage, ended, words, seq, known, folders)
    assert ended.took_s < LATEST_S or not ended.signalled_at, (ended.code, ended.took_s)
    if ended.code == 128 + signum:
        _is_honest(stage, result)
    elif ended.code == 0:
        _had_ended(result, ended)
    else:
        assert (cold, ended.code) == (True, -signum), (ended.code, words)
        _had_not_begun(stage, result)
    _converges(stage, arguments, calm)
    sent = bool(ended.signalled_at)
    return {"code": ended.code, "sent": sent, "took_s": ended.took_s, "last": ended.steps[-1:]}


def _had_ended(result: Result, ended: Ended) -> None:
    """A run that a signal does not stop has its report on the disk when the signal comes: else it has ignored it."""
    assert (result.report["exit_code"], result.report["outcome"]) == (0, "ok"), result.report
    assert result.folder is not None
    late_s = (result.folder / "report.json").stat().st_ctime - ended.signalled_at
    assert late_s < _TICK_S or not ended.signalled_at, f"the report was made {late_s:.2f} s after the signal"


def _had_not_begun(stage: Stage, result: Result) -> None:
    """A process that the signal itself ends was still importing: no folder, no lock, nobody asked for anything."""
    assert result.folder is None
    assert not (stage.state_dir / "lock.json").exists()
    assert [*stage.emu.learnupon.calls, *stage.emu.salesforce.calls] == []


def impatient(stage: Stage, launcher: Launcher, arguments: tuple[str, ...], calm: Calm) -> dict[str, Any]:
    """Send SIGTERM twice: while it reads, and while it waits for a lease to be given back."""
    stage.emu.salesforce_faults.add(Fault(match=r"^DELETE .*/composite", delay_s=5.0))
    by = Disturbance(signal.SIGTERM, at_name="enrollments/search", again_s=1.3)
    ended = launcher.run(stage, *arguments, by=by)
    _converges(stage, arguments, calm)
    return {"code": ended.code, "took_s": ended.took_s}


def _cold_s(stage: Stage, launcher: Launcher) -> float:
    """Return how long the program takes to begin when it must be imported first."""
    return launcher.run(stage, "--version", by=Disturbance(cold=True)).lived_s


def _jobs(stage: Stage) -> dict[str, Any]:
    jobs: dict[str, Any] = stage.emu.salesforce.app.bulk.jobs.by_id  # type: ignore[attr-defined]
    return dict(jobs)


def _result(stage: Stage, ended: Ended, words: str, seq: int, known: dict[str, Any], folders: set[Any]) -> Result:
    """Return what the disturbed run did, its jobs brought to their end."""
    stage.ledger.settle()
    new = sorted(stage._folders() - folders)
    effects = tuple(entry for entry in stage.ledger.since(seq) if entry.job_id not in known)
    return Result(ended.code, words, words, new[-1] if new else None, effects, (), ())


def _is_honest(stage: Stage, result: Result) -> None:
    """The last words and the report tell of the interruption, and what they say was written was written."""
    name = signal.Signals(result.code - 128).name
    assert f"error: interrupted by {name}" in result.err, result.err
    assert "Traceback" not in result.err, result.err
    if result.folder is None:
        assert result.effects == []
        return
    assert (result.report["exit_code"], result.report["outcome"]) == (result.code, "interrupted"), result.report
    assert (result.folder / "report.html").is_file()
    audit(result)
    assert records(stage, "lease:") == {}


TRIALS: dict[str, Callable[..., dict[str, Any]]] = {
    "calm": calm,
    "killed": killed,
    "stopped": stopped,
    "impatient": impatient,
}
