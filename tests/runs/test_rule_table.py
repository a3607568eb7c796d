"""Sees that every sentence of the table has a test, and every test of a rule a sentence."""

from __future__ import annotations

from runs.marked import marked
from runs.rules import RULES


def test_every_sentence_has_a_test() -> None:
    """Each sentence of sections 2 and 3 is proved by at least one test, and no test names a sentence that is none."""
    proved = {one for test in marked("rule", "test_rule_*.py") for one in test.ids}
    assert {"without a test": set(RULES) - proved, "unknown": proved - set(RULES)} == {
        "without a test": set(),
        "unknown": set(),
    }
