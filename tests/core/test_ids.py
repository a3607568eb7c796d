"""Record ids: 15 characters become 18, and what is no id becomes null."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.ids import to_18


def one(text: str | None) -> object:
    """Return what becomes of a single id; None for null."""
    result = to_18(pd.Series([text], dtype="string"))[0]
    return None if pd.isna(result) else result


def by_hand(short: str) -> str:
    """Compute the suffix the slow way, from Salesforce's description of it."""
    suffix = ""
    for start in (0, 5, 10):
        number = sum(1 << place for place, letter in enumerate(short[start : start + 5]) if letter.isupper())
        suffix += "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[number]
    return short + suffix


def test_published_example() -> None:
    """A well-known id of Salesforce's own examples gets its published suffix."""
    assert one("001D000000IqhSL") == "001D000000IqhSLIAZ"


@given(st.text("0123456789abcxyzABCXYZ", min_size=15, max_size=15))
def test_both_forms_agree(short: str) -> None:
    """Any 15 characters become the 18 that the description gives, and the 18 stay as they are."""
    assert one(short) == by_hand(short)
    assert one(by_hand(short)) == by_hand(short)


@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_lost_case_comes_back(change: object) -> None:
    """An 18-character id in one case only gets its case back from the suffix."""
    assert callable(change)
    assert one(change("001D000000IqhSLIAZ")) == "001D000000IqhSLIAZ"


@pytest.mark.parametrize(
    "text",
    [None, "", "   ", "12345", "0035g00000Abc1", "0035g00000Abc1xA", "0035g00000Abc1-", "001D000000IqhSLAAA",
     "001D000000IqhSLIA9", "001D000000IqhSL999", "0035g00000Äbc1x", "001D000000IqhSLIAZ0"],
)  # fmt: skip
def test_what_is_no_id_is_null(text: str | None) -> None:
    """Null, blank, another length, other characters and a suffix that contradicts give null."""
    assert one(text) is None


def test_blanks_index_and_length_are_kept() -> None:
    """Outer blanks are ignored and the answer has the index of the question."""
    result = to_18(pd.Series([" 001D000000IqhSL ", None, "x"], index=[7, 3, 9], dtype="string"))
    assert list(result.index) == [7, 3, 9]
    assert result.isna().tolist() == [False, True, True]
    assert result[7] == "001D000000IqhSLIAZ"


def test_nothing_in_nothing_out() -> None:
    """No ids give no ids."""
    assert to_18(pd.Series([], dtype="string")).empty
