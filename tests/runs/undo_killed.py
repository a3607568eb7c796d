"""Runs of the real program in processes of their own, killed when Salesforce sees a request; it asserts nothing."""

from __future__ import annotations

from runs.programs import COMMAND, Program
from runs.stage import Stage

from etl.emulator.faults import Fault
from etl.emulator.messages import Request

WRITING = r"^(POST|PUT|PATCH|GET|DELETE) .*/jobs/ingest"
"""Whatever is asked about jobs that write."""


def killed(stage: Stage, *arguments: str, nth: int, when: str = "after", match: str = WRITING) -> tuple[int, str]:
    """Run the program and kill it at the n-th request that matches, `before` or `after` it has its effect.

    Returns the exit code, which is -9 when the kill came, and the id of the run.
    """
    known = folders(stage)
    process = Program(stage, (*COMMAND, "-v", "--config", str(stage.config()), *arguments))

    def kill(_: Request) -> None:
        process.kill()
        process.wait()

    fault = Fault(match=match, nth=nth, hook=kill, when="after" if when == "after" else "before")
    stage.emu.salesforce_faults.add(fault)
    code = process.wait(timeout=60)
    stage.emu.salesforce_faults.clear()
    return code, max(folders(stage) - known, default="")


def folders(stage: Stage) -> set[str]:
    """Return the ids of all runs that left a folder."""
    runs = stage.state_dir / "runs"
    return {path.name for path in runs.iterdir()} if runs.is_dir() else set()
