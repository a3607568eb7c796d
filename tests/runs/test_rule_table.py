"""Sees that every sentence of the table has a test, and every test of a rule a sentence."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from runs.rules import RULES


def _marked(path: Path) -> Iterator[str]:
    """Give the ids that the tests of a module name by the marker `rule`."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef) or not function.name.startswith("test_"):
            continue
        for mark in function.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.rule":
                yield from (ast.literal_eval(argument) for argument in mark.args)


def test_every_sentence_has_a_test() -> None:
    """Each sentence of sections 2 and 3 is proved by at least one test, and no test names a sentence that is none."""
    proved = {rule for path in Path(__file__).parent.glob("test_rule_*.py") for rule in _marked(path)}
    assert {"without a test": set(RULES) - proved, "unknown": proved - set(RULES)} == {
        "without a test": set(),
        "unknown": set(),
    }
