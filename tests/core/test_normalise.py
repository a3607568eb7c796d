"""One normalisation for both sides, and the fitting of values to the fields of the org."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from etl.normalise import Shape, declared_shapes, fit, normalise
from etl.schema import CONTACT_ENROLLMENT

TEXT, NUMBER, SCORE = Shape("text", length=5), Shape("number"), Shape("number", precision=6, scale=2)
BOX, TIME = Shape("boolean"), Shape("datetime")
PICKLIST = Shape("text", length=80, choices=frozenset({"Passed", "Failed"}))


@pytest.mark.parametrize(
    ("value", "shape", "expected"),
    [
        (" Safety \t", TEXT, "Safety"),
        ("two\r\nlines\n", TEXT, "two\r\nlines"),
        ("", TEXT, None),
        ("  ", TEXT, None),
        ("#N/A", TEXT, None),
        (" #N/A ", TEXT, None),
        ("#n/a", TEXT, "#n/a"),
        (None, TEXT, None),
        (87.0, SCORE, 87.0),
        (87.004, SCORE, 87.0),
        (87.005, SCORE, 87.01),
        (-87.005, SCORE, -87.01),
        (1e300, SCORE, 1e300),
        (None, SCORE, None),
        (0.0, SCORE, 0.0),
        (7, NUMBER, 7),
        (None, BOX, False),
        (True, BOX, True),
        (datetime(2026, 1, 1, 0, 0, 0, 999999, tzinfo=UTC), TIME, datetime(2026, 1, 1, tzinfo=UTC)),
        (datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC), TIME, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (None, TIME, None),
    ],
)
def test_normal_form(value: Any, shape: Shape, expected: Any) -> None:
    """Texts lose outer blanks, empty is null and so is #N/A; numbers go to the scale, times to the second below."""
    kind = {"text": pa.string(), "boolean": pa.bool_(), "datetime": pa.timestamp("us", tz="UTC")}.get(shape.kind)
    assert normalise({"x": pa.array([value], type=kind)}, {"x": shape})["x"].to_pylist() == [expected]


def _fit(value: Any, shape: Shape) -> tuple[Any, list[str], dict[str, int], int]:
    dtype: Any = {"text": "string[pyarrow]", "number": "Float64" if shape.scale else "Int64"}.get(shape.kind)
    values = pd.Series([value], dtype=dtype, index=[7])
    fitted = fit(pd.DataFrame({"key": ["k"], "x": values.array}, index=[7]), "key", {"x": shape})
    assert fitted.rejected["key"].tolist() == ["k"] * (1 - len(fitted.rows))
    held = None if fitted.rows.empty or pd.isna(fitted.rows["x"].iloc[0]) else fitted.rows["x"].iloc[0]
    return held, fitted.rejected["reason"].tolist(), fitted.cut, fitted.blanked


@pytest.mark.parametrize(
    ("value", "shape", "held", "cut", "blanked"),
    [
        ("12345", TEXT, "12345", {}, 0),
        ("123456", TEXT, "12345", {"x": 1}, 0),
        ("שלום!!", TEXT, "שלום!", {"x": 1}, 0),
        ("שלום!", TEXT, "שלום!", {}, 0),
        (" #N/A ", TEXT, None, {}, 1),
        ("", TEXT, None, {}, 0),
        ("     x", TEXT, None, {"x": 1}, 0),
        ("#N/A #", Shape("text", length=4), None, {"x": 1}, 0),
        ("x" * 300, Shape("text"), "x" * 300, {}, 0),
        (66.666, SCORE, 66.67, {}, 0),
        (12.345, SCORE, 12.35, {}, 0),
        (9999.994, SCORE, 9999.99, {}, 0),
        (None, SCORE, None, {}, 0),
        (10**18 - 1, NUMBER, 10**18 - 1, {}, 0),
        ("Passed", PICKLIST, "Passed", {}, 0),
        (None, PICKLIST, None, {}, 0),
    ],
)
def test_values_are_fitted(value: Any, shape: Shape, held: Any, cut: dict[str, int], blanked: int) -> None:
    """A long text is cut and counted, the literal #N/A is blanked and counted, a number goes to the field's scale."""
    assert _fit(value, shape) == (held, [], cut, blanked)


@pytest.mark.parametrize(
    ("value", "shape", "words"),
    [
        (9999.996, SCORE, "more digits than Number(4,2)"),
        (-10_000.0, SCORE, "more digits"),
        (float("inf"), SCORE, "more digits"),
        (10**18, NUMBER, "more digits than Number(18,0)"),
        (1_000, Shape("number", precision=3), "more digits than Number(3,0)"),
        ("On Hold", PICKLIST, "restricted picklist"),
        (pd.Timestamp("1699-12-31", tz="UTC"), TIME, "1700 to 4000"),
        (pd.Timestamp("4001-01-01", tz="UTC").as_unit("s"), TIME, "1700 to 4000"),
    ],
)
def test_what_no_field_can_hold_rejects_its_row(value: Any, shape: Shape, words: str) -> None:
    """A number of too many digits, a value outside a restricted picklist, or a time out of range rejects the row."""
    held, reasons, _, _ = _fit(value, shape)
    assert held is None
    assert len(reasons) == 1
    assert reasons[0].startswith("x: ")
    assert words in reasons[0]


def test_the_first_impossible_column_is_the_reason() -> None:
    """A row with several impossible values is rejected once, and only that row."""
    frame = pd.DataFrame({"key": ["a", "b", "c"], "x": [1e9, 1.0, 1e9], "y": [1e9, 1e9, 1.0]})
    fitted = fit(frame, "key", {"x": SCORE, "y": SCORE})
    assert fitted.rejected["reason"].str[0].tolist() == ["x", "y", "x"]
    assert fitted.rows.empty


def test_fitting_leaves_the_given_rows_alone() -> None:
    """The frame handed in is not changed."""
    frame = pd.DataFrame({"key": ["a"], "x": pd.array(["123456"], dtype="string[pyarrow]")})
    fit(frame, "key", {"x": TEXT})
    assert frame["x"].tolist() == ["123456"]


def test_our_own_metadata_declares_a_shape_for_every_column() -> None:
    """Without describe the shapes are those of our own metadata."""
    shapes = declared_shapes(CONTACT_ENROLLMENT)
    assert tuple(shapes) == CONTACT_ENROLLMENT.columns
    assert shapes["Score__c"] == Shape("number", 0, 6, 2)
    assert shapes["Course_Name__c"].length == 255
