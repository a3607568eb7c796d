"""Files of rows that a manifest names with their SHA-256, so that damage and edits are noticed; it asks no vendor.

No secret is involved: whoever may write the folder can forge both.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from etl.park import Park
from etl.plan import EntityPlan
from etl.scope import Parts
from etl.state.disk import private_file, private_folder

_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Facts:
    """Where a plan comes from, and what it is a plan of."""

    run_id: str
    created_at: datetime
    """When the plan's run began to read."""
    org_id: str
    namespace: str
    portals: tuple[tuple[str, int], ...]
    """Names and ids."""
    with_profiles: bool
    scope: Mapping[str, Parts] = field(default_factory=dict)
    """What decided which rows are wanted (`etl.scope`), by key."""

    def as_json(self) -> dict[str, Any]:
        """Return the facts as a manifest holds them."""
        return {
            **asdict(self),
            "created_at": stamped(self.created_at),
            "portals": [{"name": name, "portal_id": portal_id} for name, portal_id in self.portals],
        }

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Facts:
        """Return the facts of a manifest; LookupError, TypeError or ValueError when it is not whole."""
        return cls(
            run_id=str(manifest["run_id"]),
            created_at=datetime.strptime(manifest["created_at"], _STAMP).replace(tzinfo=UTC),
            org_id=str(manifest["org_id"]),
            namespace=str(manifest["namespace"]),
            portals=tuple((str(one["name"]), int(one["portal_id"])) for one in manifest["portals"]),
            with_profiles=bool(manifest["with_profiles"]),
            scope={
                str(key): {str(name): str(one) for name, one in parts.items()}
                for key, parts in manifest.get("scope", {}).items()
            },
        )


def stamped(moment: datetime) -> str:
    """Return a time as manifests hold it: UTC, to the second."""
    return moment.astimezone(UTC).strftime(_STAMP)


def parks(part: EntityPlan) -> tuple[Park, Park, Park, Park]:
    """Return the tables of an object's plan: rows to create, to update, those as they were, rows to delete."""
    return part.creates, part.updates, part.before, part.deletes


def sealed(manifest: Mapping[str, Any]) -> str:
    """Return a manifest as the text of its file, with its own SHA-256."""
    return json.dumps({**manifest, "sha256": fingerprint(manifest)}, indent=2, ensure_ascii=False) + "\n"


def unsealed(text: bytes) -> tuple[dict[str, Any], str]:
    """Return a manifest and its SHA-256; ValueError, TypeError, KeyError or AttributeError when it is not whole."""
    manifest = json.loads(text)
    seen = str(manifest.pop("sha256"))
    if seen != fingerprint(manifest):
        raise ValueError("another hash")
    return manifest, seen


def fingerprint(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest without its own, whatever its blanks and the order of its keys."""
    plain = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def write_new(path: Path, pieces: Iterable[bytes]) -> str:
    """Write a file that was not there, see it on the disk, and return its SHA-256."""
    seen = hashlib.sha256()
    private_folder(path.parent)
    with private_file(path, os.O_WRONLY | os.O_EXCL) as file:
        for piece in pieces:
            seen.update(piece)
            view = memoryview(piece)
            while view:
                view = view[file.write(view) :]
        os.fsync(file.fileno())
    return seen.hexdigest()


def copy_new(source: Path, target: Path) -> str:
    """Copy a file to a place where none was, see it on the disk, and return the SHA-256 of what was copied."""
    return write_new(target, pieces_of(source))


def pieces_of(path: Path) -> Iterator[bytes]:
    """Give a file's contents piece by piece."""
    with path.open("rb") as file:
        yield from iter(lambda: file.read(_BLOCK), b"")


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    seen = hashlib.sha256()
    for piece in pieces_of(path):
        seen.update(piece)
    return seen.hexdigest()
