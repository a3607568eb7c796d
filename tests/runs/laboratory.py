"""A process that keeps worlds (`worlds.py`) and plays trials in their copies as it is told; it judges none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Laboratory:
    """One process with worlds of its own; give it one order at a time."""

    def __init__(self, folder: Path) -> None:
        """Start it; worlds are made when they are first asked for."""
        environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
        command = [sys.executable, str(Path(__file__).with_name("worlds.py")), str(folder)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def play(self, scenario: str, trial: str, **order: Any) -> dict[str, Any]:
        """Play a trial and return what it found; AssertionError with the words of a violation."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"scenario": scenario, "trial": trial, **order}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        if "violation" in answer:
            raise AssertionError(f"{scenario}, {trial} {order}: {answer['violation']}")
        return answer

    def steps(self, scenario: str) -> list[str]:
        """Return the steps of a scenario's run that nobody disturbs."""
        steps: list[str] = self.play(scenario, "calm")["steps"]
        return steps

    def stop(self) -> None:
        """End it."""
        self.process.communicate(timeout=60)
