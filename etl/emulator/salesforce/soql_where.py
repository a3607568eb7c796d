"""Conditions of a query as functions on records, with Salesforce's way to compare; it reads no text.

A comparison with null is false, except `= null` and `!=` (SOQL guide, "Comparison Operators": != and NOT IN include
records without a value: the second is assumed). Text compares without regard to case unless the field is
case-sensitive.
"""

from __future__ import annotations

import operator
import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from etl.emulator.salesforce import ids, values
from etl.emulator.salesforce.errors import ApiError
from etl.emulator.salesforce.soql_tree import Compare, Condition, Junction, Literal, Select

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.salesforce.soql_names import Names, Path
    from etl.emulator.salesforce.table import Row

_SPECIAL = re.compile(r"[%_\\]")
_PIECE = re.compile(r"\\.|.", re.DOTALL)
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_KINDS = {
    "double": ("number",),
    "int": ("number",),
    "boolean": ("boolean",),
    "datetime": ("moment", "range"),
    "date": ("date", "range"),
}
_SHOWN = {"datetime": "dateTime", "id": "ID", "reference": "ID"}


def test(names: Names, condition: Condition, run: Callable[[Select], set[Any]]) -> Callable[[Row], bool]:
    """The condition as a function; `run` gives the values of a semi-join."""
    if isinstance(condition, Compare):
        return _compare(names.path(condition.path), condition, names, run)
    parts = [test(names, part, run) for part in condition.parts]
    return _joined(condition, parts)


def indexed(names: Names, condition: Condition) -> list[Row] | None:
    """Live records that the index of an id or external id gives: every match is among them; None without an index."""
    if isinstance(condition, Junction):
        parts = condition.parts if condition.op == "AND" else []
        return next((found for part in parts if (found := indexed(names, part)) is not None), None)
    path, table = names.path(condition.path), names.table
    if condition.op not in ("IN", "=") or condition.sub is not None or path.parents:
        return None
    if any(one.kind != "string" for one in condition.values):
        return None
    if path.field.type == "id":
        wanted = dict.fromkeys(_value(path, one) for one in condition.values)
        return [table.rows[one] for one in wanted if one in table.rows]
    if path.field.external_id:
        wanted = dict.fromkeys(_fold(path, _value(path, one)) for one in condition.values)
        return [table.rows[one] for value in wanted for one in table.find(path.field.name, value)]
    return None


def _joined(condition: Junction, parts: list[Callable[[Row], bool]]) -> Callable[[Row], bool]:
    first = parts[0]
    if condition.op == "NOT":
        return lambda row: not first(row)
    if len(parts) == 2:
        second = parts[1]
        if condition.op == "AND":
            return lambda row: first(row) and second(row)
        return lambda row: first(row) or second(row)
    if condition.op == "AND":
        return lambda row: all(part(row) for part in parts)
    return lambda row: any(part(row) for part in parts)


def _compare(path: Path, compare: Compare, names: Names, run: Callable[[Select], set[Any]]) -> Callable[[Row], bool]:
    if compare.op in ("IN", "NOT IN"):
        wanted = run(compare.sub) if compare.sub is not None else {_value(path, one) for one in compare.values}
        return _in(path, {_fold(path, one) for one in wanted}, inside=compare.op == "IN")
    literal = compare.values[0]
    if compare.op == "LIKE":
        return _like(path, literal)
    if literal.kind == "null":
        return _null(path, compare.op)
    if literal.kind == "range":
        return _range(path, compare.op, literal, names)
    return _plain(path, compare.op, _fold(path, _value(path, literal)))


def _null(path: Path, op: str) -> Callable[[Row], bool]:
    get = path.get
    if op == "=":
        return lambda row: get(row) is None
    if op == "!=":
        return lambda row: get(row) is not None
    raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", f"{path.name} operator {op} does not accept null")


def _plain(path: Path, op: str, wanted: Any) -> Callable[[Row], bool]:
    get = path.get
    if isinstance(wanted, str) and path.folded and path.field.type not in ("id", "reference", "datetime", "date"):
        plain = get
        get = lambda row: v.lower() if (v := plain(row)) is not None else None  # noqa: E731 - wraps the other
    if op == "=":
        return lambda row: bool(get(row) == wanted)
    if op == "!=":
        return lambda row: bool(get(row) != wanted)
    order = _ORDERS[op]
    return lambda row: (v := get(row)) is not None and bool(order(v, wanted))


def _in(path: Path, wanted: set[Any], *, inside: bool) -> Callable[[Row], bool]:
    get = path.get
    if path.folded and path.field.type not in ("id", "reference", "double", "boolean"):
        plain = get
        get = lambda row: v.lower() if isinstance(v := plain(row), str) else v  # noqa: E731 - wraps the other
    if inside:
        return lambda row: get(row) in wanted
    return lambda row: get(row) not in wanted


def _like(path: Path, literal: Literal) -> Callable[[Row], bool]:
    """% is any text, _ one character; a backslash before them takes the meaning away."""
    if path.field.type not in ("string", "email", "picklist", "textarea", "phone", "url"):
        shown = _SHOWN.get(path.field.type, path.field.type)
        raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on {shown} field: {path.name} LIKE")
    if literal.kind != "string":
        raise _wrong(path)
    get, pattern = path.get, literal.text.lower() if path.folded else literal.text
    head = pattern[:-1]
    if pattern.endswith("%") and not _SPECIAL.search(head):
        if path.folded:
            return lambda row: (v := get(row)) is not None and v.lower().startswith(head)
        return lambda row: (v := get(row)) is not None and v.startswith(head)
    parts = (
        re.escape(one[1]) if len(one) == 2 else {"%": ".*", "_": "."}.get(one, re.escape(one))
        for one in _PIECE.findall(pattern)
    )
    match = re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if path.folded else 0)).fullmatch
    return lambda row: (v := get(row)) is not None and match(v) is not None


def _range(path: Path, op: str, literal: Literal, names: Names) -> Callable[[Row], bool]:
    """Date literals TODAY, YESTERDAY, TOMORROW, LAST_N_DAYS:n, NEXT_N_DAYS:n, in UTC days."""
    today = datetime.fromtimestamp(names.org.clock(), UTC).date()
    word, _, count = literal.text.partition(":")
    spans = {"TODAY": (0, 1), "YESTERDAY": (-1, 0), "TOMORROW": (1, 2)}
    if word in ("LAST_N_DAYS", "NEXT_N_DAYS") and count:
        spans[word] = (-int(count), 1) if word == "LAST_N_DAYS" else (1, 1 + int(count))
    if word not in spans or path.field.type not in ("date", "datetime"):
        raise ApiError(400, "MALFORMED_QUERY", f"unexpected token: '{literal.text}'")
    start, end = (_day(path, today + timedelta(days=days)) for days in spans[word])
    get = path.get
    tests: dict[str, Callable[[Any], bool]] = {
        "=": lambda v: start <= v < end,
        "!=": lambda v: not start <= v < end,
        "<": lambda v: v < start,
        "<=": lambda v: v < end,
        ">": lambda v: v >= end,
        ">=": lambda v: v >= start,
    }
    holds = tests[op]
    return lambda row: (v := get(row)) is not None and holds(v)


def _day(path: Path, day: date) -> str:
    return day.isoformat() if path.field.type == "date" else f"{day.isoformat()}T00:00:00.000Z"


def _fold(path: Path, value: Any) -> Any:
    if isinstance(value, str) and path.folded and path.field.type not in ("id", "reference", "datetime", "date"):
        return value.lower()
    return value


def _value(path: Path, literal: Literal) -> Any:
    """The literal as stored values look; ApiError when its kind does not fit the field."""
    if literal.kind == "null":
        return None
    kind = path.field.type
    if literal.kind not in _KINDS.get(kind, ("string",)):
        raise _wrong(path)
    if kind in ("id", "reference"):
        found = ids.normal(literal.text)
        if found is None:
            raise ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {literal.text}")
        return found
    if kind == "boolean":
        return literal.text == "true"
    if kind in ("double", "int"):
        return float(literal.text) if not literal.text.lstrip("+-").isdigit() else int(literal.text)
    made = {"datetime": values.parse_moment, "date": values.parse_date}.get(kind, str)(literal.text)
    if made is None:
        raise _wrong(path)
    return made


def _wrong(path: Path) -> ApiError:
    kind = _SHOWN.get(path.field.type, path.field.type)
    quotes = "should be" if path.field.type not in _KINDS else "should not be"
    return ApiError(
        400,
        "INVALID_FIELD",
        f"value of filter criterion for field '{path.name}' must be of type {kind} and {quotes} enclosed in quotes",
    )
