"""The program in a process of its own; whatever it says goes to files of the stage, which are looked through."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runs.stage import Stage

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "etl")


class Program(subprocess.Popen[str]):
    """A command that was started, and the file that has its standard error."""

    def __init__(self, stage: Stage, command: Sequence[str], *, piped: bool = False, **options: Any) -> None:
        """Start it; with `piped` its standard output is a pipe. AssertionError when an argument holds a secret."""
        stage.canaries.look("the command line", "\n".join(command).encode())
        folder = stage.folder / "told"
        folder.mkdir(exist_ok=True)
        number = len(list(folder.iterdir()))
        self.err = folder / f"{number}.err"
        surroundings = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, **options}
        with self.err.open("wb") as err, self.err.with_suffix(".out").open("wb") as out:
            super().__init__(
                command, cwd=ROOT, text=True, stdout=subprocess.PIPE if piped else out, stderr=err, **surroundings
            )

    def said(self) -> str:
        """Return what it said on standard error until now."""
        return self.err.read_text(encoding="utf-8", errors="replace")


def ended(processes: Sequence[Program], seconds: float = 90) -> list[tuple[int, str]]:
    """Wait for programs and return exit code and standard error of each."""
    return [(process.wait(timeout=seconds), process.said()) for process in processes]
