"""External ids (`LU_Key__c`) and their whole-number codes; it computes and does no I/O.

A key is `{portal_id}`, `{portal_id}:member:{user_id}`, `{portal_id}:enrollment:{id}` or `{portal_id}:path:{id}`. Inside
the core a row is known by its code: the portal's place in the configuration in the upper bits and LearnUpon's id in the
lower 48, since comparing whole numbers is faster than comparing texts and never takes one portal's id for another's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

ID_BITS = 48
PLACE = 1 << ID_BITS
MAX_ID = PLACE - 1
"""Largest LearnUpon id that fits a code (281 trillion; ids seen so far have 8 to 11 digits)."""
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
    prefixes = np.array([f"{portal}:{row}:" for portal in portal_ids], dtype=object)
    place = places(coded).to_numpy()
    prefix = pd.Series(prefixes[place] if len(place) else [], index=coded.index, dtype=pd.StringDtype("pyarrow"))
    return prefix + lu_ids(coded).astype(pd.StringDtype("pyarrow"))


def parse(keys: pd.Series, row: str, portal_ids: Sequence[int]) -> pd.Series:
    """Return the codes (int64) of external ids; UNREADABLE where a key is not `{portal}:{row}:{digits}`."""
    parts = keys.astype(pd.StringDtype("pyarrow")).str.extract(rf"^(?P<portal>\d+):{row}:(?P<id>[1-9]\d{{0,14}}|0)$")
    place = parts["portal"].map({str(portal): number for number, portal in enumerate(portal_ids)})
    readable = place.notna() & parts["id"].notna()
    number = pd.to_numeric(parts["id"].where(readable, "0")).astype("int64")
    coded = number + place.where(readable, 0).astype("int64") * PLACE
    parsed: pd.Series = coded.where(readable & (number <= MAX_ID), UNREADABLE).astype("int64")
    return parsed
