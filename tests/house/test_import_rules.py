"""The walls between the modules: they hold today, and each gives way to a planted violation by being reported."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STANDARD = {*sys.stdlib_module_names, "jwt", "cryptography"}
PLANTED = {
    "a lower floor uses a higher one": (
        "schema.py",
        "from etl import plan",
        "Higher floors may use lower ones, never the reverse BROKEN",
    ),
    "a module without a floor": ("stray.py", "X = 1", "stray"),
    "the vendors meet": ("learnupon/stray.py", "import etl.salesforce", "The two vendors never meet BROKEN"),
    "the vendors meet, the other way": (
        "salesforce/stray.py",
        "import etl.learnupon",
        "The two vendors never meet BROKEN",
    ),
    "the core opens a socket": ("diff.py", "import socket", "What decides does no input or output BROKEN"),
    "the core asks for the time": ("totals.py", "import time", "What decides does no input or output BROKEN"),
    "a report calls out": ("report/stray.py", "import requests", "open no connection BROKEN"),
    "an emulator uses a library": ("emulator/stray.py", "import pandas", "use the standard library only BROKEN"),
    "an emulator uses the product": ("emulator/stray.py", "from etl import clock", "never the reverse BROKEN"),
    "the product knows the emulators": ("state/stray.py", "import etl.emulator", "there is one door BROKEN"),
}


def lint(folder: Path) -> tuple[int, str]:
    """Run the contracts over the package in a folder; returns the exit code and all it said."""
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a copy of the package and its contracts, to be broken."""
    shutil.copytree(ROOT / "etl", tmp_path / "etl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_walls_hold() -> None:
    """Every import contract of pyproject.toml is kept."""
    code, told = lint(ROOT)
    assert code == 0, told
    assert " 0 broken" in told


@pytest.mark.parametrize("violation", PLANTED)
def test_a_planted_violation_is_reported(violation: str, house: Path) -> None:
    """A contract that could not be broken would prove nothing: each kind of violation is reported under its name."""
    file, line, told = PLANTED[violation]
    path = house / "etl" / file
    before = path.read_text(encoding="utf-8") if path.exists() else '"""Planted."""\n'
    path.write_text(f"{before}\n{line}\n", encoding="utf-8")
    code, said = lint(house)
    assert code != 0
    assert told in said


def imported(path: Path) -> set[str]:
    """Return the modules a file names in its imports, in full."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_the_emulators_need_nothing_but_python() -> None:
    """An emulator imports the standard library, its own package, and what checks a signed token."""
    for path in (ROOT / "etl" / "emulator").rglob("*.py"):
        foreign = {name for name in imported(path) if name.partition(".")[0] not in STANDARD}
        assert {name for name in foreign if not name.startswith("etl.emulator")} == set(), path.name


def test_only_the_doors_read_the_environment() -> None:
    """Only the program's doors, etl/app and etl/__main__, read the environment; all else is handed in."""
    readers = {
        path.relative_to(ROOT / "etl").as_posix()
        for path in (ROOT / "etl").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") and ast.unparse(node.value) == "os"
    }
    assert readers <= {"app.py", "__main__.py"}
