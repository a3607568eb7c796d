"""A saved plan: a folder with exactly what a plan would write, to be applied later as it is; it asks no vendor.

`plan.json` names every file with its SHA-256 and carries one of itself, so damage and edits are noticed. No secret is
involved: whoever may write the folder can forge both. It holds personal data: folders 0700, files 0600.
"""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from etl.counts import Counts
from etl.errors import GuardTripped, StateFault, UsageFault
from etl.frames import to_arrow, to_pandas
from etl.guards import Reading
from etl.plan import EntityPlan, Plan
from etl.schema import BY_NAME
from etl.state.disk import disk, is_there, private_folder, sync_folder
from etl.state.history import journals
from etl.state.sealed import Facts, copy_new, parks, sealed, stamped, unsealed, write_new

MANIFEST = "plan.json"
CLAIM = "applied.json"
CLAIMED = "plan_claimed"
"""Event in the journal of the run that applies a plan, recorded before its first write."""
FORMAT = 1
_ROWS = "rows"
_REJECTED = "rejected.arrow"
_REJECTED_SCHEMA = pa.schema({"object": pa.string(), "key": pa.string(), "reason": pa.string()})
_AGAIN = "nothing was written; make a new plan"


def check_free(folder: Path) -> None:
    """Raise UsageFault when a plan cannot be saved in that folder since something is there: nothing is overwritten."""
    with disk(folder):
        if folder.is_dir():
            if any(folder.iterdir()):
                raise UsageFault(f"{folder} is not empty: a plan is saved in a new folder, and overwrites nothing")
            if folder.is_mount():
                raise UsageFault(f"{folder} is a mount point: name a new folder inside it, so that it appears whole")
        elif folder.exists() or folder.is_symlink():
            raise UsageFault(f"{folder} is there already and no folder; name a new one")


def save(folder: Path, plan: Plan, facts: Facts) -> Path:
    """Save a plan; the folder appears whole or not at all, and is on the disk when its path is returned.

    Raises UsageFault when something is there, StateFault when the disk fails.
    """
    check_free(folder)
    place = folder.resolve()
    with disk(place):
        private_folder(place.parent)
        temporary = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
        try:
            _fill(temporary, plan, facts)
            _appear(temporary, place)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    return place


def _fill(folder: Path, plan: Plan, facts: Facts) -> None:
    rows = folder / _ROWS
    private_folder(rows)
    hashes = {_REJECTED: write_new(rows / _REJECTED, [_rejected_bytes(plan.rejected)])}
    for name, part in plan.entities.items():
        for park in parks(part):
            for path in park.save():
                place = f"{name}/{park.folder.name}/{path.name}"
                hashes[place] = copy_new(path, rows / place)
    manifest = {
        "format": FORMAT,
        **facts.as_json(),
        "objects": {
            name: {"counts": asdict(part.counts), "newly_referred": part.newly_referred}
            for name, part in plan.entities.items()
        },
        "guards": [asdict(reading) for reading in plan.guards],
        "warnings": plan.warnings,
        "files": hashes,
    }
    write_new(folder / MANIFEST, [sealed(manifest).encode()])
    for inner in [*(path for path in folder.rglob("*") if path.is_dir()), folder]:
        sync_folder(inner)


def _rejected_bytes(rejected: pd.DataFrame) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, _REJECTED_SCHEMA) as writer:
        writer.write_table(to_arrow(rejected.astype("string[pyarrow]"), _REJECTED_SCHEMA))
    return sink.getvalue().to_pybytes()


def _appear(temporary: Path, place: Path) -> None:
    try:
        temporary.rename(place)  # over an empty folder too, but never over a full one
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise UsageFault(f"{place} is not empty any more: a plan overwrites nothing") from error
        raise
    sync_folder(place.parent)


class SavedPlan:
    """A saved plan as it lies on the disk, its manifest read and found whole."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest; raises UsageFault where there is none, GuardTripped when it is not as it was saved."""
        self.folder = folder
        path = folder / MANIFEST
        with disk(path):
            try:
                text = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                raise UsageFault(f"{folder} holds no saved plan: there is no {MANIFEST} in it") from None
        try:
            manifest, self.sha256 = unsealed(text)
            self._read(manifest)
        except (ValueError, TypeError, KeyError, AttributeError, LookupError) as error:
            raise GuardTripped(f"{path} is not as it was saved: damaged, edited or torn; {_AGAIN}") from error

    def _read(self, manifest: Mapping[str, Any]) -> None:
        if manifest["format"] != FORMAT:
            raise GuardTripped(f"{self.folder} was saved by another version of this program; {_AGAIN}")
        self.facts = Facts.of(manifest)
        self.counts = {
            BY_NAME[name].name: Counts(**{what: int(rows) for what, rows in facts["counts"].items()})
            for name, facts in manifest["objects"].items()
        }
        self._referred = {name: int(facts["newly_referred"]) for name, facts in manifest["objects"].items()}
        self.guards = [Reading(**{**line, "value": float(line["value"])}) for line in manifest["guards"]]
        self._warnings = [str(line) for line in manifest["warnings"]]
        self._files = {str(name): str(seen) for name, seen in manifest["files"].items()}

    def take(self, into: Path) -> Plan:
        """Copy the rows into an empty folder, see that they are those that were saved, and return the plan.

        What is applied is the copy: a change of the saved files from then on changes nothing. Raises GuardTripped when
        a file is missing, too many, or not as it was saved.
        """
        rows = self.folder / _ROWS
        with disk(rows):
            there = {path.relative_to(rows).as_posix() for path in rows.rglob("*") if not path.is_dir()}
            if there != set(self._files):
                first = min(there ^ set(self._files))
                raise self._changed(f"{first} is {'too many' if first in there else 'missing'}")
            for name, seen in self._files.items():
                if copy_new(rows / name, into / name) != seen:
                    raise self._changed(f"{name} holds something else")
        try:
            plans = {name: self._plan_of(name, into) for name in self.counts}
            rejected = to_pandas(pa.ipc.open_file((into / _REJECTED).read_bytes()).read_all())
        except (ValueError, pa.ArrowInvalid) as error:
            raise self._changed(str(error)) from error
        return Plan(plans, rejected, list(self._warnings))

    def _plan_of(self, name: str, into: Path) -> EntityPlan:
        part = EntityPlan(BY_NAME[name], into / name)
        part.counts, part.newly_referred = self.counts[name], self._referred[name]
        for park in parks(part):
            park.load()
        counts = part.counts
        if [park.rows for park in parks(part)] != [counts.create, counts.update, counts.update, counts.delete]:
            raise ValueError(f"the rows of {name} are not as many as its counts say")
        return part

    def _changed(self, what: str) -> GuardTripped:
        return GuardTripped(f"{self.folder} is not as it was saved: {what}; {_AGAIN}")

    def refuse_applied(self, state_dir: Path) -> None:
        """Raise GuardTripped when a run has begun to apply this plan: by the mark in its folder, or by the history."""
        mark = self.folder / CLAIM
        if is_there(mark) or mark.is_symlink():
            raise self._applied(_applier(mark))
        for journal in journals(state_dir):
            if any(event["event"] == CLAIMED and event.get("plan") == self.sha256 for event in journal.events()):
                raise self._applied(f" by run {journal.run_id}")

    def _applied(self, by: str) -> GuardTripped:
        return GuardTripped(
            f"{self.folder} was applied already{by}, or its apply was stopped on the way; nothing was written; "
            "a plan is applied once: `run` brings in what is missing, or make a new plan"
        )

    def claim(self, run_id: str, now: datetime) -> None:
        """Mark the plan as applied, on the disk when this returns; of several runs that try, one succeeds."""
        mark = self.folder / CLAIM
        facts = {"run_id": run_id, "at": stamped(now)}
        with disk(mark):
            try:
                write_new(mark, [json.dumps(facts).encode() + b"\n"])
            except FileExistsError:
                raise self._applied(_applier(mark)) from None
            sync_folder(self.folder)


def _applier(mark: Path) -> str:
    """Say who applied a plan and when, as far as that was written down."""
    try:
        facts = json.loads(mark.read_bytes())
        return f" by run {facts['run_id']} at {facts['at']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def facts_in(folder: Path) -> Facts | None:
    """Return what a saved plan is a plan of; None when its manifest cannot be trusted: the run will say."""
    try:
        return SavedPlan(folder).facts
    except (GuardTripped, StateFault):
        return None
