"""Rules that hold for every file of the repository, whoever wrote it: sizes, honest tests, no trace of a machine."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = sorted(path for folder in ("etl", "tests") for path in (ROOT / folder).rglob("*.py"))
TESTS = [path for path in PYTHON if path.name.startswith("test_")]
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def tree(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path, node: ast.stmt | ast.expr | None = None) -> str:
    """Return where something stands, for a person to go there."""
    return f"{path.relative_to(ROOT)}:{node.lineno if node else 1}"


def long_functions(path: Path, most: int = 50) -> Iterator[str]:
    """Yield the functions of a file with more lines than `most`, decorators not counted."""
    for node in ast.walk(tree(path)):
        if isinstance(node, FUNCTION) and (lines := (node.end_lineno or 0) - node.lineno + 1) > most:
            yield f"{path.name}:{node.lineno}: {node.name} has {lines} lines"


def test_no_function_is_longer_than_a_page() -> None:
    """A function has at most 50 lines, in the program and in the tests."""
    assert [long for path in PYTHON for long in long_functions(path)] == []


def test_no_module_is_longer_than_300_lines() -> None:
    """A module has at most 300 lines."""
    sizes = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PYTHON}
    assert {name: size for name, size in sizes.items() if size > 300} == {}


def test_the_size_check_sees_a_long_function(tmp_path: Path) -> None:
    """51 lines are found and 50 are not."""
    body = "\n".join(f"    x{number} = {number}" for number in range(49))
    path = tmp_path / "sizes.py"
    path.write_text(f"def fits():\n{body}\n\ndef long():\n{body}\n    return 1\n", encoding="utf-8")
    assert list(long_functions(path)) == ["sizes.py:52: long has 51 lines"]


PATCHING = ("monkeypatch.setattr", "mock.patch", "mocker.patch", "unittest.mock")


def patched(path: Path) -> Iterator[str]:
    """Yield where a test replaces parts of the program behind its back."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in PATCHING:
            yield place(path, node)
        if isinstance(node, ast.ImportFrom) and node.module in ("unittest.mock", "unittest", "mock"):
            yield place(path, node)


def test_no_test_replaces_our_own_code() -> None:
    """Tests hand in a clock, an environment or a server; they never patch the code they judge."""
    assert [where for path in PYTHON if "tests" in path.parts for where in patched(path)] == []


def test_every_test_states_its_rule() -> None:
    """Each test has a docstring that says which rule it proves."""
    silent = [
        place(path, node)
        for path in TESTS
        for node in ast.walk(tree(path))
        if isinstance(node, FUNCTION) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


def test_every_module_says_what_it_is_for() -> None:
    """Each module opens with a docstring."""
    assert [place(path) for path in PYTHON if path.stat().st_size and not ast.get_docstring(tree(path))] == []


def tracked() -> list[Path]:
    """Return the text files of the repository, or of the folder where there is no git."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = done.stdout.decode().split("\0") if done.returncode == 0 else []
    found = [ROOT / name for name in names if name] or [path for path in ROOT.rglob("*") if ".venv" not in path.parts]
    return [path for path in found if path.is_file() and b"\0" not in path.read_bytes()[:8192]]


# The parts are put together here, so that this file does not name what it looks for.
TRACES = re.compile(
    r"(?<![\w.:@$})-])/(?:work|root|home/\w+|Users/\w+)/"
    r"|files\.python" + r"hosted\.org|py" + r"pi\.org|registry\.npm" + r"js\.org|index-" + r"url|trusted-" + r"host"
)
# Switches that keep such addresses out of the lock files have to name them.
SWITCHES = re.compile(r"--no-emit-[a-z-]+")


def test_no_file_names_a_machine_or_a_registry() -> None:
    """No path of somebody's machine and no address of a package registry is in the repository."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match.group()}"
        for path in tracked()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if (match := TRACES.search(SWITCHES.sub("", line)))
    ]
    assert found == []


@pytest.mark.parametrize("trace", ["cd /wo" + "rk/main", "open('/ro" + "ot/x')", "https://py" + "pi.org/simple"])
def test_the_search_for_traces_finds_them(trace: str) -> None:
    """The search above is able to find what it forbids."""
    assert TRACES.search(trace)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make with these arguments, without touching the environment of the tests."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, env=clean, timeout=60,
    )  # fmt: skip


def test_make_alone_says_what_can_be_made() -> None:
    """`make` without a target lists the targets and makes nothing."""
    told = make().stdout
    assert [target for target in ("help", "demo", "test", "lint", "bench") if f"make {target} " not in told] == []


def test_an_old_python_is_told_plainly(tmp_path: Path) -> None:
    """A Python older than 3.11 is refused in one line that says what to do, before anything is made."""
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n', encoding="utf-8")
    old.chmod(0o755)
    done = make(f"PYTHON={old}", f"VENV={tmp_path / 'venv'}", "test")
    assert done.returncode != 0
    assert "Python 3.9.2 is too old: Python 3.11 or newer is needed" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_the_ci_script_is_sound() -> None:
    """The CI script parses, may be executed, and ends with the status of what it ran."""
    script = ROOT / ".ci" / "run"
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text(encoding="utf-8")
