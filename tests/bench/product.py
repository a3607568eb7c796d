"""One run of the program as a process, measured from outside by what the kernel counts for it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIFTED = ("--allow-deletes", "1000000", "--allow-updates", "1000000")
"""The benchmark's night is larger than a real one: its guards are not what is measured."""
_KIB = 1 if sys.platform.startswith("linux") else 1024


@dataclass(frozen=True)
class Run:
    """What a run took: wall and CPU seconds, highest resident memory in MiB, calls, and rows written or looked at."""

    wall_s: float
    cpu_s: float
    peak_mib: float
    calls_learnupon: int
    calls_salesforce: int
    written: int
    desired: int


def run(config: Path) -> Run:
    """Run `learnupon-sync run` once; any exit code but 0 ends the benchmark with the end of its log."""
    command = [sys.executable, "-m", "etl", "-q", "--config", str(config), "run", *LIFTED]
    before = set(_reports(config))
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        # wait4 and not wait: it tells what this one child used, whatever else has run before.
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            tail = log.read().decode(errors="replace")[-3000:]
            raise SystemExit(f"bench: the run ended with {process.returncode}:\n{tail}")
    (path,) = set(_reports(config)) - before
    report = json.loads(path.read_text(encoding="utf-8"))
    calls = report["api_calls"]
    written = _sum(report, "created") + _sum(report, "updated") + _sum(report, "deleted")
    return Run(
        wall,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / _KIB / 1024,
        calls["learnupon"],
        calls["salesforce"],
        written,
        _sum(report, "desired"),
    )


def _sum(report: dict[str, Any], name: str) -> int:
    return sum(counts[name] for counts in report["objects"].values())


def _reports(config: Path) -> list[Path]:
    """Return the reports in the state folder that the emulators' configuration names."""
    named = re.search(r"^state_dir: (.+)$", config.read_text(encoding="utf-8"), re.MULTILINE)
    if named is None:
        raise SystemExit(f"bench: {config.name} names no state_dir")
    return sorted((Path(json.loads(named.group(1))) / "runs").glob("*/report.json"))
