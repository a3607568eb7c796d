"""Values of fields: text of a CSV or JSON cell to what is stored, and back; it reads no records.

Stored are: str (trimmed, never empty), int or float (double), bool, a date ``2026-01-02``, and a datetime in the one
form ``2026-01-02T03:04:05.000Z``, so that order of text is order of time.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from etl.emulator.salesforce.errors import RowError

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.salesforce.schema import Field

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:?\d\d)", re.ASCII)
_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_FIRST, _LAST = "1700-01-01", "4000-12-31"
"""The earliest and the latest valid date, moments to the midnight that begins it (SOQL guide, "Date Formats")."""
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def reader(field: Field) -> Callable[[str], Any]:
    """The function that turns a non-empty cell into the stored value; it raises RowError with the field's name.

    References are not its business: they need the records.
    """
    makers: dict[str, Callable[[Field], Callable[[str], Any]]] = {
        "double": _number_reader,
        "boolean": _boolean_reader,
        "datetime": _moment_reader,
        "date": _date_reader,
        "picklist": _picklist_reader,
        "email": _email_reader,
    }
    return makers.get(field.type, _text_reader)(field)


def from_json(field: Field, value: Any) -> str | None:
    """The cell text of a JSON value; None for null. RowError when JSON's type cannot be the field's."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    fits = {bool: ("boolean",), int: ("double",), float: ("double",)}.get(type(value), ())
    if field.type not in fits:
        shown = str(value).lower() if isinstance(value, bool) else value
        raise RowError("JSON_PARSER_ERROR", f"Cannot deserialize instance of {field.type} from {shown!r}", field.name)
    return str(value).lower()


def parse_moment(text: str) -> str | None:
    """A datetime with offset in its stored form (UTC, to the second: assumed), None when it is none in range."""
    found = _moment(text)
    return found if found is not None and f"{_FIRST}T" <= found <= f"{_LAST}T00:00:00.000Z" else None


def _moment(text: str) -> str | None:
    plain = (len(text) == 20 and text[19] == "Z") or (len(text) == 24 and text.endswith(".000Z"))
    if plain and text[10] == "T" and text[4] == "-" and text[13] == ":":
        return text[:19] + ".000Z" if _is_moment(text[:19]) else None
    found = _MOMENT.fullmatch(text)
    if found is None or not _is_moment(f"{found[1]}T{found[2]}"):
        return None
    offset = "+00:00" if found[3] == "Z" else found[3]
    try:
        at = datetime.fromisoformat(f"{found[1]}T{found[2]}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def parse_date(text: str) -> str | None:
    """A date ``yyyy-MM-dd`` (no offset allowed), None when it is none in range."""
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        return None
    try:
        found = date.fromisoformat(text).isoformat()
    except ValueError:
        return None
    return found if _FIRST <= found <= _LAST else None


def moment(seconds: float) -> str:
    """Seconds since 1970 in the stored form."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def to_json(field_type: str, value: Any) -> Any:
    """A stored value as the REST resources give it: datetimes with +0000, numbers with a point."""
    if value is None:
        return None
    if field_type == "datetime":
        return value[:-1] + "+0000"
    return float(value) if field_type == "double" else value


def writer(field_type: str) -> Callable[[Any], str]:
    """The function that turns a stored value into the text of a Bulk query result; null becomes empty text."""
    return {"boolean": _write_boolean, "double": _write_number}.get(field_type, _write_text)


def _write_text(value: Any) -> str:
    if value is None:
        return ""
    text = str(value)
    return text.replace('"', '""') if '"' in text else text


def _write_boolean(value: Any) -> str:
    return "true" if value else "false"


def _write_number(value: Any) -> str:
    """Java's text of a double: ``5.0``, from ten million up ``1.2345678E7`` ("sometimes exponent")."""
    if value is None:
        return ""
    if abs(value) < 10_000_000:
        return str(float(value))
    digits = str(Decimal(str(value)).normalize()).replace("E+", "E")
    exact = Decimal(digits)
    sign, numerals, _ = exact.as_tuple()
    mantissa = "".join(map(str, numerals))
    return f"{'-' if sign else ''}{mantissa[0]}.{mantissa[1:] or '0'}E{exact.adjusted()}"


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _wrong_type(field: Field, text: str) -> RowError:
    return RowError("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{field.label}: value not of required type: {text}", field.name)


def _text_reader(field: Field) -> Callable[[str], Any]:
    """Outer blanks are trimmed by Salesforce; what is left must fit (counted in characters: assumed)."""

    def read(text: str) -> str | None:
        text = text.strip()
        if field.length and len(text) > field.length:
            raise RowError(
                "STRING_TOO_LONG",
                f"{field.label}: data value too large: {text} (max length={field.length})",
                field.name,
            )
        return text or None

    return read


def _number_reader(field: Field) -> Callable[[str], Any]:
    """Exponents are allowed; decimals beyond the scale are rounded half up (assumed)."""
    limit = 10 ** (field.precision - field.scale)
    step = Decimal(1).scaleb(-field.scale)

    def read(text: str) -> int | float | None:
        text = text.strip()
        if text.isdigit() and text.isascii() and len(text) <= field.precision - field.scale:
            return int(text)
        if not text:
            return None
        try:
            exact = Decimal(text)
        except InvalidOperation as error:
            raise _wrong_type(field, text) from error
        if not exact.is_finite() or "_" in text or not text.isascii():
            raise _wrong_type(field, text)
        if abs(exact) < limit:
            exact = exact.quantize(step, ROUND_HALF_UP)
        if abs(exact) >= limit:
            raise RowError(
                "NUMBER_OUTSIDE_VALID_RANGE",
                f"{field.label}: value outside of valid range on numeric field: {text}",
                field.name,
            )
        return int(exact) if exact == exact.to_integral_value() else float(exact)

    return read


def _boolean_reader(field: Field) -> Callable[[str], Any]:
    def read(text: str) -> bool:
        value = _BOOLEANS.get(text.strip().lower())
        if value is None:
            raise _wrong_type(field, text)
        return value

    return read


def _moment_reader(field: Field) -> Callable[[str], Any]:
    def read(text: str) -> str:
        value = parse_moment(text.strip())
        if value is None:
            raise _wrong_type(field, text)
        return value

    return read


def _date_reader(field: Field) -> Callable[[str], Any]:
    def read(text: str) -> str:
        value = parse_date(text.strip())
        if value is None:
            raise _wrong_type(field, text)
        return value

    return read


def _picklist_reader(field: Field) -> Callable[[str], Any]:
    plain = _text_reader(field)
    known = {one.lower(): one for one in field.picklist}

    def read(text: str) -> str | None:
        value: str | None = plain(text)
        if value is not None and field.restricted and value.lower() not in known:
            raise RowError(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{field.label}: bad value for restricted picklist field: {value}",
                field.name,
            )
        return known.get(value.lower(), value) if value is not None else None

    return read


def _email_reader(field: Field) -> Callable[[str], Any]:
    plain = _text_reader(field)

    def read(text: str) -> str | None:
        value: str | None = plain(text)
        if value is not None and not _EMAIL.fullmatch(value):
            raise RowError("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {value}", field.name)
        return value

    return read
