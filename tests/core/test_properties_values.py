"""What holds for all values: the difference, the normalisation, the fitting, keys and guards."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
from core.situations import frame
from core.worlds import examples
from hypothesis import given
from hypothesis import strategies as st

from etl import guards, keys
from etl.config.models import GuardSettings
from etl.diff import CHANGED, changed_columns, diff
from etl.frames import SECONDS_UTC
from etl.guards import Allowed, Load
from etl.normalise import Shape, fit, normalise

SCHEMA = pa.schema(
    {"Id": pa.string(), "key": pa.string(), "t": pa.string(), "n": pa.int64(), "d": pa.float64(), "b": pa.bool_(),
     "w": SECONDS_UTC}
)  # fmt: skip
SHAPES = {
    "t": Shape("text", length=6),
    "n": Shape("number"),
    "d": Shape("number", precision=6, scale=2),
    "b": Shape("boolean"),
    "w": Shape("datetime"),
}
TEXT = st.one_of(
    st.none(), st.sampled_from(["", " ", "#N/A", " #N/A ", "a", "A", " a ", "a\r\nb", "      #N/A"]), st.text()
)
FLOATS = st.one_of(
    st.none(), st.integers(-999_999, 999_999).map(lambda whole: whole / 1000), st.floats(allow_nan=False)
)
WHEN = st.one_of(st.none(), st.datetimes(datetime(1600, 1, 1), datetime(4500, 1, 1)))  # noqa: DTZ001 - made UTC below


@st.composite
def rows(draw: st.DrawFn) -> pd.DataFrame:
    """Draw rows with every kind of value, each key once."""
    whole = st.one_of(st.none(), st.integers(-(2**53), 2**53))
    found = []
    for number in draw(st.lists(st.integers(0, 5), unique=True, max_size=5)):
        when = draw(WHEN)
        found.append(
            {"Id": f"a{number}", "key": f"k{number}", "t": draw(TEXT), "n": draw(whole), "d": draw(FLOATS)}
            | {"b": draw(st.sampled_from([None, True, False])), "w": when and when.replace(tzinfo=UTC, microsecond=0)}
        )
    return frame(found, SCHEMA)


def _normal(of: pd.DataFrame) -> dict[str, dict[str, Any]]:
    columns = {name: values.to_pylist() for name, values in normalise(of, SHAPES).items()}
    return {key: {name: columns[name][place] for name in columns} for place, key in enumerate(of["key"])}


@examples(150)
@given(rows(), rows())
def test_a_difference_applied_gives_the_desired_rows(desired: pd.DataFrame, existing: pd.DataFrame) -> None:
    """Creates, the changed columns of updates, and deletes turn the existing rows into the desired ones."""
    changes = diff(desired, existing, "key", SHAPES)
    held = _normal(existing)
    held.update(_normal(changes.creates))
    values = _normal(changes.updates)
    for key, bits in zip(changes.updates["key"], changes.updates[CHANGED], strict=True):
        columns = changed_columns(bits, tuple(SHAPES))
        assert columns
        assert all(held[key][column] != values[key][column] for column in columns)
        held[key].update({column: values[key][column] for column in columns})
    for key in changes.deletes["key"]:
        del held[key]
    assert held == _normal(desired)
    assert changes.unchanged + len(changes.updates) + len(changes.creates) == len(desired)
    assert changes.unchanged + len(changes.updates) + len(changes.deletes) == len(existing)


@examples(100)
@given(rows(), st.randoms(use_true_random=False))
def test_nothing_differs_from_itself_in_any_order(same: pd.DataFrame, random: Any) -> None:
    """Rows and columns in another order are no difference."""
    places = random.sample(range(len(same)), len(same))
    columns = random.sample(list(same.columns), len(same.columns))
    other = same.iloc[places][columns].reset_index(drop=True)
    changes = diff(same, other, "key", SHAPES)
    assert (len(changes.creates), len(changes.updates), len(changes.deletes)) == (0, 0, 0)
    assert changes.unchanged == len(same)


@examples(150)
@given(rows())
def test_normal_values_are_normal(of: pd.DataFrame) -> None:
    """Normalising twice is normalising once."""
    once = normalise(of, SHAPES)
    again = normalise(once, SHAPES)
    assert {name: values.to_pylist() for name, values in once.items()} == {
        name: values.to_pylist() for name, values in again.items()
    }


@examples(150)
@given(rows(), st.sampled_from([ROUND_HALF_UP, ROUND_HALF_EVEN]))
def test_what_fits_comes_back_from_salesforce_as_it_was_sent(of: pd.DataFrame, rounding: str) -> None:
    """A fitted row, stored by Salesforce (texts trimmed, numbers rounded somehow), is no difference."""
    fitted = fit(of, "key", SHAPES).rows
    stored = [
        {
            **row,
            "t": (row["t"] or "").strip() or None,
            "d": None
            if row["d"] is None
            else float(Decimal(repr(row["d"])).quantize(Decimal("0.01"), rounding=rounding)),
            "b": bool(row["b"]),
        }
        for row in _plain(fitted)
    ]
    for row in stored:
        assert row["t"] is None or len(row["t"]) <= 6
        assert row["t"] != "#N/A"
        assert row["d"] is None or abs(row["d"]) < 10_000
        assert row["w"] is None or 1700 <= row["w"].year <= 4000
    assert diff(fitted, frame(stored, SCHEMA), "key", SHAPES).unchanged == len(fitted)


def _plain(of: pd.DataFrame) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = pa.Table.from_pandas(of, schema=SCHEMA, preserve_index=False).to_pylist()
    return table


@examples(150)
@given(rows())
def test_each_row_is_fitted_or_rejected_with_a_reason(of: pd.DataFrame) -> None:
    """No row is lost: it is among the fitted ones or among the rejected ones, where it has one reason."""
    fitted = fit(of, "key", SHAPES)
    assert sorted([*fitted.rows["key"], *fitted.rejected["key"]]) == sorted(of["key"])
    assert fitted.rejected["reason"].notna().all()
    assert list(fitted.blocked) == list(fitted.rejected["key"])


@examples(100)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.one_of(st.integers(0, 20), st.integers(0, keys.MAX_ID)))),
    st.sampled_from(["member", "enrollment", "path"]),
)
def test_keys_are_read_as_they_were_written(pairs: list[tuple[int, int]], row: str) -> None:
    """The key of a code is read back as that code, whatever portal's, and as nothing by another kind of row."""
    portals = [1, 11, 111]
    coded = pd.Series([place * keys.PLACE + number for place, number in pairs], dtype="int64")
    texts = keys.texts(coded, row, portals)
    assert texts.tolist() == [f"{portals[place]}:{row}:{number}" for place, number in pairs]
    assert keys.parse(texts, row, portals).tolist() == coded.tolist()
    assert (keys.parse(texts, "other", portals) == keys.UNREADABLE).all()
    assert keys.places(coded).tolist() == [place for place, _ in pairs]
    assert keys.lu_ids(coded).tolist() == [number for _, number in pairs]


@examples(100)
@given(st.lists(st.one_of(st.none(), st.text(max_size=30), st.from_regex(r"11:(path|member):[0-9]{1,16}\s?"))))
def test_a_key_is_read_only_if_it_would_be_written_so(texts: list[str | None]) -> None:
    """Whatever a person typed as a key: it is read only when writing its code gives that very text."""
    coded = keys.parse(pd.Series(texts, dtype="string[pyarrow]"), "path", [11])
    for text, code in zip(texts, coded, strict=True):
        if code != keys.UNREADABLE:
            assert keys.texts(pd.Series([code]), "path", [11]).tolist() == [text]


LOADS = st.dictionaries(
    st.sampled_from(["One", "Two"]), st.builds(Load, st.integers(0, 200), st.integers(0, 60), st.integers(0, 60))
)


@examples(150)
@given(LOADS, st.integers(1, 20), st.sampled_from(["updates", "deletes"]), st.integers(0, 80))
def test_guards_are_monotone(loads: dict[str, Load], more: int, what: str, limit: int) -> None:
    """More rows to write never un-trip a guard, and a higher limit never trips one."""
    limits = GuardSettings(max_deletes=limit)
    heavier = {name: Load(**{**vars(load), what: getattr(load, what) + more}) for name, load in loads.items()}
    for less, worse in zip(
        guards.writes(loads, limits, Allowed()), guards.writes(heavier, limits, Allowed()), strict=True
    ):
        assert worse.tripped or not less.tripped
    laxer = guards.writes(loads, GuardSettings(max_deletes=limit + more), Allowed())
    for strict, lax in zip(guards.writes(loads, limits, Allowed()), laxer, strict=True):
        assert strict.tripped or not lax.tripped


@examples(150)
@given(LOADS, st.integers(0, 150), st.integers(0, 150))
def test_an_override_lifts_up_to_its_number_and_its_own_guards_only(
    loads: dict[str, Load], deletes: int, updates: int
) -> None:
    """`--allow-deletes N` lifts both guards on deletes for up to N rows in all, and nothing else; updates likewise."""
    limits = GuardSettings(max_deletes=5)
    plain = guards.writes(loads, limits, Allowed())
    allowed = guards.writes(loads, limits, Allowed(deletes=deletes, updates=updates))
    for before, after in zip(plain, allowed, strict=True):
        kind, number = ("deletes", deletes) if "delete" in before.name else ("updates", updates)
        lifted = sum(getattr(load, kind) for load in loads.values()) <= number
        assert after.tripped == (before.tripped and not lifted)
        assert after.overridden == (before.tripped and lifted)
        assert (after.value, after.limit) == (before.value, before.limit)


@examples(150)
@given(LOADS, LOADS, st.integers(0, 80), st.integers(1, 20))
def test_the_past_only_ever_holds_back(loads: dict[str, Load], past: dict[str, Load], limit: int, more: int) -> None:
    """More deletes in the past never un-trip a guard; none at all let pass what the run's own limits do."""
    limits = GuardSettings(max_deletes=limit)
    before = {name: load.deletes for name, load in past.items()}
    after = {name: before.get(name, 0) + more for name in {*before, *loads}}
    for less, worse in zip(
        guards.over_time(loads, before, limits, Allowed()),
        guards.over_time(loads, after, limits, Allowed()),
        strict=True,
    ):
        assert worse.value >= less.value or worse.name == "max_delete_percent_7_days"
        assert worse.tripped or not less.tripped
    now = any(one.tripped for one in guards.writes(loads, limits, Allowed()) if "delete" in one.name)
    assert now or not any(one.tripped for one in guards.over_time(loads, {}, limits, Allowed()))
