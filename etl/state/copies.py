"""The copy of rows that a run keeps before it writes, so that `undo` can put them back; it asks no vendor.

`plan/copy.json` in a run's folder names every file of the plan with its SHA-256. It is on the disk before the first
write, so a run without it has written nothing.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from etl.counts import Counts
from etl.errors import StateFault
from etl.park import link
from etl.plan import EntityPlan, Plan
from etl.schema import BY_NAME, ENTITIES
from etl.state.disk import disk, sync_files, sync_folder
from etl.state.journal import Journal
from etl.state.rundir import JOURNAL, MANIFEST, PLAN, RunDir
from etl.state.sealed import Facts, hash_of, parks, sealed, unsealed

FORMAT = 1
_MAY_HAVE_WRITTEN = frozenset({"job_closing", "unreadable"})
"""Events of a journal from which on a run may have written."""


def keep(folder: RunDir, plan: Plan, facts: Facts) -> None:
    """Put the rows of a plan, and those rows as they were, on the disk, hashed and readable by their owner alone."""
    place = folder.folder(PLAN)
    files = plan.save()
    sync_files(files)
    with disk(place):
        for inner in sorted({parent for path in files for parent in (path.parent, path.parent.parent)}):
            sync_folder(inner)
        hashes = {path.relative_to(place).as_posix(): hash_of(path) for path in files}
        rows = {name: [park.rows for park in parks(part)] for name, part in plan.entities.items()}
    manifest = {"format": FORMAT, **facts.as_json(), "rows": rows, "files": hashes}
    folder.write_text(f"{PLAN}/{MANIFEST}", sealed(manifest))
    with disk(folder.path):
        sync_folder(folder.path)


class Copies:
    """What a run kept before it wrote, as it lies in the run's folder."""

    def __init__(self, folder: Path) -> None:
        """Read the manifest; raises StateFault when it cannot be trusted, or when it is missing though rows were sent.

        `facts` is None for a run that wrote nothing.
        """
        self.run_id = folder.name
        self.folder = folder / PLAN
        self.facts: Facts | None = None
        path = self.folder / MANIFEST
        with disk(path):
            try:
                text = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                self._must_have_written_nothing(folder, path)
                return
        try:
            manifest, _ = unsealed(text)
            if manifest["format"] != FORMAT:
                raise self._fault(f"{path} was written by another version of this program")
            self.facts = Facts.of(manifest)
            self._rows = {
                entity.name: [int(number) for number in manifest["rows"][entity.name]]
                for entity in ENTITIES
                if entity.name in manifest["rows"]
            }
            self._files = {str(name): str(seen) for name, seen in manifest["files"].items()}
        except (ValueError, TypeError, KeyError, AttributeError, LookupError) as error:
            raise self._fault(f"{path} is damaged, edited or torn") from error

    def _must_have_written_nothing(self, folder: Path, path: Path) -> None:
        events = Journal(folder / JOURNAL).events()
        if not events or any(event["event"] in _MAY_HAVE_WRITTEN for event in events):
            raise self._fault(f"{path} is missing, and by its journal the run may have written")

    def take(self, into: Path) -> list[EntityPlan]:
        """Return the plan of each object, parents first, its files in `into`; StateFault when one is not as it was."""
        for name, seen in self._files.items():
            path = self.folder / name
            with disk(path):
                there = path.is_file()
                if not there or hash_of(path) != seen:
                    raise self._fault(f"{path} is {'not as it was written: damaged or torn' if there else 'missing'}")
                (into / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                link(path, into / name)
        try:
            return [self._plan_of(name, into / name) for name in self._rows]
        except (ValueError, pa.ArrowInvalid) as error:
            raise self._fault(f"{self.folder}: {error}") from error

    def _plan_of(self, name: str, folder: Path) -> EntityPlan:
        part = EntityPlan(BY_NAME[name], folder)
        for park in parks(part):
            park.load()
        part.counts = Counts(create=part.creates.rows, update=part.updates.rows, delete=part.deletes.rows)
        if [park.rows for park in parks(part)] != self._rows[name]:
            raise ValueError(f"the rows of {name} are not as many as {MANIFEST} says")
        return part

    def _fault(self, what: str) -> StateFault:
        return StateFault(
            f"the copy that run {self.run_id} kept cannot be used: {what}; nothing was written; bring the folder back "
            "from a backup, or let `run` write what LearnUpon says now"
        )
