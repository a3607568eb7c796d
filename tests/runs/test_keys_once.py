"""No upload holds a key twice or an empty one: whatever comes from outside, and whatever a plan says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from runs.saved_plans import APPLY, changes_of_every_kind, edit, plan_into
from runs.small_world import furnish, page_of
from runs.stage import CONTACT_ROWS, Stage

from etl.emulator.faults import Fault


@pytest.mark.fault("D24")
def test_rows_that_come_twice_are_sent_once(stage: Stage) -> None:
    """LearnUpon lists the same users and enrollments on two pages: each key is uploaded once."""
    world = furnish(stage)
    for path, name, given in (
        ("users", "user", {}),
        ("enrollments/search", "enrollments", {"course_id": world.first_course}),
    ):
        first, second = (json.loads(page_of(stage, path, page=page, **given)) for page in (1, 2))
        body = json.dumps({**second, name: [*second[name], first[name][0]]})
        end = {"LU-Has-Next-Page": "false"}
        which = f"{path}.*course_id={world.first_course}" if given else path
        page = f"GET .*{which}.*page=2($|&)"
        stage.emu.learnupon_faults.add(Fault(page, times=None, when="mid", body=body, headers=end))
    uploads = stage.uploads()
    result = stage.synced()
    assert len({one.fault_id for one in stage.emu.learnupon_faults.fired}) == 2
    assert len(stage.rows(CONTACT_ROWS)) == 4
    assert "1 of 4 users were listed more than once" in result.warnings
    assert "1 enrollments were listed more than once" in result.warnings
    for name, lines in uploads:
        keys = Counter(line.get("LU_Key__c") or line["Id"] for line in lines)
        assert set(keys.values()) == {1}, (name, keys)
        assert "" not in keys
    stage.settled()


@pytest.mark.fault("D24")
@pytest.mark.parametrize("key", ["again", ""])
def test_a_plan_with_a_key_twice_is_a_bug_and_nothing_is_sent(stage: Stage, key: str) -> None:
    """A key that is there twice, or empty, ends the run with 70 before the first upload, though all else is right."""
    changes_of_every_kind(stage)
    folder = plan_into(stage)
    _add_create(folder, key)
    result = stage.run(APPLY, str(folder))
    assert (result.code, result.effects, result.ingest_jobs) == (70, [], [])
    assert result.report["outcome"] == "bug"
    assert "refuse_repeats" in result.err, "the traceback names the last look before the upload"
    said = result.err.splitlines()[-1]
    assert f"that would be sent empty or more than once: 1 ({'(empty)' if not key else '12345:enrollment:'}" in said
    assert f"{CONTACT_ROWS}.LU_Key__c" in said
    assert said.count("othing was written") == 1
    assert said.endswith("Report it with the traceback from the log; it holds no values.")
    stage.synced()
    stage.settled()


def _add_create(folder: Path, key: str) -> None:
    """Add to the rows to create the first of them once more, under the same key or this one; forge what fits to it."""
    name = f"{CONTACT_ROWS}/creates/000000.arrow"
    path = folder / "rows" / name
    rows = pa.ipc.open_file(path.read_bytes()).read_all()
    first: dict[str, Any] = rows.slice(0, 1).to_pylist()[0]
    more = pa.Table.from_pylist([first | ({} if key else {"LU_Key__c": key})], rows.schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(pa.concat_tables([rows, more]).combine_chunks())
    data = sink.getvalue().to_pybytes()
    path.write_bytes(data)

    def fit(held: dict[str, Any]) -> None:
        held["files"][name] = hashlib.sha256(data).hexdigest()
        counts = held["objects"][CONTACT_ROWS]["counts"]
        counts["create"] += 1
        counts["desired"] += 1

    edit(folder, fit, forge=True)
