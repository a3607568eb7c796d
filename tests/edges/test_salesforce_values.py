"""Queries written and values read: SOQL that cannot be broken out of, CSV and JSON that lose nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl import frames
from etl.salesforce import soql
from etl.salesforce.typed import Column, Malformed, from_csv, from_records, whole

TEXT, NUMBER = Column("t", "T__c", pa.string()), Column("n", "N__c", pa.int64())
DECIMAL, FLAG = Column("d", "D__c", pa.float64()), Column("b", "B__c", pa.bool_())
TIME, FAR = Column("w", "W__c", frames.SECONDS_UTC), Column("f", "R__r.K__c", pa.string())


def value(column: Column, text: str) -> Any:
    """Return what one quoted cell is read as."""
    return from_csv(f'"{column.header}"\n"{text}"\n'.encode(), [column])[column.name][0].as_py()


@given(st.text(min_size=1))
def test_literals_cannot_be_left(text: str) -> None:
    """Whatever the value, its literal ends where it should: no bare quote and no line end is inside."""
    literal = soql.quote(text)
    inside = literal[1:-1].replace("\\\\", "")
    assert "'" not in inside.replace("\\'", "")
    assert not set("\n\r") & set(literal)


@pytest.mark.parametrize("name", ["", "A B", "A__c)", "A.", "1A", "A'--", "A__c\n", "Ä"])
def test_names_are_checked(name: str) -> None:
    """What is no API name is not put into a query."""
    with pytest.raises(ValueError, match="not an API name"):
        soql.select([name], "Contact")


def test_conditions() -> None:
    """Conditions are joined, and blank ones left out."""
    assert soql.both("", "A = 1", "") == "A = 1"
    assert soql.both(soql.either(["A = 1", "B = 2"]), "C = 3") == "(A = 1 OR B = 2) AND C = 3"
    assert soql.starts_with("K__c", "1_%:") == "K__c LIKE '1\\_\\%:%'"
    assert (
        soql.select(["Id", "A__r.B__c"], "C__c", soql.is_set("Id")) == "SELECT Id, A__r.B__c FROM C__c WHERE Id != null"
    )
    assert soql.numbers_in("P__c", [1, 22]) == "P__c IN (1,22)"


@given(st.lists(st.text(max_size=40), max_size=40), st.integers(1, 10), st.integers(60, 300), st.booleans())
def test_portions(values: list[str], count: int, room: int, in_url: bool) -> None:  # noqa: FBT001 - generated
    """Portions hold all values in order, each within count and room unless one value alone is larger."""
    portions = list(soql.portions(values, count=count, room=room, in_url=in_url))
    assert [one for portion in portions for one in portion] == values
    assert all(len(portion) <= count for portion in portions)
    if not in_url:
        assert all(len(portion) == 1 or sum(len(soql.quote(v)) + 1 for v in portion) <= room for portion in portions)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12), ("12.0", 12), ("1.2E1", 12), ("-3.0", -3), ("123456789012345678", 123456789012345678),
        ("123456789012345678.0", 123456789012345678), ("1E3", 1000), ("", None), ("12.5", None), ("1E30", None),
    ],
)  # fmt: skip
def test_whole_numbers(text: str, number: int | None) -> None:
    """All forms of a whole number are read to the last digit; what is none becomes null, so that it differs."""
    assert value(NUMBER, text) == number
    assert whole(pa.array([text or None, "7"])).to_pylist() == [number, 7]


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05.000+0000", "2026-01-02T03:04:05Z",
                                  "2026-01-02T03:04:05.999Z", "2026-01-02T05:04:05.000+02:00"])  # fmt: skip
def test_times(text: str) -> None:
    """Times in both notations are read to the second, in UTC."""
    assert value(TIME, text) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["NA", "null", "#N/A", "nan", "00123", " x ", "a,b", 'say ""hi""', "l\r\nx\ny", "Å 学 🎓"]
)
def test_texts_stay(text: str) -> None:
    """Texts that look like nulls or numbers, hold quotes, commas or line ends, or are not English, stay as they are."""
    assert value(TEXT, text) == text.replace('""', '"')


def test_line_ends_in_a_long_answer() -> None:
    """An answer longer than what is parsed at a time is taken apart by records, never at a line end inside quotes."""
    text = "Ropes\nand knots\n" * 60
    body = b'"T__c","N__c"\n' + b"".join(f'"{text}","{number}"\n'.encode() for number in range(10_000))
    table = from_csv(body, [TEXT, NUMBER])
    assert table["n"].to_pylist() == list(range(10_000))
    assert table["t"].unique().to_pylist() == [text]


@pytest.mark.parametrize("before", ["", "x"])
def test_pairs_of_line_ends_in_a_long_answer(before: str) -> None:
    """CR LF inside a text stays whole wherever in a long answer it stands."""
    text = before + "\r\n" * 3_000_000 + "end"
    assert from_csv(f'"T__c"\n"{text}"\n'.encode(), [TEXT])["t"].to_pylist() == [text]


def test_the_longest_record() -> None:
    """A record of as many characters as Salesforce allows, each as long as can be, comes whole wherever it begins."""
    rows = ["short" * 200_000, "\U0001f4da" * 400_000, "last"]
    body = "\n".join(['"T__c"', *(f'"{text}"' for text in rows)]) + "\n"
    assert from_csv(body.encode(), [TEXT])["t"].to_pylist() == rows


@pytest.mark.parametrize("column", [TEXT, NUMBER, DECIMAL, FLAG, TIME])
def test_empty_is_null(column: Column) -> None:
    """An empty cell is null, whatever the type."""
    assert value(column, "") is None


def test_flags_and_decimals() -> None:
    """Booleans and decimals are read, exponents too."""
    assert (value(FLAG, "true"), value(FLAG, "false"), value(FLAG, "1")) == (True, False, True)
    assert (value(DECIMAL, "87.5"), value(DECIMAL, "8.75E1"), value(DECIMAL, "87")) == (87.5, 87.5, 87.0)


@pytest.mark.parametrize(
    "body",
    [
        b'"X"\n"1"\n', b'"X"', b'"T__c","N__c"\n"a"\n', b'"T__c"\n"\xff\xfe"\n', b'"T__c","N__c"\n"a","twelve"\n',
        b"<html><body>maintenance</body></html>",
    ],
)  # fmt: skip
def test_malformed(body: bytes) -> None:
    """A missing column, a short row, other bytes than UTF-8 and a word for a number are refused, and not quoted."""
    with pytest.raises(Malformed) as caught:
        from_csv(body, [TEXT, NUMBER] if b"N__c" in body else [TEXT])
    assert "twelve" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"\n", b'"T__c"', b'"T__c"\n', b'"Other","T__c"'])
def test_no_rows(body: bytes) -> None:
    """No bytes, or a header alone, with or without a line end, is a table without rows."""
    assert from_csv(body, [TEXT]).num_rows == 0


def test_records() -> None:
    """JSON records give the same columns, through relationships too."""
    rows = [
        {"T__c": "a", "N__c": "12.0", "D__c": "1.5", "B__c": True, "W__c": "2026-01-02T03:04:05.000+0000",
         "R__r": {"attributes": {}, "K__c": "k"}},
        {"T__c": "", "N__c": 7, "D__c": None, "B__c": False, "W__c": None, "R__r": None},
    ]  # fmt: skip
    assert from_records(rows, [TEXT, NUMBER, DECIMAL, FLAG, TIME, FAR]).to_pylist() == [
        {"t": "a", "n": 12, "d": 1.5, "b": True, "w": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "f": "k"},
        {"t": None, "n": 7, "d": None, "b": False, "w": None, "f": None},
    ]


def test_record_without_the_column() -> None:
    """A record that lacks what was asked for is refused, not taken for null."""
    with pytest.raises(Malformed, match="no T__c"):
        from_records([{"N__c": 1}], [TEXT])
