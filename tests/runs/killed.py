"""Runs the program in forks of one warm process and disturbs it: a signal at a chosen step, or after a chosen time.

A step is what outlives the process: a request (each part that is sent), a file of the state folder opened for writing,
renamed, cut or removed, a lock taken. Scratch files are none: what became of them the next step shows. The signal comes
just before the step. It asserts nothing.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from runs.stage import Stage

from etl.__main__ import main as program

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
"""A run that has not ended by then is killed, with code `HANGS`."""
HANGS = -1000
_FILES = {"os.rename", "os.remove", "os.rmdir", "os.truncate"}
_SCRATCH = "work"
"""The scratch folder of a run's folder."""
_SIGNAL = "signal at "


@dataclass(frozen=True)
class Disturbance:
    """A signal at the n-th step, at the first step of a name, or after some seconds; none of them: no signal."""

    signum: int = signal.SIGKILL
    at_step: int | None = None
    at_name: str = ""
    """A part of the step's name."""
    after_s: float | None = None
    again_s: float | None = None
    """The same signal once more, so long after the first one."""
    cold: bool = False
    """In a new process that has yet to import everything; it has no steps."""


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code (minus the signal that ended it), steps it took, seconds since signal and start."""

    code: int
    steps: list[str]
    took_s: float
    lived_s: float
    signalled_at: float
    """When the signal came, in seconds since 1970; 0 when the run had ended before."""


CALM = Disturbance()


class Launcher:
    """The warm process in which runs are forked; made by a process that has one thread."""

    def __init__(self) -> None:
        """Fork it."""
        importlib.import_module("etl.commands.run")  # the forks find it warm
        orders, self._write = os.pipe()
        self._read, answers = os.pipe()
        if not os.fork():
            os.close(self._write)
            os.close(self._read)
            _serve(orders, answers)
        os.close(orders)
        os.close(answers)
        self._answers = os.fdopen(self._read, encoding="utf-8")

    def run(self, stage: Stage, *arguments: str, by: Disturbance = CALM) -> Ended:
        """Call the program (`run` without arguments) on the stage, disturbed, and wait for its end."""
        argv = [stage.verbosity, "--config", str(stage.config()), *(arguments or ("run",))]
        order = {"argv": argv, "folder": str(stage.folder), "state": str(stage.state_dir), "by": asdict(by)}
        os.write(self._write, json.dumps(order).encode() + b"\n")
        return Ended(**json.loads(self._answers.readline()))

    def words(self, stage: Stage) -> str:
        """Return what the last run printed."""
        return (stage.folder / "words.txt").read_text(encoding="utf-8", errors="replace")


def _serve(orders: int, answers: int) -> NoReturn:
    """Answer orders until there are no more."""
    with os.fdopen(orders, encoding="utf-8") as lines:
        for line in lines:
            os.write(answers, json.dumps(asdict(_played(json.loads(line)))).encode() + b"\n")
    os._exit(0)


def _played(order: dict[str, Any]) -> Ended:
    by = Disturbance(**order["by"])
    steps = Path(order["folder"]) / "steps.txt"
    steps.unlink(missing_ok=True)
    begun = time.monotonic()
    child = os.fork()
    if not child:
        _live(order, by, steps)
    code, sent = _watched(child, by, begun, steps)
    ended = time.monotonic()
    sent = (_sent_at(steps) or [sent])[0]
    return Ended(
        code=code,
        steps=[name for name in _noted(steps) if not name.startswith(_SIGNAL)],
        took_s=ended - (sent or begun),
        lived_s=ended - begun,
        signalled_at=sent and time.time() - (time.monotonic() - sent),
    )


def _noted(steps: Path) -> list[str]:
    return steps.read_text(encoding="utf-8").splitlines() if steps.exists() else []


def _sent_at(steps: Path) -> list[float]:
    """Return when the run sent itself the signal, if it came that far."""
    return [float(name.removeprefix(_SIGNAL)) for name in _noted(steps) if name.startswith(_SIGNAL)]


def _watched(child: int, by: Disturbance, begun: float, steps: Path) -> tuple[int, float]:
    """Wait for a run's end; return its code and when it was sent its signal, 0 when it was not."""
    sent = 0.0
    due = [begun + by.after_s] if by.after_s is not None else []
    while time.monotonic() < begun + PATIENCE_S:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), sent
        if by.again_s is not None and _sent_at(steps):
            due, by = [_sent_at(steps)[0] + by.again_s], replace(by, again_s=None)
        if due and time.monotonic() >= due[0]:
            due.clear()
            os.kill(child, by.signum)
            sent = time.monotonic()  # not before: this process may have had to wait for its turn to send it
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return HANGS, sent


def _live(order: dict[str, Any], by: Disturbance, steps: Path) -> NoReturn:
    """Run the program in this fork, and end it without the parent's clean-up."""
    code = 70
    try:
        words = os.open(steps.with_name("words.txt"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        os.dup2(words, 1)
        os.dup2(words, 2)
        if by.cold:
            environ = {**os.environ, "PYTHONPATH": str(ROOT)}
            os.execve(sys.executable, [sys.executable, "-m", "etl", *order["argv"]], environ)  # noqa: S606 - ours
        counted = os.open(steps, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        _watch(by, counted, order["state"])
        code = program(order["argv"], {})
    finally:
        os._exit(code)


def _watch(by: Disturbance, counted: int, state: str) -> None:
    numbers, named = itertools.count(1), itertools.count()

    def hook(event: str, args: tuple[Any, ...]) -> None:
        name = _step(event, args, state)
        if not name:
            return
        hit = by.at_name in name and not next(named) if by.at_name else next(numbers) == by.at_step
        if hit:
            os.write(counted, f"{_SIGNAL}{time.monotonic()}\n".encode())
            os.kill(os.getpid(), by.signum)
        os.write(counted, name.encode() + b"\n")

    sys.addaudithook(hook)


def _step(event: str, args: tuple[Any, ...], state: str) -> str:
    """Return the name of a step, nothing for what is none."""
    if event == "http.client.send":
        head = bytes(args[1][:200]) if isinstance(args[1], (bytes, bytearray, memoryview)) else b"..."
        return "send " + head.split(b"\r\n")[0].split(b"?")[0][:90].decode("ascii", "replace").replace("\n", " ")
    if event == "fcntl.flock":
        return "lock"
    if event == "open":
        writes = isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return f"write {_under(args[0], state)}" if writes and _under(args[0], state) else ""
    return f"{event} {_under(args[0], state)}" if event in _FILES and _under(args[0], state) else ""


def _under(path: Any, state: str) -> str:
    """Return the path inside the state folder; nothing outside of it, and for scratch files."""
    text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
    inside = text.removeprefix(state) if text.startswith(state) else ""
    return "" if inside.split("/")[3:-1][:1] == [_SCRATCH] else inside
