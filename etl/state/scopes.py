"""What runs left behind of their scope in the state folder, by org and key; it compares nothing, and needs no run.

It serves orgs without the run object, and those whose records somebody removed. A file that cannot be read is no
baseline: it is as if there were none.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from etl.scope import Kept
from etl.state.disk import disk, private_file, private_folder, sync_folder

_log = logging.getLogger(__name__)

FILE = "scope.json"
_FORMAT = 1


def read_scopes(state_dir: Path, org_id: str, keys: Iterable[str]) -> dict[str, Kept]:
    """Return what is kept of these keys for an org (18 characters), as far as there is something that can be read."""
    held = _held(state_dir / FILE).get(org_id)
    found: dict[str, Kept] = {}
    for key in keys:
        one = held.get(key) if isinstance(held, dict) else None
        with suppress(TypeError, ValueError, KeyError):
            if one:
                at = datetime.fromisoformat(one["kept_at"]).astimezone(UTC)
                found[key] = Kept(str(one["run_id"]), at, str(one["fingerprint"]), str(one["digest"]))
    return found


def write_scopes(state_dir: Path, org_id: str, scopes: Mapping[str, Kept]) -> None:
    """Keep these scopes of an org beside what is kept already; the file appears whole or stays as it was."""
    path = state_dir / FILE
    orgs = _held(path)
    mine = orgs.get(org_id)
    orgs[org_id] = {**(mine if isinstance(mine, dict) else {}), **{key: _plain(one) for key, one in scopes.items()}}
    text = json.dumps({"format": _FORMAT, "orgs": orgs}, indent=1, sort_keys=True)
    beside = state_dir / f".{FILE}.new"  # one name: of a run that died in between the next one writes over it
    with disk(path):
        private_folder(state_dir)
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
        sync_folder(state_dir)


def _plain(kept: Kept) -> dict[str, str]:
    return {
        "run_id": kept.run_id,
        "kept_at": kept.kept_at.astimezone(UTC).isoformat(),
        "fingerprint": kept.fingerprint,
        "digest": kept.digest,
    }


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
