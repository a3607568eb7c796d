"""What runs left behind of their scope in the state folder, by org and key; it compares nothing, and needs no run.

It serves orgs without the run object, and those whose records somebody removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from etl.scope import Kept
from etl.state import orgfile

FILE = "scope.json"


def read_scopes(state_dir: Path, org_id: str, keys: Iterable[str]) -> dict[str, Kept]:
    """Return what is kept of these keys for an org (18 characters), as far as there is something that can be read."""
    held = orgfile.held_of(state_dir / FILE, org_id)
    found: dict[str, Kept] = {}
    for key in keys:
        one = held.get(key)
        with suppress(TypeError, ValueError, KeyError):
            if one:
                at = datetime.fromisoformat(one["kept_at"]).astimezone(UTC)
                found[key] = Kept(str(one["run_id"]), at, str(one["fingerprint"]), str(one["digest"]))
    return found


def write_scopes(state_dir: Path, org_id: str, scopes: Mapping[str, Kept]) -> None:
    """Keep these scopes of an org beside what is kept already; the file appears whole or stays as it was."""
    orgfile.keep(state_dir / FILE, org_id, {key: _plain(one) for key, one in scopes.items()})


def _plain(kept: Kept) -> dict[str, str]:
    return {
        "run_id": kept.run_id,
        "kept_at": kept.kept_at.astimezone(UTC).isoformat(),
        "fingerprint": kept.fingerprint,
        "digest": kept.digest,
    }
