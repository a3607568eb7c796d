"""The mirror on the disk: rows as Salesforce held them at a verified read, whole or not there; it asks no vendor.

`{state_dir}/mirror/{org and portals}/mirror.json` names every file of its generation with its SHA-256, and carries its
own. A new generation is written beside the old one and is on the disk before the manifest is exchanged in one step, so
a run killed at any moment leaves the old mirror, or the new one. Whatever is torn, cut, edited or of another org, user,
set of portals, API version or version of this program is no mirror. Files are for their owner alone, as all of the
state folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from etl.park import Park, link
from etl.state.disk import disk, private_file, private_folder, sync_files, sync_folder
from etl.state.sealed import hash_of, sealed, unsealed

FOLDER = "mirror"
MANIFEST = "mirror.json"
OLDEST = timedelta(days=14)
"""Deleted rows can be seen in the recycle bin for 15 days (Salesforce help, recycle bin): an older mirror is no use."""
_FORMAT = 1
_Inode = tuple[int, int]


@dataclass(frozen=True)
class Identity:
    """What a mirror is a mirror of, and as whose eyes and which program saw it: any difference is another mirror."""

    org_id: str
    user_id: str
    """The user of the session: another one may be shown other rows."""
    portal_ids: tuple[int, ...]
    """In the order of the configuration: rows lie in the files by codes that tell a portal by its place."""
    api_version: str
    version: str
    """Of this program: another one may read values otherwise."""
    objects: Mapping[str, str]
    """Columns and types asked of each object, and what the org's fields can hold, as one text each."""

    @property
    def place(self) -> str:
        """Return the name of the folder: one for each org and set of portals."""
        text = f"{self.org_id} {' '.join(str(one) for one in sorted(self.portal_ids))}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """Return the identity as a manifest holds it."""
        objects = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in self.objects.items()}
        plain = {"org_id": self.org_id, "user_id": self.user_id, "portal_ids": list(self.portal_ids)}
        return {**plain, "api_version": self.api_version, "version": self.version, "objects": objects}


@dataclass(frozen=True)
class Mirror:
    """A mirror whose manifest is whole; its files are looked at when they are taken."""

    folder: Path
    since: datetime
    """By Salesforce's clock: before the read began whose rows these are."""
    full_at: datetime
    """By Salesforce's clock: when all rows were last read in full."""
    rows: Mapping[str, int]
    """By object; one that is not here was not kept."""
    files: Mapping[str, Mapping[str, str]]
    """By object: name below `folder` and SHA-256."""
    seen: dict[_Inode, str] = field(default_factory=dict)
    """SHA-256 of files that were looked at, by what they are on the disk: their second names need no other look."""

    def take(self, name: str, into: Path) -> list[Path]:
        """Give the files of an object second names in the folder `into` and return these; ValueError for a damaged one.

        ValueError also when a run exchanged the mirror meanwhile: its files are gone.
        """
        taken = []
        with disk(into):
            private_folder(into)
        for number, (file, sha) in enumerate(self.files[name].items()):
            mine = into / f"{number:06d}.arrow"
            try:
                link(self.folder / file, mine)
                whole = hash_of(mine) == sha
            except OSError as error:
                raise ValueError(f"{file} cannot be read ({error.strerror})") from error
            if not whole:
                raise ValueError(f"{file} is damaged or edited")
            self.seen[_inode(mine)] = sha
            taken.append(mine)
        return taken


def read_mirror(state_dir: Path, identity: Identity) -> tuple[Mirror | None, str]:
    """Return the mirror of this org and these portals, or None and why there is none that can be used."""
    folder = state_dir / FOLDER / identity.place
    try:
        text = (folder / MANIFEST).read_bytes()
    except FileNotFoundError:
        return None, "no earlier read is kept"
    except OSError as error:
        return None, f"what was kept of an earlier read cannot be read ({error.strerror})"
    try:
        manifest, _ = unsealed(text)
        kept = manifest["identity"]
        now = identity.as_json()
        other = [name for name in now if kept.get(name) != now[name]] if manifest["format"] == _FORMAT else ["format"]
        if other:
            return None, f"the earlier read was one of another {', '.join(other)}"
        objects = manifest["objects"]
        return Mirror(
            folder=folder,
            since=_moment(manifest["since"]),
            full_at=_moment(manifest["full_at"]),
            rows={str(name): int(one["rows"]) for name, one in objects.items()},
            files={str(name): dict(one["files"]) for name, one in objects.items()},
        ), ""
    except (ValueError, TypeError, KeyError, AttributeError):
        return None, "what was kept of an earlier read is damaged, edited or torn"


def write_mirror(
    state_dir: Path,
    identity: Identity,
    run_id: str,
    times: tuple[datetime, datetime],
    parks: Mapping[str, Park],
    seen: Mapping[_Inode, str],
) -> None:
    """Make these parks the mirror, in one step; StateFault when the disk does not take it: the old one then stays.

    `times` are `since` and `full_at` of `Mirror`, `seen` hashes that are known already. The files get second names, so
    that nothing is copied; nobody may write into them any more. To be called under the lock of the state folder.
    """
    folder = state_dir / FOLDER / identity.place
    with disk(folder):
        generation = folder / run_id
        if generation.exists():
            shutil.rmtree(generation)
        objects = {name: _keep(park, folder, generation / name, seen) for name, park in parks.items()}
        private_folder(generation)
        sync_folder(generation)
        since, full_at = (moment.astimezone(UTC).isoformat() for moment in times)
        manifest = {"format": _FORMAT, "identity": identity.as_json(), "since": since, "full_at": full_at}
        _exchange(folder / MANIFEST, sealed({**manifest, "objects": objects}))
        sync_folder(folder.parent)
    _tidy(folder, keep={MANIFEST, run_id}, now=times[0])


def _keep(park: Park, folder: Path, place: Path, seen: Mapping[_Inode, str]) -> dict[str, Any]:
    files: dict[str, str] = {}
    new = []
    private_folder(place)
    for path in park.save():
        mine = place / path.name
        link(path, mine)
        sha = seen.get(_inode(mine))
        if sha is None:
            new.append(mine)
            sha = hash_of(mine)
        files[mine.relative_to(folder).as_posix()] = sha
    sync_files(new)
    sync_folder(place)
    return {"rows": park.rows, "files": files}


def _exchange(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.new")  # one name: of a run that died in between the next one writes over it
    with private_file(beside, os.O_WRONLY | os.O_TRUNC) as file:
        left = memoryview(text.encode())
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def forget_mirrors(state_dir: Path) -> None:
    """Remove all mirrors: what nobody wants is not left lying about."""
    shutil.rmtree(state_dir / FOLDER, ignore_errors=True)


def _tidy(folder: Path, keep: set[str], now: datetime) -> None:
    """Remove other generations, and mirrors of other orgs and portals that nobody can use any more."""
    with suppress(OSError):
        _remove(path for path in folder.iterdir() if path.name not in keep)
        _remove(one for one in folder.parent.iterdir() if one != folder and _is_useless(one, now))


def _remove(paths: Iterator[Path]) -> None:
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_useless(folder: Path, now: datetime) -> bool:
    try:
        manifest, _ = unsealed((folder / MANIFEST).read_bytes())
        return now - _moment(manifest["since"]) > OLDEST
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return True


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _inode(path: Path) -> _Inode:
    found = path.stat()
    return found.st_dev, found.st_ino
