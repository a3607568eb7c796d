"""One answer of LearnUpon turned into columns: its list found, its rows decoded and put into one arrow batch.

It asks for nothing, remembers nothing, and needs neither pandas nor HTTP, since workers import it. Whatever is not the
list that was asked for raises SourceUntrusted; a body that ends too early raises RetryableAnswer, since that is how a
cut answer without a length looks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
import pyarrow as pa

from etl import shapes
from etl.errors import RetryableAnswer, SourceUntrusted
from etl.learnupon import kinds
from etl.learnupon.columns import Column
from etl.veil import excerpt

_TRUNCATED = "Input data was truncated"
_COMPLAINTS = ("error", "message", "response_code", "response_type")
"""Keys of LearnUpon's error bodies; some of them came with a 200 (seen in the field)."""
_ID = b'"id"'
Row = TypeVar("Row", bound=msgspec.Struct)
Read = Callable[[Column], pa.Array]


class Sheet(Generic[Row]):
    """A kind of list: the keys its rows may come under, the type of a row, and the columns made of it."""

    def __init__(
        self,
        name: str,
        keys: tuple[str, ...],
        row: type[Row],
        schema: pa.Schema,
        columns: Sequence[tuple[str, Read]],
        *,
        rows_kept: bool = False,
    ) -> None:
        """Prepare the decoder; `columns` gives for each column of `schema` the row's field and how it is read.

        `name` is what the sheet is called in this module. `rows_kept` says that more is read of its rows than columns.
        """
        self.keys = keys
        self.schema = schema
        self.rows_kept = rows_kept
        self._name = name
        self._columns = [(row.__struct_fields__.index(field), field, read) for field, read in columns]
        unset = [(key, list[row] | msgspec.UnsetType, msgspec.UNSET) for key in keys]  # type: ignore[valid-type]
        complaints = [(key, object, None) for key in _COMPLAINTS]
        envelope = msgspec.defstruct("Envelope", [*unset, *complaints])
        self._decoder = msgspec.json.Decoder(envelope)

    def __reduce__(self) -> str:
        """Be sent to a worker by name: it has this module too."""
        return self._name

    def decode(self, body: bytes, where: str) -> list[Row]:
        """Return the rows of an answer; `where` names the request in the words of a refusal."""
        try:
            envelope = self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise _untrusted(where, f"an unexpected shape: {error}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _unreadable(where, body, error) from error
        complaints = [key for key in _COMPLAINTS if getattr(envelope, key) not in (None, False, "")]
        if complaints:
            text = ", ".join(f"{key}: {excerpt(str(getattr(envelope, key)))}" for key in complaints)
            raise _untrusted(where, f"an error with status 200 ({text})")
        lists = [found for key in self.keys if (found := getattr(envelope, key)) is not msgspec.UNSET]
        if len(lists) != 1:
            seen = ", ".join(excerpt(key) for key in sorted(_whole(body, where))[:8]) or "none"
            raise _untrusted(where, f"no list under {' or '.join(self.keys)} (keys seen: {seen})")
        rows: list[Row] = lists[0]
        self._refuse_doubles(body, len(rows), where)
        return rows

    def _refuse_doubles(self, body: bytes, rows: int, where: str) -> None:
        # The decoder takes the last of two equal keys: a list or an id named twice would be lost without a word. A list
        # that is lost shows by the ids of its rows; one without rows by its name before the first id of the other.
        start = body.find(_ID)
        lists = sum(body.count(b'"%s"' % key.encode(), 0, start if start >= 0 else len(body)) for key in self.keys)
        if lists > 1 or body.count(_ID) > rows:
            try:
                _whole(body, where, _once)
            except KeyError as error:
                raise _untrusted(where, f"the key {excerpt(str(error.args[0]))} twice in one object") from error

    def batch(self, rows: Sequence[Row], where: str) -> pa.RecordBatch:
        """Return the rows as columns of `schema`."""
        if not rows:
            return pa.RecordBatch.from_pylist([], schema=self.schema)
        values = list(zip(*map(msgspec.structs.astuple, rows), strict=True))
        ids = values[self._columns[0][0]]
        arrays = [read(Column(where, field, values[place], ids)) for place, field, read in self._columns]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def as_buffer(sheet: Sheet[Any], body: bytes, where: str) -> pa.Buffer:
    """Return the columns of a page as one buffer, the form in which they come back from a worker."""
    return sheet.batch(sheet.decode(body, where), where).serialize()


def from_buffer(sheet: Sheet[Any], buffer: pa.Buffer) -> pa.RecordBatch:
    """Return the columns of a page from what `as_buffer` made of them."""
    return pa.ipc.read_record_batch(buffer, sheet.schema)


def _whole(body: bytes, where: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Return the JSON of a body, read in all its parts: the decoder of rows looks into known fields only."""
    try:
        return json.loads(body, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise _unreadable(where, body, error) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen = dict(pairs)
    if len(seen) < len(pairs):
        names = [key for key, _ in pairs]
        raise KeyError(next(key for key in names if names.count(key) > 1))
    return seen


def _unreadable(where: str, body: bytes, error: Exception) -> Exception:
    start = body.lstrip()[:1]
    if start == b"<":
        return _untrusted(where, f"no JSON but {excerpt(body.lstrip())}")
    # Never an excerpt of what may be rows: they hold names and addresses.
    fault = _untrusted(where, f"malformed JSON of {len(body)} bytes ({type(error).__name__}: {_told(error)})")
    if start in {b"", b"{"} and str(error) == _TRUNCATED:
        return RetryableAnswer(f"HTTP 200, but the JSON ends after {len(body)} bytes", final=fault)
    return fault


def _told(error: Exception) -> str:
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else excerpt(str(error))


def _untrusted(where: str, came: str) -> SourceUntrusted:
    return SourceUntrusted(f"{where}: LearnUpon answered {came}; nothing may be concluded from this portal")


def _unenrolled(column: Column) -> pa.Array:
    return column.flags().fill_null(False)


USERS: Sheet[kinds.UserRow] = Sheet(
    "USERS",
    ("user", "users"),
    kinds.UserRow,
    shapes.USERS,
    (
        ("id", Column.ids),
        ("email", Column.texts),
        ("first_name", Column.texts),
        ("last_name", Column.texts),
        ("sf_contact_id", Column.names),
        ("sf_user_id", Column.names),
        ("is_salesforce_contact", Column.flags),
        ("last_sign_in_at", Column.times),
    ),
)
COURSES: Sheet[kinds.CourseRow] = Sheet(
    "COURSES",
    ("courses",),
    kinds.CourseRow,
    shapes.COURSES,
    (("id", Column.ids), ("source_id", Column.numbers), ("name", Column.texts)),
    rows_kept=True,
)
PATHS: Sheet[kinds.PathRow] = Sheet(
    "PATHS",
    ("learning_paths",),
    kinds.PathRow,
    shapes.PATHS,
    (("id", Column.ids), ("name", Column.texts)),
    rows_kept=True,
)
PORTALS: Sheet[kinds.PortalRow] = Sheet(
    "PORTALS",
    ("portals",),
    kinds.PortalRow,
    pa.schema({"id": pa.int64(), "subdomain": pa.string()}),
    (("id", Column.ids), ("subdomain", Column.texts)),
)
ENROLLMENTS: Sheet[kinds.EnrollmentRow] = Sheet(
    "ENROLLMENTS",
    ("enrollments",),
    kinds.EnrollmentRow,
    shapes.ENROLLMENTS,
    (
        ("id", Column.ids),
        ("user_id", Column.ids),
        ("course_id", Column.ids),
        ("course_source_id", Column.numbers),
        ("version", Column.versions),
        ("course_name", Column.texts),
        ("status", Column.statuses),
        ("percentage", Column.decimals),
        ("percentage_complete", Column.decimals),
        ("date_enrolled", Column.times),
        ("date_completed", Column.times),
        ("unenrolled", _unenrolled),
        ("updated_at", Column.times),
    ),
)
PATH_ENROLLMENTS: Sheet[kinds.PathEnrollmentRow] = Sheet(
    "PATH_ENROLLMENTS",
    ("enrollments",),
    kinds.PathEnrollmentRow,
    shapes.PATH_ENROLLMENTS,
    (
        ("id", Column.ids),
        ("user_id", Column.ids),
        ("lp_id", Column.ids),
        ("lp_name", Column.texts),
        ("status", Column.statuses),
        ("percentage", Column.decimals),
        ("date_enrolled", Column.times),
        ("date_completed", Column.times),
        ("unenrolled", _unenrolled),
        ("updated_at", Column.times),
    ),
)


def path_courses(rows: Sequence[kinds.PathRow], where: str) -> pa.Table:
    """Return the courses of paths (shapes.PATH_COURSES), each once a path; a path without the list is refused.

    The shape of an element is undocumented: ids and objects are accepted, and of an object `course_id` before `id`
    (assumed: beside a `course_id`, `id` would be that of the row that joins the two).
    """
    paths: list[Any] = []
    courses: list[Any] = []
    sources: list[Any] = []
    for row in rows:
        if row.courses is None:
            raise _untrusted(where, f"path {row.id} without courses, though they were asked for")
        for course in row.courses:
            paths.append(row.id)
            courses.append(_first(course.course_id, course.id) if isinstance(course, kinds.PathCourse) else course)
            sources.append(
                _first(course.course_source_id, course.source_id) if isinstance(course, kinds.PathCourse) else None
            )
    arrays = [
        Column(where, "id", paths, paths).ids(),
        Column(where, "course id", courses, paths).ids(),
        Column(where, "course source id", sources, paths).numbers(),
    ]
    table = pa.Table.from_arrays(arrays, schema=shapes.PATH_COURSES)
    once = table.group_by(["path_id", "course_id"], use_threads=False).aggregate([("course_source_id", "max")])
    return once.rename_columns(shapes.PATH_COURSES.names).cast(shapes.PATH_COURSES)


def _first(value: Any, other: Any) -> Any:
    return other if value is None else value
