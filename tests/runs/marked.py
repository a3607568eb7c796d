"""Which ids the tests of whole runs name by a marker, and which take minutes, read from source; it runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
_LONG = "pytest.mark.long"


@dataclass(frozen=True)
class Marked:
    """A test function, the ids that its marker names, and whether it is left out of `make test` altogether."""

    test: str
    ids: tuple[str, ...]
    long: bool


def marked(marker: str, pattern: str = "test_*.py") -> list[Marked]:
    """Return the test functions of the modules of whole runs that have `pytest.mark.<marker>(...)`."""
    paths = sorted((*TESTS.glob(f"runs/{pattern}"), *TESTS.glob(f"long/{pattern}")))
    return [one for path in paths for one in of_source(path.read_text("utf-8"), str(path.relative_to(TESTS)), marker)]


def of_source(source: str, name: str, marker: str) -> Iterator[Marked]:
    """Give the test functions of a module that have a marker."""
    module = ast.parse(source)
    whole = any(isinstance(line, ast.Assign) and _LONG in _values(line) for line in module.body)
    for function in ast.walk(module):
        if not isinstance(function, ast.FunctionDef) or not function.name.startswith("test_"):
            continue
        ids = tuple(
            ast.literal_eval(argument)
            for decorator in function.decorator_list
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{marker}"
            for argument in decorator.args
        )
        if ids:
            long = whole or any(_is_long(decorator) for decorator in function.decorator_list)
            yield Marked(f"{name}::{function.name}", ids, long)


def _values(line: ast.Assign) -> list[str]:
    """Return what is assigned to `pytestmark`, one mark or several."""
    if [ast.unparse(target) for target in line.targets] != ["pytestmark"]:
        return []
    return [ast.unparse(one) for one in (line.value.elts if isinstance(line.value, ast.List) else [line.value])]


def _is_long(decorator: ast.expr) -> bool:
    """Say whether a decorator leaves a test out, or every variant of it."""
    if ast.unparse(decorator) == _LONG:
        return True
    if not isinstance(decorator, ast.Call) or ast.unparse(decorator.func) != "pytest.mark.parametrize":
        return False
    variants = decorator.args[1]
    return isinstance(variants, (ast.List, ast.Tuple)) and all(_LONG in ast.unparse(one) for one in variants.elts)
