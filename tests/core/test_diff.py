"""The difference of two frames, and the guards that look at its size."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from etl import guards
from etl.config.models import GuardSettings
from etl.diff import changed_columns, diff
from etl.guards import Allowed, Load
from etl.normalise import Shape

SHAPES = {"t": Shape("text", length=20), "n": Shape("number", precision=6, scale=2)}


def _rows(*rows: tuple[str, str | None, float | None]) -> pd.DataFrame:
    keyed = pd.DataFrame(list(rows), columns=["key", "t", "n"])
    keyed["Id"] = "id-" + keyed["key"]
    return keyed.astype({"t": "string[pyarrow]", "n": "Float64", "key": "string[pyarrow]"})


@pytest.mark.parametrize(
    ("want", "have", "changed"),
    [
        (("a", 1.0), ("a", 1.0), []),
        ((" a ", 1.004), ("a", 1.0), []),
        (("", None), (None, None), []),
        (("#N/A", None), (None, None), []),
        (("a", 0.0), ("a", None), ["n"]),
        (("a", None), ("a", 0.0), ["n"]),
        ((None, 1.0), ("a", 1.0), ["t"]),
        (("A", 1.0), ("a", 1.0), ["t"]),
        (("b", 2.0), ("a", 1.0), ["t", "n"]),
        (("a\nb", 1.0), ("a\r\nb", 1.0), ["t"]),
    ],
)
def test_only_columns_that_differ_are_named(want: Any, have: Any, changed: list[str]) -> None:
    """What is equal after one normalisation is no difference; null is not zero; case and inner line ends count."""
    changes = diff(_rows(("k", *want)), _rows(("k", *have)), "key", SHAPES)
    assert [changed_columns(bits, ("t", "n")) for bits in changes.updates["changed"]] == ([changed] if changed else [])
    assert changes.unchanged == (not changed)


def test_updates_carry_the_existing_id_and_the_rows_before() -> None:
    """An update has the desired values with the record's Id; beside it the old row is kept, in the same order."""
    changes = diff(_rows(("x", "1", 1.0), ("y", "2", 2.0)), _rows(("y", "0", 2.0), ("x", "0", 1.0)), "key", SHAPES)
    assert changes.updates["Id"].tolist() == ["id-x", "id-y"]
    assert changes.updates["t"].tolist() == ["1", "2"]
    assert changes.before["key"].tolist() == ["x", "y"]
    assert changes.before["t"].tolist() == ["0", "0"]


def test_bits_are_numbered_by_the_object() -> None:
    """When only some columns are compared the bits still count the object's columns."""
    changes = diff(_rows(("k", "a", 1.0)), _rows(("k", "a", 2.0)), "key", SHAPES, ("other", "t", "more", "n"))
    assert changes.updates["changed"].tolist() == [0b1000]


@pytest.mark.parametrize("empty", ["desired", "existing", "both"])
def test_nothing_on_a_side(empty: str) -> None:
    """Without existing rows all is created, without desired ones all is deleted."""
    one, none = _rows(("k", "a", 1.0)), _rows()
    changes = diff(none if empty != "existing" else one, none if empty != "desired" else one, "key", SHAPES)
    assert len(changes.creates) == (empty == "existing")
    assert len(changes.deletes) == (empty == "desired")
    assert (len(changes.updates), changes.unchanged) == (0, 0)


@pytest.mark.parametrize("side", [0, 1])
def test_a_key_twice_is_an_error(side: int) -> None:
    """Two rows of one key cannot be compared: that would be a bug, and nothing may be decided from it."""
    sides = [_rows(("k", "a", 1.0)), _rows(("k", "a", 1.0))]
    sides[side] = _rows(("k", "a", 1.0), ("k", "b", 1.0))
    with pytest.raises(ValueError, match="twice"):
        diff(sides[0], sides[1], "key", SHAPES)


def _tripped(loads: dict[str, Load], allowed: Allowed | None = None, **limits: Any) -> dict[str, tuple[bool, bool]]:
    readings = guards.writes(loads, GuardSettings(**limits), allowed or Allowed())
    return {one.name: (one.tripped, one.overridden) for one in readings if one.tripped or one.overridden}


@pytest.mark.parametrize(
    ("load", "limits", "names"),
    [
        (Load(10_000, 0, 500), {"max_delete_percent": 100}, []),
        (Load(10_000, 0, 501), {"max_delete_percent": 100}, ["max_deletes"]),
        (Load(100, 0, 5), {}, []),
        (Load(100, 0, 6), {}, ["max_delete_percent"]),
        (Load(20, 0, 2), {}, ["max_delete_percent"]),
        (Load(19, 0, 19), {}, []),
        (Load(100, 50, 0), {}, []),
        (Load(100, 51, 0), {}, ["max_update_percent"]),
        (Load(1_000_000, 500_001, 0), {}, ["max_update_percent"]),
        (Load(1_000_000, 0, 49), {"max_delete_percent": 0}, ["max_delete_percent"]),
        (Load(19, 19, 0), {}, []),
        (Load(0, 0, 0), {}, []),
    ],
)
def test_guards_trip_above_their_limit(load: Load, limits: dict[str, Any], names: list[str]) -> None:
    """A guard stops what is over its limit, by however little; percentages apply from min_rows existing rows on."""
    assert list(_tripped({"One": load}, **limits)) == names


def test_the_worst_object_is_measured_and_deletes_are_summed() -> None:
    """A percentage is that of the worst object, which is named; the number of deletes is over all objects."""
    loads = {"Big": Load(10_000, 0, 300), "Small": Load(100, 0, 20)}
    readings = {one.name: one for one in guards.writes(loads, GuardSettings(), Allowed())}
    assert (readings["max_deletes"].value, readings["max_deletes"].tripped) == (320, False)
    assert (readings["max_delete_percent"].value, readings["max_delete_percent"].where) == (20.0, "Small")
    assert "--allow-deletes 320" in guards.remedy(readings["max_delete_percent"], 320, 0)
    assert "--allow-updates 7" in guards.remedy(readings["max_update_percent"], 320, 7)


@pytest.mark.parametrize(
    ("loads", "past", "limits", "names"),
    [
        ({"One": Load(1000, 0, 0)}, {"One": 900}, {}, []),
        ({"One": Load(10_000, 0, 1)}, {"One": 499}, {}, []),
        ({"One": Load(10_000, 0, 1)}, {"One": 400, "Other": 100}, {}, ["max_deletes_7_days"]),
        ({"One": Load(10_000, 0, 1)}, {"One": 499}, {"max_deletes": 400}, ["max_deletes_7_days"]),
        ({"One": Load(10_000, 0, 1)}, {"One": 500}, {"max_deletes_7_days": 900}, []),
        ({"One": Load(95, 0, 5)}, {"One": 5}, {}, []),
        ({"One": Load(95, 0, 6)}, {"One": 5}, {}, ["max_delete_percent_7_days"]),
        ({"One": Load(95, 0, 5)}, {"One": 5}, {"max_delete_percent": 4}, ["max_delete_percent_7_days"]),
        ({"One": Load(95, 0, 6)}, {"One": 5}, {"max_delete_percent_7_days": 11}, []),
        ({"One": Load(100, 0, 1), "Two": Load(10, 0, 0)}, {"Two": 90}, {}, []),
        ({"One": Load(14, 0, 1)}, {"One": 5}, {}, []),
        ({"One": Load(15, 0, 1)}, {"One": 5}, {}, ["max_delete_percent_7_days"]),
        ({}, {"One": 900}, {}, []),
    ],
)
def test_deletes_count_together_with_those_of_the_week(
    loads: dict[str, Load], past: dict[str, int], limits: dict[str, Any], names: list[str]
) -> None:
    """A plan that deletes is held to seven days: the sum over all objects, and the share of those it deletes from."""
    readings = guards.over_time(loads, past, GuardSettings(**limits), Allowed())
    assert [one.name for one in readings if one.tripped] == names
    deletes = sum(load.deletes for load in loads.values())
    assert [
        one.name for one in guards.over_time(loads, past, GuardSettings(**limits), Allowed(deletes)) if one.tripped
    ] == []
    if names:
        fewer = guards.over_time(loads, past, GuardSettings(**limits), Allowed(deletes - 1))
        assert [one.name for one in fewer if one.tripped] == names
        assert f"--allow-deletes {deletes}" in guards.remedy(readings[0], deletes, 0)


def test_a_changed_scope_lets_no_delete_pass_unseen() -> None:
    """The guard is there when something changed, names it, and trips from the first row to delete on."""
    one, none = {"One": Load(1000, 0, 1)}, {"One": Load(1000, 5, 0)}
    assert guards.scope_changed(one, "", Allowed()) == []
    (quiet,) = guards.scope_changed(none, "rules", Allowed())
    (loud,) = guards.scope_changed(one, "rules", Allowed())
    (lifted,) = guards.scope_changed(one, "rules", Allowed(deletes=1))
    assert [(line.value, line.tripped, line.overridden, line.where) for line in (quiet, loud, lifted)] == [
        (0, False, False, "rules"), (1, True, False, "rules"), (1, False, True, "rules"),
    ]  # fmt: skip
    assert "put the settings back" in guards.remedy(loud, 1, 0)


@pytest.mark.parametrize(
    ("held", "tripped"),
    [((100, 20), False), ((100, 21), True), ((1_000_000, 200_001), True), ((19, 19), False), ((0, 0), False)],
)
def test_a_source_that_shrank_is_not_believed(held: tuple[int, int], tripped: bool) -> None:  # noqa: FBT001 - a table
    """Too many rows missing from a listing stop the run, by portal and kind, from min_rows held on."""
    reading = guards.source_shrink({"learners of academy": held, "learners of other": (1000, 1)}, GuardSettings())
    assert reading.tripped is tripped
    if tripped:
        assert reading.where == "learners of academy"
        assert "max_source_shrink_percent" in guards.remedy(reading, 0, 0)
