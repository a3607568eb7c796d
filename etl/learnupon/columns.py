"""Values of one page's column turned into an arrow array, strictly: what cannot be read is refused, never guessed.

Every function takes the values of a column in the order of the rows; the fast way is taken when they come as
documented, the careful one when some do not. A refusal names the field and the row's id, never the value.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import SourceUntrusted
from etl.shapes import MAX_ID, SECONDS_UTC

_INTEGERS = {int, type(None)}
_BOOLEANS = {bool, type(None)}
_EXACT = 2**53
_LONGEST = 10**18
"""What a Number(18,0) of Salesforce holds is below this."""
_MICROSECONDS_UTC = pa.timestamp("us", tz="UTC")
_FLAGS = {None: None, "": None, 0: False, 1: True, "0": False, "1": True, "false": False, "true": True}


class Column:
    """One column of a page: where it comes from, for the words of a refusal."""

    def __init__(self, where: str, field: str, values: Sequence[Any], ids: Sequence[Any]) -> None:
        """Keep the values, and beside them the ids of their rows."""
        self._where = where
        self._field = field
        self._values = values
        self._ids = ids

    def ids(self) -> pa.Array:
        """Return integers that must be there: above 0 and no larger than what a key can hold (`shapes.MAX_ID`)."""
        array = self._as_they_are()
        if array is not None and not array.null_count and _within(array, 1, MAX_ID):
            return array
        array = self.numbers()
        if array.null_count:
            raise self._refusal(array.is_null().index(pa.scalar(True)).as_py(), "is missing")
        if len(array) and pc.max(array).as_py() > MAX_ID:
            raise self._refusal(pc.greater(array, MAX_ID).index(pa.scalar(True)).as_py(), f"is larger than {MAX_ID}")
        return array

    def numbers(self) -> pa.Array:
        """Return integers above 0, or null; `"123"` and `123.0` are 123."""
        array = self._as_they_are()
        if array is None:
            array = pa.array(self._each(_integer), pa.int64())
        if not _within(array, 1, _LONGEST - 1):
            self._each(_positive)
        return array

    def versions(self) -> pa.Array:
        """Return integers from 0 up, or null."""
        array = self._as_they_are()
        if array is not None and _within(array, 0, _EXACT - 1):
            return array
        return pa.array(self._each(_version), pa.int64())

    def _as_they_are(self) -> pa.Array | None:
        """Return whole numbers and nulls; None when anything else is among them, or a number of more than 64 bits."""
        plain = _packed("q", self._values, pa.int64())
        if plain is not None:
            return plain
        try:
            return pa.array(self._values, pa.int64()) if set(map(type, self._values)) <= _INTEGERS else None
        except OverflowError:
            return None

    def decimals(self) -> pa.Array:
        """Return numbers, or null; a number written as text is one."""
        try:
            array = _packed("d", self._values, pa.float64())
            array = pa.array(self._values, pa.float64()) if array is None else array
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return pa.array(self._each(_decimal), pa.float64())
        finite = pc.all(pc.is_finite(array)).as_py() is not False
        return array if finite else pa.array(self._each(_decimal), pa.float64())

    def texts(self) -> pa.Array:
        """Return texts as they are, or null."""
        return pa.array(self._values, pa.string())

    def names(self) -> pa.Array:
        """Return the ids of another system: outer blanks are cut, an empty one is null."""
        return pa.array([value.strip() or None if value else None for value in self._values], pa.string())

    def flags(self) -> pa.Array:
        """Return booleans, or null."""
        plain = set(map(type, self._values)) <= _BOOLEANS
        return pa.array(self._values if plain else self._each(_flag), pa.bool_())

    def statuses(self) -> pa.Array:
        """Return statuses in lower snake case; a missing one is refused."""
        known = {value: self._one(_status, self._values.index(value)) for value in dict.fromkeys(self._values)}
        plain = all(value == status for value, status in known.items())
        return pa.array(self._values if plain else [known[value] for value in self._values], pa.string())

    def times(self) -> pa.Array:
        """Return times in UTC, cut to the second, or null; without a zone they are UTC, as LearnUpon documents."""
        texts = pa.array(self._values, pa.string())
        try:
            return texts.cast(SECONDS_UTC)
        except pa.ArrowInvalid:
            pass
        try:
            return pc.floor_temporal(texts.cast(_MICROSECONDS_UTC), unit="second").cast(SECONDS_UTC)
        except pa.ArrowInvalid:
            return pa.array(self._each(_time), SECONDS_UTC)

    def _each(self, read: Callable[[Any], Any]) -> list[Any]:
        return [self._one(read, number) for number in range(len(self._values))]

    def _one(self, read: Callable[[Any], Any], number: int) -> Any:
        try:
            return read(self._values[number])
        except (ValueError, OverflowError, KeyError) as error:
            raise self._refusal(number, "cannot be read") from error

    def _refusal(self, number: int, what: str) -> SourceUntrusted:
        name = self._ids[number]
        row = f"row {name}" if isinstance(name, int) and self._field != "id" else f"row number {number + 1} of the page"
        return SourceUntrusted(
            f"{self._where}: {self._field} of {row} {what}; nothing may be concluded from this portal"
        )


def _packed(code: str, values: Sequence[Any], wanted: pa.DataType) -> pa.Array | None:
    """Return plain numbers in half the time of arrow's own way (measured); None when something else is among them.

    `code` is how `struct` calls the type: `q` takes whole numbers alone, `d` any number, and neither takes texts.
    """
    try:
        plain = struct.pack(f"{len(values)}{code}", *values)
    except (struct.error, OverflowError):
        return None
    return pa.Array.from_buffers(wanted, len(values), [None, pa.py_buffer(plain)])


def _within(array: pa.Array, least: int, most: int) -> bool:
    """Say whether all values that are there are in these bounds."""
    if array.null_count:
        array = array.drop_null()
    numbers = array.to_numpy()  # its bounds take a third of the time of arrow's
    return not len(numbers) or bool(numbers.min() >= least and numbers.max() <= most)


def _integer(value: Any) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,18}", text):
            raise ValueError
        return int(text)
    if isinstance(value, float):
        if not value.is_integer() or abs(value) > _EXACT:
            raise ValueError
        return int(value)
    if value is not None and abs(value) >= _LONGEST:
        raise ValueError
    number: int | None = value
    return number


def _positive(value: Any) -> int | None:
    number = _integer(value)
    if number is not None and number <= 0:
        raise ValueError
    return number


def _version(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,15}\.0+\s*", value):
        value = float(value)
    number = _integer(value)
    if number is not None and number < 0:
        raise ValueError
    return number


def _decimal(value: Any) -> float | None:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if not re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?", text):
            raise ValueError
        return float(text)
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _flag(value: Any) -> bool | None:
    return _FLAGS[value.strip().lower() if isinstance(value, str) else value]


@lru_cache(maxsize=256)
def _status(value: Any) -> str:
    status = re.sub(r"[\W_]+", "_", (value or "").lower()).strip("_")
    if not status:
        raise ValueError
    return status


def _time(value: Any) -> datetime | None:
    text = (value or "").strip()
    if not text:
        return None
    if text.endswith(" UTC"):
        text = text.removesuffix(" UTC") + "Z"
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
