"""Checks that look at several keys together; they run on the raw values, so that they speak beside all other faults."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from etl.config.models import AUTH_KEYS, STATUSES, RulesSettings
from etl.config.references import References
from etl.config.source import Place

Found = Iterator[tuple[Place, str]]
_NUMBER = TypeAdapter(int)


def cross_faults(values: dict[str, Any], references: References) -> Found:
    """Yield every fault between keys: twins among the portals, what the way to sign in lacks, labels that collide."""
    yield from _twins(values, "name", references)
    yield from _twins(values, "portal_id", references)
    salesforce = values.get("salesforce")
    if isinstance(salesforce, dict):
        yield from _sign_in(salesforce)
        _private_key(salesforce, references)
    rules = values.get("rules")
    if isinstance(rules, dict):
        yield from _labels(rules)


def _twins(values: dict[str, Any], key: str, references: References) -> Found:
    portals = values.get("portals")
    seen: dict[str | int, int] = {}
    for i, portal in enumerate(portals if isinstance(portals, list) else []):
        place = ("portals", i, key)
        if not isinstance(portal, dict) or key not in portal or place in references.failed:
            continue
        first = seen.setdefault(_plain(key, portal[key]), i)
        if first != i:
            yield place, f"is the same as that of portals[{first}]"


def _plain(key: str, value: object) -> str | int:
    """Return a value as it will be when it is loaded, so that an id is the same however it is written."""
    if key == "portal_id":
        with suppress(ValidationError):
            return _NUMBER.validate_python(value)
    return str(value)


def _sign_in(salesforce: dict[str, Any]) -> Found:
    auth = salesforce.get("auth", "client_credentials")
    for key in next((keys for way, keys in AUTH_KEYS.items() if way == auth), ()):
        if key not in salesforce:
            yield ("salesforce", key), f"missing: auth {auth} needs it"


def _private_key(salesforce: dict[str, Any], references: References) -> None:
    path, place = salesforce.get("private_key_file"), ("salesforce", "private_key_file")
    if salesforce.get("auth") != "jwt" or not isinstance(path, str) or not path.strip() or place in references.failed:
        return
    text = references.secret(Path(path), place)
    if text is not None and "PRIVATE KEY-----" not in text:
        what = "is empty" if not text.strip() else "holds no private key (PEM)"
        references.source.blame(place, f"the file it names {what}")


def _labels(rules: dict[str, Any]) -> Found:
    """A label that stands for a finished and for an unfinished status would hide which of them a row has."""
    labels, finished = rules.get("status_labels"), rules.get("finished_statuses", RulesSettings().finished_statuses)
    if not isinstance(labels, dict) or not isinstance(finished, list | tuple):
        return
    sides: dict[str, dict[bool, str]] = {}
    for status in dict.fromkeys((*STATUSES, *labels)):
        label = labels.get(status, status.replace("_", " "))
        if isinstance(label, str):
            sides.setdefault(label.strip().casefold(), {}).setdefault(status in finished, status)
    for found in sides.values():
        if len(found) == 2:
            ended, open_ = found[True], found[False]
            key = ended if ended in labels else open_
            yield ("rules", "status_labels", key), f"gives {ended} (finished) and {open_} (not finished) the same label"
