"""A small file of the state folder with something for each org; it knows not what, and compares nothing.

A file that cannot be read is as if there were none: what lies in it helps, and no run depends on it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from etl.state.disk import disk, private_file, private_folder, sync_folder

_log = logging.getLogger(__name__)
_FORMAT = 1


def held_of(path: Path, org_id: str) -> dict[str, Any]:
    """Return what a file holds of an org (18 characters), by key, as far as there is something that can be read."""
    held = _held(path).get(org_id)
    return held if isinstance(held, dict) else {}


def keep(path: Path, org_id: str, some: Mapping[str, Any]) -> None:
    """Keep these keys of an org beside what is kept already; the file appears whole or stays as it was."""
    orgs = _held(path)
    mine = orgs.get(org_id)
    orgs[org_id] = {**(mine if isinstance(mine, dict) else {}), **some}
    text = json.dumps({"format": _FORMAT, "orgs": orgs}, indent=1, sort_keys=True)
    beside = path.with_name(f".{path.name}.new")  # one name: of a run that died in between the next one writes over it
    with disk(path):
        private_folder(path.parent)
        try:
            with private_file(beside, os.O_WRONLY | os.O_TRUNC) as file:
                left = memoryview(text.encode() + b"\n")
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
        sync_folder(path.parent)


def remove_unfinished(state_dir: Path) -> None:
    """Remove what a run that died was writing beside these files; for whoever holds the lock, else it may be at it.

    What cannot be removed stays: no run depends on these files, and whoever writes one will tell.
    """
    for beside in state_dir.glob(".*.json.new"):
        with suppress(OSError):
            beside.unlink()


def _held(path: Path) -> dict[str, Any]:
    """Return what the file holds, by org; nothing when there is none, or it is torn, damaged or of another version."""
    with disk(path):
        try:
            data = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            data = None
    orgs = data.get("orgs") if isinstance(data, dict) and data.get("format") == _FORMAT else None
    if not isinstance(orgs, dict):
        _log.warning("%s cannot be read: it is taken as not there, and written anew when this run ends well", path)
        return {}
    return orgs
