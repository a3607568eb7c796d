"""Configuration files for tests: a good one in few keys, and how to load a changed one; it decides nothing."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from etl.config import Settings, load
from etl.errors import ConfigFault

CANARY = "canary-7Qx!s3cret"
ENVIRON = {"LU_PASSWORD": f"{CANARY}-password", "SF_TOKEN": f"00Dx!{CANARY}-token"}
GOOD: dict[str, Any] = {
    "portals": [
        {
            "name": "academy",
            "portal_id": 12345,
            "title": "Acme Academy",
            "url": "https://acme.example.com",
            "username": "a1b2c3",
            "password": "${LU_PASSWORD}",
        }
    ],
    "salesforce": {
        "login_url": "https://acme.my.salesforce.com",
        "org_id": "00D5g000004xyzAEAQ",
        "auth": "access_token",
        "access_token": "${SF_TOKEN}",
    },
}


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """Return the good configuration with values set at dotted places (`portals.0.url`); `...` takes a key away."""
    tree: dict[str, Any] = copy.deepcopy(GOOD)
    for dotted, value in changes:
        *way, last = dotted.split(".")
        inner: Any = tree
        for part in way:
            inner = inner[int(part)] if isinstance(inner, list) else inner.setdefault(part, {})
        if value is ...:
            del inner[last]
        elif isinstance(inner, list):
            inner.insert(int(last), value)
        else:
            inner[last] = value
    return tree


def write(folder: Path, content: str | bytes | Mapping[str, Any]) -> Path:
    """Write a configuration file, from text, bytes or a tree, and return its path."""
    path = folder / "config.yaml"
    if isinstance(content, Mapping):
        content = yaml.safe_dump(dict(content), sort_keys=False)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def settings(folder: Path, *changes: tuple[str, Any], environ: Mapping[str, str] = ENVIRON) -> Settings:
    """Load the good configuration with changes."""
    return load(write(folder, changed(*changes)), environ)


def faults(
    folder: Path, content: str | bytes | Mapping[str, Any], environ: Mapping[str, str] = ENVIRON
) -> tuple[str, ...]:
    """Load a wrong configuration and return its faults, the folder taken away: `config.yaml:3: portals: ...`."""
    path = write(folder, content)
    with pytest.raises(ConfigFault) as caught:
        load(path, environ)
    return tuple(line.removeprefix(f"{folder}/") for line in caught.value.faults)


def faults_of(folder: Path, *changes: tuple[str, Any], environ: Mapping[str, str] = ENVIRON) -> list[str]:
    """Return the faults of the good configuration with changes, without file and line: `portals[0].url: ...`."""
    return [line.split(": ", 1)[1] for line in faults(folder, changed(*changes), environ)]


def fault_of(folder: Path, *changes: tuple[str, Any], environ: Mapping[str, str] = ENVIRON) -> ConfigFault | None:
    """Return the error that loading the good configuration with changes raises, or None when it loads."""
    try:
        settings(folder, *changes, environ=environ)
    except ConfigFault as fault:
        return fault
    return None
