"""Another machine that runs the program against the same stage: a process and a state folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from runs.programs import COMMAND, ROOT, Program
from runs.stage import Stage


@dataclass
class Elsewhere:
    """A machine with a folder of its own, which `wipe` loses as a pod loses its disk."""

    stage: Stage
    folder: Path

    def config(self, **changed: Any) -> Path:
        """Write the stage's configuration with this machine's state folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "learnupon-sync.yaml"
        path.touch(mode=0o600)
        settings = {**self.stage.settings, "state_dir": str(self.folder / "var"), **changed}
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return path

    def start(
        self, *arguments: str, environ: Mapping[str, str] | None = None, piped: bool = False, **changed: Any
    ) -> Program:
        """Start the program (`run` without arguments) and return its process at once; `environ` is added to ours."""
        asked = (self.stage.verbosity, "--config", str(self.config(**changed)), *(arguments or ("run",)))
        surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})}
        return Program(self.stage, (*COMMAND, *asked), piped=piped, env=surroundings)

    def reports(self) -> list[dict[str, Any]]:
        """Return the reports of all runs on this machine, oldest first."""
        found = []
        for path in sorted((self.folder / "var" / "runs").glob("*/report.json")):
            with suppress(ValueError):
                found.append(json.loads(path.read_text(encoding="utf-8")))
        return found


def signalled(process: subprocess.Popen[Any], signum: signal.Signals, seconds: float = 20) -> int:
    """Send a process a signal and return its exit code; TimeoutExpired when it has to be killed."""
    process.send_signal(signum)
    try:
        return process.wait(timeout=seconds)
    finally:
        process.kill()
