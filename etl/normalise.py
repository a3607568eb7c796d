"""One normalisation for both sides of the comparison, and the fitting of values to the org's fields; it does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from etl.frames import SECONDS_UTC, column, from_arrow
from etl.schema import Entity, Field

NOT_AVAILABLE = "#N/A"
"""The text by which Bulk clears a field: it cannot be written as a value (Bulk API 2.0 guide, CSV rules)."""
_NOTHING = pa.array(["", NOT_AVAILABLE], type=pa.string())
_EARLIEST = pa.scalar(datetime(1700, 1, 1, tzinfo=UTC), SECONDS_UTC)
_LATEST = pa.scalar(datetime(4000, 12, 31, 23, 59, 59, tzinfo=UTC), SECONDS_UTC)
_NONE_REJECTED = pd.DataFrame({"key": [], "reason": []})
_NONE_BLOCKED = pd.Series(dtype=pd.StringDtype("pyarrow"))


@dataclass(frozen=True)
class Shape:
    """What a field of the org can hold: describe's answer where it was asked, else our own metadata's."""

    kind: str
    length: int = 0
    precision: int = 18
    scale: int = 0
    choices: frozenset[str] | None = None
    """Values of a restricted picklist; None where any text goes."""

    @classmethod
    def of(cls, declared: Field) -> Shape:
        """Return the shape our own metadata declares."""
        return cls(declared.kind, declared.length, declared.precision, declared.scale)


Shapes = Mapping[str, Shape]


def declared_shapes(entity: Entity) -> dict[str, Shape]:
    """Return the shapes our own metadata declares for an entity's columns."""
    return {column: Shape.of(entity.field(column)) for column in entity.columns}


@dataclass
class Cuts:
    """What was changed of texts so that they fit."""

    cut: dict[str, int] = field(default_factory=dict)
    """Column: how many texts were longer than the field."""
    blanked: int = 0
    """How many texts were the literal `#N/A`."""


@dataclass
class Fitted(Cuts):
    """Values fitted to the org: the rows, what was changed on the way, and the rows that cannot be written."""

    rows: pd.DataFrame = field(kw_only=True)
    rejected: pd.DataFrame = field(default_factory=lambda: _NONE_REJECTED.copy(deep=False))
    """Key and reason of rows with a value that the field cannot hold."""
    blocked: pd.Series = field(default_factory=lambda: _NONE_BLOCKED.copy(deep=False))
    """Keys of existing rows that must not be touched, since what should become of them cannot be written."""


def normalise(columns: Mapping[str, Any] | pd.DataFrame, shapes: Shapes) -> dict[str, pa.Array]:
    """Return the columns of `shapes` in the form in which equal values compare equal; nulls stay null.

    Texts lose outer blanks, empty text and `#N/A` are null; numbers are rounded to the field's scale; times are to the
    second; a checkbox without a value is false.
    """
    return {name: _normal(column(columns[name]), shape) for name, shape in shapes.items()}


def _normal(values: pa.Array, shape: Shape) -> pa.Array:
    if shape.kind == "number":
        return rounded(values, shape)
    if shape.kind == "boolean":
        return pc.fill_null(values.cast(pa.bool_()), False)
    if shape.kind == "datetime":
        return values if values.type == SECONDS_UTC else _to_seconds(values)
    stripped = pc.utf8_trim_whitespace(values.cast(pa.string()))
    return _blanked(stripped, pc.is_in(stripped, value_set=_NOTHING))


def rounded(values: pa.Array, shape: Shape) -> pa.Array:
    """Return numbers to the field's scale, halves away from zero; whole numbers are as they are."""
    if not pa.types.is_floating(values.type):
        return values
    # From here up a float has no digits behind the scale, and rounding it could overflow.
    small = pc.less(pc.abs(values), 2.0**52 / 10**shape.scale)
    near = pc.round(pc.if_else(small, values, 0.0), ndigits=shape.scale, round_mode="half_towards_infinity")
    return pc.if_else(small, near, values)


def _to_seconds(times: pa.Array) -> pa.Array:
    if not pa.types.is_timestamp(times.type):
        return times.cast(SECONDS_UTC)
    return pc.floor_temporal(times, unit="second").cast(SECONDS_UTC)


def _blanked(texts: pa.Array, where: pa.Array) -> pa.Array:
    """Return texts with null at these places; without such places, the same texts uncopied."""
    return pc.if_else(where, pa.scalar(None, pa.string()), texts) if pc.any(where).as_py() else texts


def fit(desired: pd.DataFrame, key: str, shapes: Shapes) -> Fitted:
    """Return desired rows as the org can hold them: texts cut, `#N/A` blanked, numbers rounded, others set apart.

    Numbers are rounded here, and not left to Salesforce, so that a half is never rounded up there and down in the
    comparison. `key` names the column that identifies a row in `rejected`.
    """
    fitted = Fitted(rows=desired.copy(deep=False))
    reasons: dict[int, str] = {}
    for name, shape in shapes.items():
        values = column(desired[name])
        fitting = _fitting(fitted, name, values, shape)
        if fitting is not values:
            fitted.rows[name] = from_arrow(fitting, desired.index)
        bad = _impossible(fitting, shape)
        if bad is not None and pc.any(bad).as_py():
            for place in np.flatnonzero(pc.fill_null(bad, False).to_numpy(zero_copy_only=False)).tolist():
                reasons.setdefault(place, _why(name, shape))
    if reasons:
        places = sorted(reasons)
        why = pd.Series([reasons[place] for place in places], dtype=pd.StringDtype("pyarrow"))
        rejected = desired[key].iloc[places].reset_index(drop=True)
        fitted.rejected = pd.DataFrame({"key": rejected, "reason": why})
        fitted.blocked = rejected
        fitted.rows = fitted.rows.drop(fitted.rows.index[places])
    return fitted


def fits(values: pa.Array, shape: Shape) -> pa.Array | None:
    """Return which values go into the field just as they are; None when all of them do."""
    fitting = _fitting(Cuts(), "", values, shape)
    bad = _impossible(fitting, shape)
    if fitting is values and bad is None:
        return None
    same = pc.invert(unlike(fitting, values))
    return same if bad is None else pc.and_not(same, pc.fill_null(bad, False))


def unlike(want: pa.Array, have: pa.Array) -> pa.Array:
    """Return where two normalised columns differ; null is like null alone."""
    return pc.or_(pc.fill_null(pc.not_equal(want, have), False), pc.xor(want.is_null(), have.is_null()))


def _fitting(cuts: Cuts, name: str, values: pa.Array, shape: Shape) -> pa.Array:
    """Return the values as the field can hold them: the very same array if all of them already do."""
    if shape.kind == "text":
        return _fitting_text(cuts, name, values.cast(pa.string()), shape)
    if shape.kind == "number":
        near = rounded(values, shape)
        return values if near is values or near.equals(values) else near
    return values


def _fitting_text(cuts: Cuts, name: str, values: pa.Array, shape: Shape) -> pa.Array:
    stripped = pc.utf8_trim_whitespace(values)
    cuts.blanked += pc.sum(pc.equal(stripped, NOT_AVAILABLE)).as_py() or 0
    values = _blanked(values, pc.is_in(stripped, value_set=_NOTHING))
    if shape.length:
        long = pc.sum(pc.greater(pc.utf8_length(values), shape.length)).as_py()
        if long:
            cuts.cut[name] = long
            values = pc.utf8_slice_codeunits(values, 0, shape.length)
            # What the cut leaves may itself be blank or the literal, which an upload could not carry.
            values = _blanked(values, pc.is_in(pc.utf8_trim_whitespace(values), value_set=_NOTHING))
    return values


def _impossible(values: pa.Array, shape: Shape) -> pa.Array | None:
    """Tell which values the field cannot hold; None where any value of the kind goes."""
    if pa.types.is_null(values.type):
        return None
    if shape.kind == "number":
        limit = 10 ** (shape.precision - shape.scale)
        if pa.types.is_integer(values.type):
            return pc.greater_equal(pc.abs(values), limit)
        return pc.or_(pc.greater_equal(pc.abs(values), float(limit)), pc.invert(pc.is_finite(values)))
    if shape.kind == "datetime":
        times = values.cast(SECONDS_UTC, safe=False)
        return pc.or_(pc.less(times, _EARLIEST), pc.greater(times, _LATEST))
    if shape.kind == "text" and shape.choices is not None:
        allowed = pa.array([None, *sorted(shape.choices)], type=pa.string())
        return pc.invert(pc.is_in(pc.utf8_trim_whitespace(values), value_set=allowed))
    return None


def _why(name: str, shape: Shape) -> str:
    if shape.kind == "number":
        return f"{name}: the number has more digits than Number({shape.precision - shape.scale},{shape.scale}) holds"
    if shape.kind == "datetime":
        return f"{name}: the time is outside 1700 to 4000, which Salesforce holds"
    return f"{name}: the value is not in the restricted picklist; add it there or rename it with rules.status_labels"
