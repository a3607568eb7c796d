"""Record ids: 15 case-sensitive characters, or 18 with a check suffix; nothing else about records."""

from __future__ import annotations

from functools import lru_cache

_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_UPPER = str.maketrans(_BASE62, "0" * 10 + "1" * 26 + "0" * 26)


def to18(id15: str) -> str:
    """Add the three suffix characters, each a bit map of the upper-case letters of five characters."""
    return id15 + _sign(id15[:5]) + _sign(id15[5:10]) + _sign(id15[10:])


@lru_cache(maxsize=65_536)
def _sign(part: str) -> str:
    return _SUFFIX[int(part.translate(_UPPER)[::-1], 2)]


def normal(text: str) -> str | None:
    """The 18 characters of an id of 15 or 18, its case mended from the suffix; None when it is no id."""
    if not (text.isascii() and text.isalnum()):
        return None
    if len(text) == 15:
        return to18(text)
    if len(text) != 18:
        return None
    mended = _mended(text)
    whole = to18(mended) if mended is not None else ""
    return whole if whole[15:] == text[15:].upper() else None


def _mended(id18: str) -> str | None:
    """The 15 characters in the case that the suffix tells: a client may have changed the case of all 18."""
    chars = list(id18[:15].lower())
    for part, sign in enumerate(id18[15:].upper()):
        bits = _SUFFIX.find(sign)
        if bits < 0:
            return None
        for place in range(5):
            if bits >> place & 1:
                chars[part * 5 + place] = chars[part * 5 + place].upper()
    return "".join(chars)


def make(prefix: str, number: int) -> str:
    """The id (18 characters) of the record with this running number in a table with this key prefix."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return to18(f"{prefix}5g00000{digits.rjust(5, '0')}")
