"""Rules for the lock files: everything is pinned by hash, version and extras; they install nothing."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUN_TIME = PROJECT["project"]["dependencies"]
TOOLS = PROJECT["dependency-groups"]["dev"] + PROJECT["build-system"]["requires"]
ASKED = {"requirements.lock": RUN_TIME, "requirements-dev.lock": RUN_TIME + TOOLS}
BENCH = "requirements-bench.lock"
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[([a-z0-9._,-]+)\])?==(\S+) +--hash=sha256:[0-9a-f]{64}")


def lines(lock: str) -> list[str]:
    """Return the requirements of a lock file, each in one line."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


def pins(lock: str) -> dict[str, str]:
    """Return the versions of a lock file by package."""
    return {found[1]: found[3] for line in lines(lock) if (found := PIN.match(line))}


def extras(requirements: Iterable[str]) -> dict[str, set[str]]:
    """Return the extras with which each package is pinned."""
    return {found[1]: set((found[2] or "").split(",")) - {""} for line in requirements if (found := PIN.match(line))}


def needed(requirements: Iterable[str]) -> dict[str, set[str]]:
    """Return the extras that anything asks of a package here, as the installed packages' own metadata says it."""
    found: dict[str, set[str]] = {}
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name in found and one.extras <= found[name]:
            continue
        found[name] = found.get(name, set()) | one.extras
        try:
            asked = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:  # the build backend stands in the lock, and is needed by nothing that runs
            continue
        chosen = [{"extra": extra} for extra in ("", *found[name])]
        waiting += [next_ for next_ in asked if not next_.marker or any(map(next_.marker.evaluate, chosen))]
    return found


@pytest.mark.parametrize("lock", [*ASKED, BENCH])
def test_every_package_is_pinned_by_hash(lock: str) -> None:
    """Each package of a lock file is pinned to one version and at least one hash."""
    assert len(lines(lock)) > 20
    assert [line for line in lines(lock) if not PIN.match(line)] == []


@pytest.mark.parametrize("lock", ASKED)
def test_the_locks_hold_what_the_project_asks_for(lock: str) -> None:
    """Every dependency is locked, and the developers' lock pins the run-time packages to the same versions."""
    assert {canonicalize_name(Requirement(line).name) for line in ASKED[lock]} <= pins(lock).keys()
    assert pins("requirements.lock").items() <= pins(lock).items()


@pytest.mark.parametrize("lock", ASKED)
def test_extras_are_pinned_with_their_package(lock: str) -> None:
    """What anything needs with extras is pinned with them, or pip asks for a hash of the newest release instead."""
    held = extras(lines(lock))
    asked = needed(ASKED[lock])
    assert asked["pyjwt"] == {"crypto"}
    assert {name: wanted for name, wanted in asked.items() if not wanted <= held[name]} == {}


def test_the_benchmark_runs_the_same_versions() -> None:
    """What the benchmark needs is locked, and what it shares with the other locks is pinned to the same version."""
    asked = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependency-groups"]["bench"]}
    bench, others = pins(BENCH), pins("requirements-dev.lock")
    assert asked <= bench.keys()
    assert {name: version for name, version in bench.items() if others.get(name, version) != version} == {}


def test_a_pin_without_its_extras_is_seen() -> None:
    """A pin that names a package alone has no extras."""
    line = f"pyjwt==2.15.1 --hash=sha256:{'0' * 64}"
    assert extras([line, line.replace("pyjwt", "coverage[toml]")]) == {"pyjwt": set(), "coverage": {"toml"}}
