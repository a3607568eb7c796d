"""The difference between the rows Salesforce should hold and the rows it holds; pure: two frames in, changes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl.normalise import Shapes, normalise, unlike

CHANGED = "changed"
"""Column of updates: bit i is set when the i-th column differs."""


@dataclass(frozen=True)
class Changes:
    """What must be done to the existing rows so that they become the desired ones."""

    creates: pd.DataFrame
    """Desired rows that do not exist."""
    updates: pd.DataFrame
    """Desired rows that exist otherwise, with the existing `Id` and `changed`."""
    before: pd.DataFrame
    """The existing rows of `updates`, in the same order."""
    deletes: pd.DataFrame
    """Existing rows that are not desired."""
    unchanged: int
    """How many desired rows exist as they are."""


def diff(
    desired: pd.DataFrame, existing: pd.DataFrame, key: str, shapes: Shapes, columns: Sequence[str] = ()
) -> Changes:
    """Compare two frames on the columns of `shapes`, by `key`, which must be unique and not null on both sides.

    Both sides go through the same normalisation. Neither the order of rows nor that of columns matters, apart from the
    order of the rows returned. `columns` numbers the bits of `changed` when only some of an object's columns are
    compared. Raises ValueError when a key occurs twice.
    """
    wanted, held = pd.Index(desired[key]), pd.Index(existing[key])
    if not wanted.is_unique or not held.is_unique:
        raise ValueError(f"a {key} occurs twice: rows must be unique before they are compared")
    place = held.get_indexer(wanted)
    is_new = place < 0
    both = _where(desired, ~is_new)
    same = existing.take(place[~is_new])
    changed = _changed(normalise(both, shapes), normalise(same, shapes), list(columns or shapes), len(both))
    differs = changed != 0
    before = _where(same, differs)
    updates = _where(both, differs).assign(Id=before["Id"].array, changed=changed[differs])
    missing = np.ones(len(existing), dtype=bool)
    missing[place[~is_new]] = False
    return Changes(_where(desired, is_new), updates, before, _where(existing, missing), int(np.count_nonzero(~differs)))


def _where(frame: pd.DataFrame, chosen: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Return the chosen rows; all and none of them, as it mostly is, without a copy."""
    if chosen.all():
        return frame
    return frame[chosen] if chosen.any() else frame.iloc[:0]


def _changed(
    desired: Mapping[str, pa.Array], existing: Mapping[str, pa.Array], order: list[str], rows: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    bits = np.zeros(rows, dtype="int64")
    for column, want in desired.items():
        differs = unlike(want, existing[column])
        if pc.any(differs).as_py():
            bits |= differs.to_numpy(zero_copy_only=False).astype("int64") << order.index(column)
    return bits


def changed_columns(bits: int, columns: tuple[str, ...]) -> list[str]:
    """Return the names of the columns whose bits are set."""
    return [column for number, column in enumerate(columns) if bits >> number & 1]
