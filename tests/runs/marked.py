"""Which ids the tests of a folder name by a marker, read from their source; it runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent


def marked(marker: str, pattern: str = "test_*.py") -> set[str]:
    """Return the arguments of `pytest.mark.<marker>(...)` over all test functions of this folder's modules."""
    return {one for path in HERE.glob(pattern) for one in _of(path, f"pytest.mark.{marker}")}


def _of(path: Path, mark: str) -> Iterator[str]:
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef) or not function.name.startswith("test_"):
            continue
        for decorator in function.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == mark:
                yield from (ast.literal_eval(argument) for argument in decorator.args)
