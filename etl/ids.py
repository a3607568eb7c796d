"""Salesforce record ids: 15 characters become 18, and what is no id becomes null; it computes and does no I/O."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_SUFFIX = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
"""The 32 characters of the suffix: each tells which of five are capitals (Salesforce, "record id length")."""
_DTYPE = pd.StringDtype("pyarrow")
_CASE_BIT = 0x20
_BITS = 1 << np.arange(5, dtype=np.uint8)

Bytes = npt.NDArray[np.uint8]


def to_18(ids: pd.Series) -> pd.Series:
    """Return record ids in their 18-character form, index kept; null and anything that is no record id give null.

    Outer blanks are ignored. Of 18 characters the suffix is checked; an id of which only the case was lost (a
    spreadsheet's doing) gets it back from the suffix, since Salesforce takes such ids without regard to case.
    """
    texts = pc.utf8_trim_whitespace(pa.array(ids.astype(_DTYPE), type=pa.string()))
    known = pc.fill_null(pc.match_substring_regex(texts, "^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$"), False).to_numpy(
        zero_copy_only=False
    )
    result = np.full(len(ids), None, dtype=object)
    found = np.flatnonzero(known)
    if found.size:
        raw = np.array(texts.take(pa.array(found)).to_pylist(), dtype="S18").view(np.uint8).reshape(-1, 18)
        result[found] = _complete(raw)
    return pd.Series(result, index=ids.index, name=ids.name, dtype=_DTYPE)


def _complete(raw: Bytes) -> npt.NDArray[np.object_]:
    """Return 18 characters for each row of bytes (15 and three zeros, or 18); None where the suffix contradicts."""
    short = raw[:, 15] == 0
    body = raw[:, :15].copy()
    capitals = _capitals_of_suffix(raw[:, 15:])
    cased = _with_case(body, capitals)
    # an id with both cases has not lost its case: then body and suffix must agree
    one_case = (_lower(body) == body).all(axis=1) | (_upper(body) == body).all(axis=1)
    digit_marked = (capitals & _is_digit(body)).any(axis=1) | (raw[:, 15:] == ord("9")).any(axis=1)
    sound = short | (~digit_marked & (one_case | (cased == body).all(axis=1)))
    body = np.where(short[:, None], body, cased)
    whole = np.ascontiguousarray(np.concatenate([body, _suffix(body)], axis=1)).view("S18").ravel()
    texts = whole.astype("U18").astype(object)
    texts[~sound | _bad_suffix(raw[:, 15:], short)] = None
    return np.asarray(texts)


def _is_digit(body: Bytes) -> npt.NDArray[np.bool_]:
    return np.asarray(body < ord("A"))


def _lower(body: Bytes) -> Bytes:
    return np.where(_is_digit(body), body, body | _CASE_BIT).astype(np.uint8)


def _upper(body: Bytes) -> Bytes:
    return np.where(_is_digit(body), body, body & ~np.uint8(_CASE_BIT)).astype(np.uint8)


def _suffix(body: Bytes) -> Bytes:
    capitals = (body >= ord("A")) & (body <= ord("Z"))
    numbers = (capitals.reshape(-1, 3, 5) * _BITS).sum(axis=2)
    return np.asarray(np.frombuffer(_SUFFIX, dtype=np.uint8)[numbers])


def _suffix_numbers(suffix: Bytes) -> npt.NDArray[np.int16]:
    upper = _upper(suffix).astype(np.int16)
    return np.where(upper >= ord("A"), upper - ord("A"), upper - ord("0") + 26).astype(np.int16)


def _bad_suffix(suffix: Bytes, short: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tell which rows of 18 characters end in something that no suffix has (6 to 9)."""
    return np.asarray((_suffix_numbers(suffix) > 31).any(axis=1) & ~short)


def _capitals_of_suffix(suffix: Bytes) -> npt.NDArray[np.bool_]:
    numbers = np.clip(_suffix_numbers(suffix), 0, 31).astype(np.uint8)
    return np.asarray((numbers[:, :, None] & _BITS) != 0).reshape(-1, 15)


def _with_case(body: Bytes, capitals: npt.NDArray[np.bool_]) -> Bytes:
    return np.where(capitals, _upper(body), _lower(body)).astype(np.uint8)
