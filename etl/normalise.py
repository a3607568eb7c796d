"""One normalisation for both sides of the comparison, and the fitting of values to the org's fields; it does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from etl.schema import Entity, Field

NOT_AVAILABLE = "#N/A"
"""The text by which Bulk clears a field: it cannot be written as a value (Bulk API 2.0 guide, CSV rules)."""
_EARLIEST, _LATEST = pd.Timestamp("1700-01-01", tz="UTC"), pd.Timestamp("4000-12-31T23:59:59", tz="UTC")


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
class Fitted:
    """Values fitted to the org: the rows, what was changed on the way, and the rows that cannot be written."""

    rows: pd.DataFrame
    cut: dict[str, int] = field(default_factory=dict)
    """Column: how many texts were longer than the field."""
    blanked: int = 0
    """How many texts were the literal `#N/A`."""
    rejected: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"key": [], "reason": []}))
    """Key and reason of rows with a value that the field cannot hold."""


def normalise(frame: pd.DataFrame, shapes: Shapes) -> pd.DataFrame:
    """Return the columns of `shapes` in the form in which equal values compare equal; nulls stay null.

    Texts lose outer blanks, empty text and `#N/A` are null; numbers are rounded to the field's scale; times are to the
    second; a checkbox without a value is false.
    """
    return pd.DataFrame({name: _normal(frame[name], shape) for name, shape in shapes.items()}, index=frame.index)


def _normal(values: pd.Series, shape: Shape) -> pd.Series:
    if shape.kind == "number":
        return values.round(shape.scale) if pd.api.types.is_float_dtype(values.dtype) else values
    if shape.kind == "boolean":
        return values.astype("boolean").fillna(value=False)
    if shape.kind == "datetime":
        return values.dt.floor("s")
    stripped = values.str.strip()
    return stripped.mask((stripped == "") | (stripped == NOT_AVAILABLE))


def fit(desired: pd.DataFrame, key: str, shapes: Shapes) -> Fitted:
    """Return desired rows as the org can hold them: texts cut, `#N/A` blanked, impossible rows set apart.

    `key` names the column that identifies a row in `rejected`.
    """
    fitted = Fitted(desired.copy(deep=False))
    reasons = pd.Series(pd.NA, index=desired.index, dtype=pd.StringDtype("pyarrow"))
    for name, shape in shapes.items():
        if shape.kind == "text":
            _fit_text(fitted, name, shape)
        bad = _impossible(fitted.rows[name], shape)
        if bad is not None and bad.any():
            reasons = reasons.mask(bad & reasons.isna(), _why(name, shape))
    rejected = reasons.notna()
    if rejected.any():
        fitted.rejected = pd.DataFrame({"key": desired.loc[rejected, key], "reason": reasons[rejected]})
        fitted.rows = fitted.rows[~rejected]
    return fitted


def _fit_text(fitted: Fitted, name: str, shape: Shape) -> None:
    values = fitted.rows[name]
    stripped = values.str.strip()
    literal = (stripped == NOT_AVAILABLE).fillna(value=False).astype(bool)
    fitted.blanked += int(literal.sum())
    values = values.mask(literal | (stripped == "").fillna(value=False).astype(bool))
    if shape.length:
        long = (values.str.len() > shape.length).fillna(value=False).astype(bool)
        if long.any():
            fitted.cut[name] = int(long.sum())
            values = values.str.slice(0, shape.length)
            # What the cut leaves may itself be blank or the literal, which an upload could not carry.
            left = values.str.strip()
            values = values.mask(((left == "") | (left == NOT_AVAILABLE)).fillna(value=False).astype(bool))
    fitted.rows[name] = values


def _impossible(values: pd.Series, shape: Shape) -> pd.Series | None:
    if shape.kind == "number":
        limit = 10.0 ** (shape.precision - shape.scale)
        rounded = values.astype("Float64").round(shape.scale).to_numpy(dtype="float64", na_value=0.0)
        return pd.Series((np.abs(rounded) >= limit) | ~np.isfinite(rounded), index=values.index)
    if shape.kind == "datetime":
        return ((values < _EARLIEST) | (values > _LATEST)).fillna(value=False).astype(bool)
    if shape.kind == "text" and shape.choices is not None:
        return (values.notna() & ~values.str.strip().isin(list(shape.choices))).astype(bool)
    return None


def _why(name: str, shape: Shape) -> str:
    if shape.kind == "number":
        return f"{name}: the number has more digits than Number({shape.precision - shape.scale},{shape.scale}) holds"
    if shape.kind == "datetime":
        return f"{name}: the time is outside 1700 to 4000, which Salesforce holds"
    return f"{name}: the value is not in the restricted picklist; add it there or rename it with rules.status_labels"
