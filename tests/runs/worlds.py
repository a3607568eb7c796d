"""Keeps the worlds of the scenarios and plays trials in copies of them: `python worlds.py FOLDER`, JSON on both sides.

A world is made once, then paused. For each order, one line of standard input, a fork of this process serves the copy
that it has in its memory, with the state folder as it was, and plays one trial (`runs.trials`) in it. The answer is
what the trial found, or `violation` with the words of what did not hold.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runs.killed import Launcher
from runs.scenarios import ARGUMENTS, SCENARIOS
from runs.stage import Stage
from runs.trials import TRIALS, Calm

Answer = dict[str, Any]
_PATIENCE_S = 30.0


class World:
    """One scenario's world, as the disturbed run finds it."""

    def __init__(self, folder: Path, name: str, launcher: Launcher) -> None:
        """Make it, and see how it ends when nobody disturbs the run."""
        folder.mkdir(parents=True)
        self.name, self.launcher = name, launcher
        self.stage = Stage(folder)
        self.stage.org.job_seconds = 0.02
        self.stage.emu.start()
        try:
            SCENARIOS[name](self.stage, lambda: launcher.run(self.stage, "run").code)
        except AssertionError as error:
            raise RuntimeError(f"{name} cannot be made: {launcher.words(self.stage)}") from error
        self._rest()
        self._kept = folder / "kept"
        self.stage.state_dir.mkdir(exist_ok=True)
        shutil.copytree(self.stage.state_dir, self._kept)
        self.calm = Calm("", [], 0.0)
        found = self.play({"trial": "calm"})
        self.trouble = found.get("violation", "")
        if not self.trouble:
            self.calm = Calm(found["state"], found["steps"], found["lived_s"])

    def _rest(self) -> None:
        """Answer nobody until the copies do; no thread is left that a fork could cut off."""
        for server in (self.stage.emu.learnupon, self.stage.emu.salesforce):
            server.pause()
        patient_until = time.monotonic() + _PATIENCE_S
        while threading.active_count() > 1:
            assert time.monotonic() < patient_until, threading.enumerate()
            time.sleep(0.005)

    def play(self, order: Answer) -> Answer:
        """Play one trial in a copy of the world."""
        shutil.rmtree(self.stage.state_dir, ignore_errors=True)
        shutil.copytree(self._kept, self.stage.state_dir)
        read, write = os.pipe()
        child = os.fork()
        if not child:
            os.close(read)
            _tell(write, lambda: self._played(order))
        os.close(write)
        with os.fdopen(read, encoding="utf-8") as told:
            answer: Answer = json.loads(told.read() or '{"violation": "the copy of the world died"}')
        os.waitpid(child, 0)
        return answer

    def _played(self, order: Answer) -> Answer:
        with self.stage:
            arguments = ARGUMENTS.get(self.name, ("run",))
            return TRIALS[order.pop("trial")](self.stage, self.launcher, arguments, self.calm, **order)


def _tell(write: int, act: Callable[[], Answer]) -> None:
    """Write what comes of it to the parent, and end this fork."""
    try:
        answer = act()
    except BaseException:  # noqa: BLE001 - told, and judged, by whoever gave the order
        answer = {"violation": traceback.format_exc()}
    with os.fdopen(write, "w", encoding="utf-8") as out:
        out.write(json.dumps(answer))
    os._exit(0)


def main(folder: Path) -> None:
    """Answer orders until standard input ends."""
    Stage.loud = True
    launcher = Launcher()
    worlds: dict[str, World] = {}
    for line in sys.stdin:
        order = json.loads(line)
        name = order.pop("scenario")
        if name not in worlds:
            worlds[name] = World(folder / str(len(worlds)), name, launcher)
        world = worlds[name]
        if world.trouble or order["trial"] == "calm":
            answer: Answer = {"violation": world.trouble} if world.trouble else {"steps": world.calm.steps}
        else:
            answer = world.play(order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
