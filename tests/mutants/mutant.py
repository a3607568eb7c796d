"""One planted bug, and what must hold of a list of them so that it cannot rot; it plants nothing and runs nothing."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LONGEST = 76
"""Characters of a bug's sentence, so that the table stays a table."""


@dataclass(frozen=True)
class Mutant:
    """A bug as a person would make it: a piece of source that becomes another, and the tests that should see it."""

    id: str
    bug: str
    """One sentence."""
    file: str
    source: str
    """The piece, which occurs in the file exactly once."""
    planted: str
    tests: tuple[str, ...]
    """Node ids, below `tests/`, of the default suite: those that see it soonest."""
    endless_s: float | None = None
    """Of a bug that keeps its tests from ever ending: it is found when they take longer than this."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """Return the node ids as pytest takes them."""
        return tuple(f"tests/{test}" for test in self.tests)

    def plant(self, text: str) -> str:
        """Return a file's text with the bug in it."""
        return text.replace(self.source, self.planted)


def problems(mutants: Sequence[Mutant], root: Path) -> list[str]:
    """Return what is wrong with a list of mutants of the project in `root`; nothing when it can be run."""
    twice = [f"{name}: {count} mutants have this id" for name, count in Counter(one.id for one in mutants).items()]
    return [line for line in twice if ": 1 " not in line] + [line for one in mutants for line in _problems(one, root)]


def _problems(mutant: Mutant, root: Path) -> Iterable[str]:
    if len(mutant.bug) > LONGEST or not mutant.bug.endswith("."):
        yield f"{mutant.id}: the bug is told in one sentence of at most {LONGEST} characters"
    path = root / mutant.file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = text.count(mutant.source)
    if found != 1:
        yield f"{mutant.id}: its piece of source occurs {found} times in {mutant.file}"
        return
    if mutant.planted == mutant.source:
        yield f"{mutant.id}: plants nothing"
    try:
        compile(mutant.plant(text), mutant.file, "exec")
    except SyntaxError as error:
        yield f"{mutant.id}: what it plants is no Python ({error.msg})"
    if not mutant.tests:
        yield f"{mutant.id}: names no test"
    for test in mutant.tests:
        file, _, name = test.partition("::")
        if not (root / "tests" / file).is_file():
            yield f"{mutant.id}: there is no file tests/{file}"
        elif name and name.partition("[")[0] not in _functions(root / "tests" / file):
            yield f"{mutant.id}: there is no test {test}"


@cache
def _functions(path: Path) -> frozenset[str]:
    """Return the names of the functions of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
