"""What the tests of saved plans share: a small world with changes of every kind, and plans to save and spoil."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runs.result import Result
from runs.stage import Stage

APPLY = "apply"


def changes_of_every_kind(stage: Stage) -> dict[str, int]:
    """Sync a world, then let rows be created, changed, deleted and moved; return LearnUpon's ids by name."""
    stage.configure(guards={"min_rows": 1000})
    stays, goes, fresh = stage.learner(), stage.learner(), stage.learner()
    course = stage.course(name="Safety")
    ids = {
        "changed": stage.enroll(stays, course, status="in_progress", percentage=None),
        "dropped": stage.enroll(goes, course, status="in_progress"),
        "idle": stage.enroll(goes, course, status="completed", percentage=80),
    }
    stage.synced()
    stage.academy.change_enrollment(ids["changed"], status="passed", percentage=91)
    stage.academy.remove_enrollment(ids["dropped"])
    ids["fresh"] = stage.enroll(fresh, course, status="not_started")
    ids["other"] = stage.enroll(stage.learner(stage.partners), portal=stage.partners)
    return ids


def plan_into(stage: Stage, *options: str, name: str = "saved") -> Path:
    """Save a plan and return its folder."""
    folder = stage.folder / name
    result = stage.run("plan", "--out", str(folder), *options)
    assert result.code == 0, result.err
    assert (result.effects, result.ingest_jobs) == ([], [])
    return folder


def refused(stage: Stage, folder: Path, *options: str, code: int = 3) -> Result:
    """Apply a plan that must be refused, and see that nothing was written and the report says so."""
    result = stage.run(APPLY, str(folder), *options)
    assert result.code == code, result.err
    assert (result.effects, result.ingest_jobs) == ([], [])
    assert result.report["command"] == APPLY
    assert result.report["exit_code"] == code
    assert "nothing was written" in result.err
    return result


def manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a saved plan."""
    found: dict[str, Any] = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    return found


def edit(folder: Path, change: Callable[[dict[str, Any]], object], *, forge: bool = False) -> None:
    """Change the manifest; with `forge` its own hash is made to fit, as somebody who knows the form could."""
    held = manifest(folder)
    del held["sha256"]
    change(held)
    plain = json.dumps(held, sort_keys=True, separators=(",", ":"))
    seen = hashlib.sha256(plain.encode()).hexdigest() if forge else manifest(folder)["sha256"]
    (folder / "plan.json").write_text(json.dumps({**held, "sha256": seen}), encoding="utf-8")
