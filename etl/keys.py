"""External ids (`LU_Key__c`) and their whole-number codes; it computes and does no I/O.

A key is `{portal_id}`, `{portal_id}:member:{user_id}`, `{portal_id}:enrollment:{id}` or `{portal_id}:path:{id}`. Inside
the core a row is known by its code: the portal's place in the configuration in the upper bits and LearnUpon's id in the
lower 48, since comparing whole numbers is faster than comparing texts and never takes one portal's id for another's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl import shapes

MAX_ID = shapes.MAX_ID
PLACE = MAX_ID + 1
UNREADABLE = -1
"""Code of a key that begins with our portal but is not of a form we write."""


def codes(place: int, ids: pd.Series) -> pd.Series:
    """Return the codes of LearnUpon ids (int64, no nulls) of the portal at `place` in the configuration."""
    return ids.astype("int64") + place * PLACE


def places(coded: pd.Series) -> pd.Series:
    """Return the portals' places of codes."""
    return coded.astype("int64") // PLACE


def lu_ids(coded: pd.Series) -> pd.Series:
    """Return LearnUpon's ids of codes."""
    return coded.astype("int64") % PLACE


def texts(coded: pd.Series, row: str, portal_ids: Sequence[int]) -> pd.Series:
    """Return the external ids of codes: `row` is `member`, `enrollment` or `path`."""
    place = pa.array(places(coded).to_numpy())
    prefixes = pa.array([f"{portal}:{row}:" for portal in portal_ids], type=pa.string())
    ids = pc.cast(pa.array(lu_ids(coded).to_numpy()), pa.string())
    return _series(pc.binary_join_element_wise(prefixes.take(place), ids, ""), coded)


def _series(texts: pa.Array, like: pd.Series) -> pd.Series:
    return pd.Series(pd.array(texts, dtype=pd.StringDtype("pyarrow")), index=like.index)


def parse(keys: pd.Series, row: str, portal_ids: Sequence[int]) -> pd.Series:
    """Return the codes (int64) of external ids; UNREADABLE where a key is not `{portal}:{row}:{digits}`."""
    written = pa.array(keys, type=pa.string(), from_pandas=True)
    if isinstance(written, pa.ChunkedArray):
        written = written.combine_chunks()
    coded = np.full(len(written), UNREADABLE, dtype="int64")
    for place, portal in enumerate(portal_ids):
        prefix = f"{portal}:{row}:"
        mine = np.flatnonzero(_mask(pc.starts_with(written, prefix)))
        candidates = written.take(pa.array(mine))
        readable = _mask(pc.match_substring_regex(candidates, rf"^{prefix}([1-9][0-9]{{0,14}}|0)$"))
        digits = pc.utf8_slice_codeunits(candidates.filter(pa.array(readable)), len(prefix), len(prefix) + 15)
        ids = digits.cast(pa.int64()).to_numpy()
        coded[mine[readable]] = np.where(ids <= MAX_ID, ids + place * PLACE, UNREADABLE)
    return pd.Series(coded, index=keys.index)


def _mask(answers: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(pc.fill_null(answers, False).to_numpy(zero_copy_only=False), dtype=bool)
