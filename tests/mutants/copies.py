"""Copies of the project in which one bug at a time is planted and tests are run; it never touches the checkout."""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mutants.mutant import Mutant

COPIED = ("etl", "tests", "config", "pyproject.toml")
PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-rfE", "--no-header", "--tb=short")
_NAMED = re.compile(r"^(?:FAILED|ERROR) (?:tests/)?(?:[\w-]+/)*([^\s/]+\.py::[^\n]+?)(?: - .*)?$", re.MULTILINE)
_FAILED = 1
"""pytest's exit code when tests ran and some failed."""


@dataclass(frozen=True)
class Tested:
    """How a run of some tests ended."""

    exit_code: int | None
    """pytest's; None when it did not end in time."""
    seconds: float
    output: str

    @property
    def passed(self) -> bool:
        """Return whether all of the tests ran and passed."""
        return self.exit_code == 0

    @property
    def found(self) -> bool:
        """Return whether a test saw something wrong; tests that cannot even be loaded see nothing."""
        return self.exit_code == _FAILED and bool(self.failed)

    @property
    def failed(self) -> str:
        """Return the first test that failed, without its folder."""
        named = _NAMED.search(self.output)
        return named[1] if named else ""


class Copy:
    """A copy of the project in a folder of its own."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Copy what tests need; modules are compiled once, and checked by their contents from then on.

        By time stamp and size, as Python usually does, a bug of the same length planted within the same second would
        not be seen.
        """
        self._folder = folder
        self._running: subprocess.Popen[str] | None = None
        self._stopped = False
        skipped = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis")
        for name in COPIED:
            source = root / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=skipped)
            elif source.exists():
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, folder / name)
        by_contents = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(folder / "etl", quiet=2, invalidation_mode=by_contents)
        self._scratch = folder / "scratch"
        self._scratch.mkdir()

    @contextmanager
    def planted(self, mutant: Mutant) -> Iterator[None]:
        """Have the bug in this copy for a while."""
        path = self._folder / mutant.file
        sound = path.read_text(encoding="utf-8")
        path.write_text(mutant.plant(sound), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(sound, encoding="utf-8")

    def test(self, nodes: Sequence[str], within_s: float) -> Tested:
        """Run tests of this copy against this copy, at most for so long."""
        began = time.monotonic()
        environ = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(self._folder), str(self._folder / "tests")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # importing plugins that no such run needs takes a second each time
            "TMPDIR": str(self._scratch),
        }
        process = subprocess.Popen(
            [*PYTEST, *nodes], cwd=self._folder, env=environ, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._running = process
        if self._stopped:
            self.stop()
        code: int | None = None
        try:
            output, _ = process.communicate(timeout=within_s)
            code = process.returncode
        except subprocess.TimeoutExpired:
            _kill(process)
            output, _ = process.communicate()
        return Tested(code, time.monotonic() - began, output)

    def stop(self) -> None:
        """End the tests under way, and those begun from now on."""
        self._stopped = True
        if self._running is not None:
            _kill(self._running)


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill a process and all that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
