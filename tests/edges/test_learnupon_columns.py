"""Values as LearnUpon may send them become typed columns, or a refusal that names field and row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl import frames
from etl.errors import SourceUntrusted
from etl.learnupon import kinds, pages
from etl.learnupon.columns import Column


def column(*values: Any) -> Column:
    """Return a column of those values in rows 1, 2 and so on."""
    return Column("portal academy: GET /x", "field", values, range(1, len(values) + 1))


@pytest.mark.parametrize("value", [123, "123", " 123 ", 123.0, "00123"])
def test_ids_in_all_their_spellings(value: object) -> None:
    """An integer, an integer as text and a float without a fraction are the same id."""
    assert column(1, value).ids().to_pylist() == [1, 123]
    assert column(1, value).ids().type == pa.int64()


@pytest.mark.parametrize(
    "value", [None, "", "x", "12a", "1e3", "-1", -1, 0, 1.5, 2.0**53 + 2, 2**63, 10**18, "1" * 19, "١٢", float("inf")]
)
def test_what_is_no_id_is_refused(value: object) -> None:
    """Null, texts, fractions, zero, negatives and what no field can hold are refused with the row's id."""
    with pytest.raises(SourceUntrusted, match=r"field of row 2 (is missing|cannot be read)"):
        column(1, value).ids()


def test_numbers_may_be_missing() -> None:
    """A source id may be null or empty."""
    assert column(None, 5, "", "7").numbers().to_pylist() == [None, 5, None, 7]
    assert column(None, None).numbers().to_pylist() == [None, None]


def test_versions_may_be_text_or_zero() -> None:
    """A version is a whole number from 0 up, as a number or as text; anything else is refused."""
    assert column(1, None).versions().to_pylist() == [1, None]
    assert column(0, "2", "3.0", 4.0, "", None).versions().to_pylist() == [0, 2, 3, 4, None, None]
    for wrong in ("v2", "1.2", -1):
        with pytest.raises(SourceUntrusted, match="row 1"):
            column(wrong).versions()


def test_percentages_may_be_numbers_or_text() -> None:
    """A percentage is a number, also as text, or null; blank is null and not 0."""
    assert column(85, None, 0).decimals().to_pylist() == [85.0, None, 0.0]
    assert column("85.5", None, "", 12.25, " 7 ").decimals().to_pylist() == [85.5, None, None, 12.25, 7.0]
    for wrong in ("85%", "nan", "1e9", float("inf"), float("nan")):
        with pytest.raises(SourceUntrusted, match="row 2"):
            column(1.0, wrong).decimals()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-06T07:08:09Z", datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2026-05-06T07:08:09.987Z", datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2026-05-06T07:08:09.987654+02:00", datetime(2026, 5, 6, 5, 8, 9, tzinfo=UTC)),
        ("2026-05-06T07:08:09+02:00", datetime(2026, 5, 6, 5, 8, 9, tzinfo=UTC)),
        ("2026-05-06T07:08:09", datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2026-05-06 07:08:09 UTC", datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2026-05-06", datetime(2026, 5, 6, tzinfo=UTC)),
        ("1969-12-31T23:59:59.5Z", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_times_in_all_their_spellings(text: str | None, expected: datetime | None) -> None:
    """Z, a fraction, an offset or no zone at all: the time to the second in UTC; a fraction is cut, not rounded."""
    assert column(text).times().to_pylist() == [expected]
    assert column("2026-05-06T07:08:09Z", text).times().to_pylist()[1] == expected
    assert column("2026-05-06T07:08:09.25Z", text).times().to_pylist()[1] == expected
    assert column("2026-05-06 07:08:09 UTC", text).times().to_pylist()[1] == expected


@pytest.mark.parametrize(
    "text", ["0000-00-00T00:00:00Z", "2026-13-01T00:00:00Z", "yesterday", "06/05/2026", "1780000000"]
)
def test_a_time_that_cannot_be_read_is_refused(text: str) -> None:
    """What is no time is refused with field and row, and is not repeated in the message."""
    with pytest.raises(SourceUntrusted, match="field of row 2 cannot be read") as caught:
        column(None, text).times()
    assert text not in str(caught.value)


@given(st.lists(st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(4000, 1, 1)), min_size=1))  # noqa: DTZ001
def test_every_time_comes_back(moments: list[datetime]) -> None:
    """Whatever mix of times a page holds, each comes back cut to its second."""
    texts = [moment.isoformat() + "Z" for moment in moments]
    expected = [moment.replace(microsecond=0, tzinfo=UTC) for moment in moments]
    assert column(*texts).times().to_pylist() == expected


def test_flags_in_all_their_spellings() -> None:
    """0, 1, booleans and their texts are booleans, null and empty are null, anything else is refused."""
    values = (0, 1, True, False, "true", "False", "0", "1", None, "")
    expected = [False, True, True, False, True, False, False, True, None, None]
    assert column(*values).flags().to_pylist() == expected
    for wrong in (2, "yes"):
        with pytest.raises(SourceUntrusted, match="row 2"):
            column(True, wrong).flags()


def test_statuses_become_lower_snake_case() -> None:
    """A status is read whatever its case and spacing; an unknown one is kept, a missing one refused."""
    values = ("In Progress", "not_started", "PASSED", " Pending-Review ", "waived")
    expected = ["in_progress", "not_started", "passed", "pending_review", "waived"]
    assert column(*values).statuses().to_pylist() == expected
    for wrong in (None, "", "  "):
        with pytest.raises(SourceUntrusted, match="row 2"):
            column("passed", wrong).statuses()


def test_ids_of_salesforce_are_null_when_blank() -> None:
    """An empty Salesforce id is none, and outer blanks are no part of one."""
    assert column("", "  ", None, " 0035g0000000001AAA ").names().to_pylist() == [
        None,
        None,
        None,
        "0035g0000000001AAA",
    ]


@pytest.mark.parametrize(
    "sheet",
    [pages.USERS, pages.COURSES, pages.PATHS, pages.ENROLLMENTS, pages.PATH_ENROLLMENTS],
    ids=lambda sheet: sheet.keys[0],
)
def test_an_empty_page_has_the_columns_too(sheet: pages.Sheet[Any]) -> None:
    """A page without rows has the columns of its frame."""
    assert sheet.batch([], "x").schema == sheet.schema


def test_a_page_has_the_columns_of_its_frame() -> None:
    """A decoded enrollment fills exactly the columns of frames.ENROLLMENTS; absent keys are null, unenrolled false."""
    body = b'{"enrollments": [{"id": "9", "user_id": 2, "course_id": 3, "status": "passed", "new_key": {"a": [1]}}]}'
    batch = pages.ENROLLMENTS.batch(pages.ENROLLMENTS.decode(body, "x"), "x")
    assert batch.schema == frames.ENROLLMENTS
    filled = {name: value for name, value in batch.to_pylist()[0].items() if value is not None}
    assert filled == {"id": 9, "user_id": 2, "course_id": 3, "status": "passed", "unenrolled": False}


def test_texts_are_kept_as_they_are() -> None:
    """Names keep blanks, line ends and every script."""
    name = "  Zoë\r\n健太 \u0000 "
    assert column(name, "", None).texts().to_pylist() == [name, "", None]


@pytest.mark.parametrize(
    ("element", "course", "source"),
    [
        (10, 10, None),
        ("10", 10, None),
        (kinds.PathCourse(id=10, source_id=5), 10, 5),
        (kinds.PathCourse(course_id=10, course_source_id=5), 10, 5),
        (kinds.PathCourse(id=999, course_id="10"), 10, None),
    ],
)
def test_courses_of_a_path_in_all_their_shapes(element: Any, course: int, source: int | None) -> None:
    """Ids or objects, with either spelling of each key; a course twice on a path is there once."""
    table = pages.path_courses([kinds.PathRow(id=7, name="x", courses=[element, element])], "x")
    assert table.schema == frames.PATH_COURSES
    assert table.to_pylist() == [{"path_id": 7, "course_id": course, "course_source_id": source}]
