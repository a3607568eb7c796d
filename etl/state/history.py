"""Earlier runs: their reports, what they left undone, and the tidying of old ones; it starts no run."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from etl.errors import UsageFault
from etl.guards import SCOPE
from etl.state.disk import disk, may_enter
from etl.state.journal import Journal
from etl.state.rundir import ALIVE, JOURNAL, REPORT, remove_scratch, runs_folder

_log = logging.getLogger(__name__)
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
_STAMP = "%Y%m%dT%H%M%S"


@dataclass(frozen=True)
class RunSummary:
    """One line of history. `outcome` is `died` for a run without a report and `running` for one still at it.

    It is `unreadable` when the report is not whole, or the folder not for this user.
    """

    run_id: str
    command: str = ""
    outcome: str = "died"
    exit_code: int | None = None
    started_at: str = ""
    seconds: float | None = None
    planned: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    refused: int = 0
    undoes: str = ""
    """The run that this one put back."""
    undone_by: str = ""
    """The run that put this one back, unless that one was put back itself."""


def history(state_dir: Path) -> list[RunSummary]:
    """Return all runs that left a folder, newest first."""
    runs = [_summary(folder) for folder in _folders(state_dir)]
    undone: dict[str, str] = {}
    for run in runs:
        if run.undoes and run.run_id not in undone:
            undone.setdefault(run.undoes, run.run_id)
    return [replace(run, undone_by=undone.get(run.run_id, "")) for run in runs]


def own_deletes(
    state_dir: Path, *, since: datetime, org_id: str, portal_ids: frozenset[int]
) -> tuple[Counter[str], Counter[str]]:
    """Return how many rows of each object runs that began at `since` or later deleted: with a person's leave, and else.

    With leave is a run in which a guard on deletes was overridden. Only runs of this org and of these portals count.
    """
    allowed: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for folder in _folders(state_dir):
        report = _report(folder)
        if report is None or _begun(folder) < since or report.get("org_id") != org_id:
            continue
        with suppress(AttributeError, KeyError, TypeError, ValueError):
            if {portal["portal_id"] for portal in report["portals"]} <= portal_ids:
                rows = allowed if _lifted(report) else others
                rows.update({name: int(counts["deleted"]) for name, counts in report["objects"].items()})
    return allowed, others


def _lifted(report: dict[str, Any]) -> bool:
    return "allow_deletes" in report["overrides"] and any(
        line["overridden"] and ("delete" in line["name"] or line["name"] == SCOPE) for line in report["guards"]
    )


def load_report(state_dir: Path, run_id: str) -> dict[str, Any]:
    """Return a run's `report.json`; raises UsageFault for an id that is not there, naming the nearest."""
    report = _report(known_run(state_dir, run_id))
    if report is None or not _is_ours(report):
        raise UsageFault(f"run {run_id} left no readable report: it is still running or was killed")
    return report


def known_run(state_dir: Path, run_id: str) -> Path:
    """Return the folder of a run; raises UsageFault for an id that is not there, naming the nearest."""
    known = {folder.name: folder for folder in _folders(state_dir)}
    if run_id not in known:
        near = get_close_matches(run_id, list(known), 1, 0) if known else []
        hint = f"; the nearest is {near[0]}" if near else f"; no run is known in {state_dir}"
        raise UsageFault(f"no run {run_id!r}{hint}")
    return known[run_id]


def run_folder(state_dir: Path, run_id: str) -> Path | None:
    """Return the folder of a run, or None when there is none of that id, or none for this user."""
    return next((folder for folder in _readable(state_dir) if folder.name == run_id), None)


def unfinished_journals(state_dir: Path) -> list[Journal]:
    """Return the journals of runs that may have left a job behind in Salesforce, oldest first."""
    return [journal for journal in journals(state_dir) if journal.is_unfinished]


def journals(state_dir: Path) -> list[Journal]:
    """Return the journals of all runs that left a folder, oldest first; one that was never written to is empty.

    Those of another user, who alone may read them, are not among them.
    """
    return [Journal(folder / JOURNAL) for folder in reversed(_readable(state_dir))]


def prune(state_dir: Path, keep_days: int, now: datetime, *, spare: str = "") -> list[str]:
    """Remove run folders begun more than `keep_days` days ago and return their ids.

    Never the newest finished run, never one with unfinished jobs, never one that is still running, and never `spare`.
    Nor is one removed that this user may not look into.
    """
    folders = _readable(state_dir)
    newest = next((folder for folder in folders if (folder / REPORT).exists()), None)
    removed = []
    for folder in folders:
        if folder == newest or folder.name == spare or now - _begun(folder) <= timedelta(days=keep_days):
            continue
        if Journal(folder / JOURNAL).is_unfinished or is_alive(folder):
            continue
        with disk(folder):
            shutil.rmtree(folder)
        removed.append(folder.name)
    return removed


def remove_leftovers(state_dir: Path) -> None:
    """Remove the scratch folders, unwritten plans and half-written files of runs that died.

    A run of another user, whose folder this one may not look into, is told of and left alone.
    """
    for folder in _folders(state_dir):
        if not may_enter(folder):
            _log.warning("%s belongs to another user and is left alone; move it away, or give it to this user", folder)
            continue
        if is_alive(folder):
            continue
        with disk(folder):
            remove_scratch(folder)
            for path in folder.rglob(".*"):
                if path.name != ALIVE:
                    path.unlink()


def _folders(state_dir: Path) -> list[Path]:
    """Return the run folders, newest first."""
    runs = runs_folder(state_dir)
    with disk(runs):
        found = [path for path in runs.iterdir() if _is_run_id(path.name)] if runs.exists() else []
        return sorted((path for path in found if path.is_dir()), key=_order, reverse=True)


def _readable(state_dir: Path) -> list[Path]:
    """Return the run folders that this user may look into, newest first."""
    return [folder for folder in _folders(state_dir) if may_enter(folder)]


def _order(folder: Path) -> tuple[str, int, str]:
    """Return what runs are ordered by: the second of their start, then which folder was changed last, by its run."""
    return folder.name[: len("20260101T000000Z")], folder.stat().st_mtime_ns, folder.name


def _is_run_id(name: str) -> bool:
    try:
        return bool(_RUN_ID.fullmatch(name) and datetime.strptime(name[:15], _STAMP).replace(tzinfo=UTC))
    except ValueError:
        return False


def _begun(folder: Path) -> datetime:
    return datetime.strptime(folder.name[:15], _STAMP).replace(tzinfo=UTC)


def is_alive(folder: Path) -> bool:
    """Say whether the run of this folder is still at work."""
    path = folder / ALIVE
    try:
        if not path.exists():
            return False
        with FileLock(str(path), timeout=0, mode=0o600):
            return False
    except (Timeout, RuntimeError):  # RuntimeError: this very thread holds it
        return True
    except OSError:  # a folder that cannot be entered or written: no run of this user can be at work in it
        return False


def _report(folder: Path) -> dict[str, Any] | None:
    try:
        report = json.loads((folder / REPORT).read_bytes())
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) else None


def _is_ours(report: dict[str, Any]) -> bool:
    """Say whether a report has the form this version writes, as far as the history needs it."""
    objects, seconds = report.get("objects", {}), report.get("seconds")
    rows = [row for row in objects.values() if isinstance(row, dict)] if isinstance(objects, dict) else [{"": None}]
    numbers = all(isinstance(value, int) for row in rows for value in row.values())
    texts = all(isinstance(report.get(name) or "", str) for name in ("command", "outcome", "started_at"))
    return (
        numbers
        and texts
        and isinstance(report.get("exit_code"), int | None)
        and isinstance(seconds, int | float | None)
    )


def _without_report(folder: Path) -> str:
    """Say what there is to tell of a run without a report that can be read."""
    if is_alive(folder):
        return "running"
    return "unreadable" if not may_enter(folder) or (folder / REPORT).exists() else "died"


def _summary(folder: Path) -> RunSummary:
    report = _report(folder)
    started = f"{_begun(folder):%Y-%m-%dT%H:%M:%SZ}"
    if report is None or not _is_ours(report):
        return RunSummary(folder.name, outcome=_without_report(folder), started_at=started)
    counts = [row for row in report.get("objects", {}).values() if isinstance(row, dict)]

    def total(*names: str) -> int:
        return sum(int(row.get(name, 0)) for row in counts for name in names)

    return RunSummary(
        folder.name,
        command=str(report.get("command", "")),
        outcome=str(report.get("outcome", "")),
        exit_code=report.get("exit_code"),
        started_at=report.get("started_at") or started,
        seconds=report.get("seconds"),
        planned=total("create", "update", "delete"),
        created=total("created"),
        updated=total("updated"),
        deleted=total("deleted"),
        refused=total("refused", "rejected"),
        undoes=str(report.get("undoes", "")) if total("created", "updated") else "",
    )
