"""What happened to the rows of a saved plan: the same answer however the rows are split up."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from etl.frames import empty, entity_schema, to_arrow
from etl.normalise import declared_shapes
from etl.park import Park
from etl.plan import EntityPlan
from etl.schema import CONTACT_ENROLLMENT, KEY
from etl.stages.unchanged import compare

ROWS = 60


def _rows(numbers: range, **values: str) -> pd.DataFrame:
    frame = empty(entity_schema(CONTACT_ENROLLMENT)).reindex(range(len(numbers)))
    frame["Id"] = pd.Series([f"a00{number:015d}" for number in numbers], dtype="string[pyarrow]")
    frame[KEY] = pd.Series([f"1:enrollment:{number}" for number in numbers], dtype="string[pyarrow]")
    frame["Score__c"] = pd.Series([number % 7 for number in numbers], dtype="Float64")
    return frame.assign(**values)


def _park(park: Park, frame: pd.DataFrame) -> None:
    kept = frame.reindex(columns=park.schema.names)
    park.append(to_arrow(kept, park.schema))


@pytest.mark.parametrize("part_rows", [1_000_000, 50, 7, 1])
def test_every_difference_is_counted_once(tmp_path: Path, part_rows: int) -> None:
    """Rows that changed, went, came or got another record id are counted, into however many parts they are split."""
    part = EntityPlan(CONTACT_ENROLLMENT, tmp_path / "plan")
    _park(part.before, _rows(range(ROWS)))
    _park(part.deletes, _rows(range(ROWS, 2 * ROWS), reason="gone"))
    _park(part.creates, _rows(range(2 * ROWS, 3 * ROWS)))
    part.counts.create = part.counts.update = part.counts.delete = ROWS
    now = _rows(range(2 * ROWS))
    now.loc[[3, 70], "Score__c"] = 99.5
    now.loc[5, "Id"] = "a00XXXXXXXXXXXXXXX"
    now = now.drop(index=[8, 9, 71])
    held = Park(tmp_path / "now", entity_schema(CONTACT_ENROLLMENT))
    _park(held, pd.concat([now, _rows(range(150, 152)), _rows(range(900, 910))]))
    since = compare(part, held, declared_shapes(CONTACT_ENROLLMENT), part_rows=part_rows)
    assert (since.changed, since.gone, since.created, since.rows) == (2, 4, 2, 8)
    known = {f"1:enrollment:{number}" for number in (3, 70, 5, 8, 9, 71, 150, 151)}
    assert len(since.keys) == 5
    assert set(since.keys) <= known


def test_rows_as_they_were_are_no_difference(tmp_path: Path) -> None:
    """The same rows in another order, with outer blanks and numbers written otherwise, have not changed."""
    part = EntityPlan(CONTACT_ENROLLMENT, tmp_path / "plan")
    _park(part.before, _rows(range(ROWS), Course_Name__c="Safety"))
    part.counts.update = ROWS
    held = Park(tmp_path / "now", entity_schema(CONTACT_ENROLLMENT))
    _park(held, _rows(range(ROWS), Course_Name__c=" Safety ").iloc[::-1])
    assert compare(part, held, declared_shapes(CONTACT_ENROLLMENT), part_rows=10).rows == 0
