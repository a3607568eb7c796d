"""The scope of a run as hashes: all settings that decide which rows are wanted; pure, keeps and compares nothing else.

When one of them changes, rows can look deleted that are none: statuses that no longer count as finished, labels by
which finished rows in Salesforce are no longer known as such, other people behind the same learners. So a run leaves
behind what its scope was, portal by portal, and the next one compares. Hashes tell that something changed, and which
section, and show no value.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from etl.config.models import Settings
from etl.rows import label

RULES_VERSION = 1
"""Raised when this program itself begins to decide otherwise which rows are wanted or finished."""
PROFILES = "profiles"
"""Key of what the sums over all portals depend on; the other keys are portal ids."""
_LONGEST = 40
"""Characters of a fingerprint: Salesforce holds it in a Text(40)."""
_EACH = 5
"""Characters of a section's hash in the digest, which only names what changed: seven sections fit 40."""

Parts = Mapping[str, str]
"""Section of the settings: SHA-256 of its meaning."""


@dataclass(frozen=True)
class Kept:
    """What a run left behind of its scope."""

    run_id: str
    kept_at: datetime
    fingerprint: str
    digest: str
    """The beginning of each section's hash, in their order."""


def of_run(settings: Settings, portal_ids: Sequence[int], *, with_profiles: bool) -> dict[str, Parts]:
    """Return the scope of a run by key: one for each of its portals, and one for the profiles when it writes them.

    A run of some portals alone says nothing of the others, so it is no change of scope.
    """
    rules, matching = settings.rules, settings.matching
    renamed = {name: shown for name, shown in rules.status_labels.items() if shown != label(name, {})}
    meanings: dict[str, Any] = {
        "matching.email": matching.email,
        "matching.both_ids": matching.both_ids,
        "rules.finished_statuses": sorted(set(rules.finished_statuses)),
        "rules.path_done_statuses": sorted(set(rules.path_done_statuses)),
        "rules.status_labels": renamed,
        "salesforce.namespace": settings.salesforce.namespace,
        "the program's own rules": RULES_VERSION,
    }
    portal = {name: _hash(meaning) for name, meaning in meanings.items()}
    found: dict[str, Parts] = {str(portal_id): portal for portal_id in portal_ids}
    if with_profiles:
        found[PROFILES] = {"portals": _hash(sorted(portal_ids))}
    return found


def _hash(meaning: Any) -> str:
    plain = json.dumps(meaning, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def keep(parts: Parts, run_id: str, now: datetime) -> Kept:
    """Return what a run leaves behind of one key's scope."""
    return Kept(run_id, now, _hash(dict(parts))[:_LONGEST], "".join(one[:_EACH] for one in parts.values()))


def differences(parts: Parts, last: Kept) -> list[str]:
    """Return the sections that are not as they were; none when the scope is the same."""
    now = keep(parts, last.run_id, last.kept_at)
    if now.fingerprint == last.fingerprint:
        return []
    if len(now.digest) != len(last.digest):
        return ["the rules of another version of this program"]
    places = {name: slice(place * _EACH, (place + 1) * _EACH) for place, name in enumerate(parts)}
    return [name for name, place in places.items() if now.digest[place] != last.digest[place]] or ["the rules"]
