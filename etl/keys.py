"""External ids (`LU_Key__c`) and their whole-number codes; it computes and does no I/O.

A key is `{portal_id}`, `{portal_id}:member:{user_id}`, `{portal_id}:enrollment:{id}` or `{portal_id}:path:{id}`. Inside
the core a row is known by its code: the portal's place in the configuration in the upper bits and LearnUpon's id in the
lower 48, since comparing whole numbers is faster than comparing texts and never takes one portal's id for another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl import shapes

MAX_ID = shapes.MAX_ID
PLACE = MAX_ID + 1
UNREADABLE = -1
"""Code of a key that begins with our portal but is not of a form we write."""
_MOST_DIGITS = len(str(MAX_ID))
Codes = np.ndarray[tuple[int], np.dtype[np.int64]]


def ready(index: pd.Index) -> pd.Index:
    """Return an index of codes whose table is made, so that several threads may look codes up.

    Pandas makes it at the first look-up, and does not promise that another thread never sees it half full.
    """
    index.get_indexer(pd.Index([UNREADABLE - 1]))
    return index


def codes(place: int, ids: pd.Series) -> pd.Series:
    """Return the codes of LearnUpon ids (int64, no nulls) of the portal at `place` in the configuration."""
    return pd.Series(_whole(ids) + place * PLACE, index=ids.index)


def places(coded: pd.Series) -> pd.Series:
    """Return the portals' places of codes."""
    return pd.Series(_whole(coded) // PLACE, index=coded.index)


def lu_ids(coded: pd.Series) -> pd.Series:
    """Return LearnUpon's ids of codes."""
    return pd.Series(_whole(coded) % PLACE, index=coded.index)


def _whole(numbers: pd.Series) -> Codes:
    """Return whole numbers without nulls as an array, to reckon with at a tenth of what columns cost."""
    found: Codes = numbers.to_numpy(dtype="int64")
    return found


def texts(coded: pd.Series, row: str, portal_ids: Sequence[int]) -> pd.Series:
    """Return the external ids of codes: `row` is `member`, `enrollment` or `path`."""
    place = pa.array(places(coded).to_numpy())
    prefixes = pa.array([f"{portal}:{row}:" for portal in portal_ids], type=pa.string())
    ids = pc.cast(pa.array(lu_ids(coded).to_numpy()), pa.string())
    return _series(pc.binary_join_element_wise(prefixes.take(place), ids, ""), coded)


def _series(texts: pa.Array, like: pd.Series) -> pd.Series:
    return pd.Series(pd.array(texts, dtype=pd.StringDtype("pyarrow")), index=like.index)


def parse(keys: pd.Series, row: str, portal_ids: Sequence[int]) -> pd.Series:
    """Return the codes (int64) of external ids as a column; see `parsed`."""
    return pd.Series(parsed(pa.array(keys, type=pa.string(), from_pandas=True), row, portal_ids), index=keys.index)


def parsed(written: pa.Array | pa.ChunkedArray, row: str, portal_ids: Sequence[int]) -> Codes:
    """Return the codes of external ids; UNREADABLE where a key is not `{portal}:{row}:{digits}`, null among them."""
    texts = written.combine_chunks() if isinstance(written, pa.ChunkedArray) else written
    coded = np.full(len(texts), UNREADABLE, dtype="int64")
    offsets = np.frombuffer(texts.buffers()[1] or b"", dtype="int32")[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(texts.buffers()[2] or b"", dtype="uint8")
    lengths = np.diff(offsets)
    for place, portal in enumerate(portal_ids):
        prefix = f"{portal}:{row}:"
        mine = _mask(pc.starts_with(texts, prefix))
        for length in np.unique(lengths[mine]).tolist():
            digits = length - len(prefix)
            if 0 < digits <= _MOST_DIGITS:
                rows = np.flatnonzero(mine & (lengths == length))
                coded[rows] = _numbers(data, offsets[rows] + len(prefix), digits, place)
    return coded


def _numbers(data: np.ndarray[Any, Any], starts: np.ndarray[Any, Any], digits: int, place: int) -> Codes:
    """Return the codes of the decimal numbers that begin at `starts`, all of them so many bytes long."""
    written = np.lib.stride_tricks.sliding_window_view(data, digits)[starts] - ord("0")  # a byte below 0 wraps round
    number = np.zeros(len(written), dtype="int64")
    for digit in range(digits):
        number = number * 10 + written[:, digit]
    readable = (written <= 9).all(axis=1) & (number <= MAX_ID)
    if digits > 1:
        readable &= written[:, 0] != 0
    return np.where(readable, number + place * PLACE, UNREADABLE)


def _mask(answers: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(pc.fill_null(answers, False).to_numpy(zero_copy_only=False), dtype=bool)
