"""`python -m simulation.drift`: listings that change while they are read, through the product's reading and planning.

Beside what the product would delete stands what a naive comparison would: one walk, and what it lacks is gone.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import SecretStr
from simulation.clockwork import Clockwork
from simulation.many import scratch, settle_in
from simulation.shifting import FIRST, KINDS, USERS, Shifting, Written, row

from etl import decide, frames, keys, rows, situation
from etl.config import PortalSettings
from etl.config.models import RulesSettings
from etl.learnupon import LearnUpon, confirm, read_portal
from etl.normalise import declared_shapes
from etl.park import Park
from etl.schema import CONTACT_ENROLLMENT, CONTACT_PATH, KEY, MEMBERSHIP, PORTAL, USER_ENROLLMENT, USER_PATH
from etl.situation import Inputs

SIZES = (20, 200, 1000)
PORTAL_ID = 1
_EMPTY = (PORTAL, MEMBERSHIP, USER_ENROLLMENT, USER_PATH, CONTACT_PATH)
_SETTINGS = PortalSettings(
    name="drift", portal_id=PORTAL_ID, title="Drift", url="https://drift.example.com", username=SecretStr("key"),
    password=SecretStr("not-a-secret"), requests_per_minute=1_000_000, concurrency=1,
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What one walk came to; rows of Salesforce by what would have become of them."""

    kind: str
    changes: int
    naive_wrong: int
    """Live rows that a naive comparison would have deleted."""
    asked: int
    deleted: int
    """Rows the product would delete."""
    wrong: int
    """Live ones among them, and live ones it would flag as removed."""


@cache
def held(count: int) -> pa.Table:
    """Return what Salesforce holds before the walk: all rows of the listing, of Contacts."""
    numbers = np.arange(FIRST, FIRST + count)
    done = numbers % 3 == 0
    schema = frames.entity_schema(CONTACT_ENROLLMENT)
    known = {
        "Id": [f"a03{number:012d}AAA" for number in numbers.tolist()],
        KEY: [f"{PORTAL_ID}:enrollment:{number}" for number in numbers.tolist()],
        "LUUser__c": 1 + numbers % USERS,
        "Status__c": np.where(done, rows.label("completed", {}), rows.label("in_progress", {})),
        "Removed_In_LearnUpon__c": np.zeros(count, dtype=bool),
    }
    assert row(FIRST)["id"] == FIRST
    columns = [
        pa.array(known[field.name], field.type) if field.name in known else pa.nulls(count, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


@cache
def texts() -> Written:
    """Return the rows as they go out, written once a process."""
    return Written()


def walk(portal: Shifting, folder: Path) -> Found:
    """Read a portal that changes meanwhile, ask about what the listing lacks, and see what would be deleted."""
    time_ = Clockwork()
    client = LearnUpon(_SETTINGS, clock=time_.clock, random=Random(1), transport=portal.transport)
    read = read_portal(client, folder / "read")
    inputs = _inputs(portal.rows, read.enrollments, read.users, folder)
    asked = situation.row_questions(inputs, "enrollment")
    answer = confirm(client, "enrollments", keys.lu_ids(asked).tolist())
    if answer.alive.num_rows:
        read.enrollments.append(answer.alive)
    inputs = replace(inputs, gone={"enrollment": frozenset(answer.gone)})
    doomed, flagged = _fates(inputs)
    first = set(range(FIRST, FIRST + portal.rows))
    return Found(
        kind=portal.kind,
        changes=portal.changes,
        naive_wrong=len((first - portal.listed) & portal.alive),
        asked=portal.asked,
        deleted=len(doomed),
        wrong=len((doomed | flagged) & portal.alive),
    )


def _inputs(count: int, listing: Park, users: pd.DataFrame, folder: Path) -> Inputs:
    parks = {entity.name: Park(folder / entity.name, frames.entity_schema(entity)) for entity in _EMPTY}
    parks[CONTACT_ENROLLMENT.name] = Park(folder / CONTACT_ENROLLMENT.name, frames.entity_schema(CONTACT_ENROLLMENT))
    parks[CONTACT_ENROLLMENT.name].append(held(count))
    learners = situation.learners_of([users])
    matched = learners.assign(
        side=pd.Series("Contact", index=learners.index, dtype="string[pyarrow]"), person_id=learners["sf_contact_id"]
    )
    return Inputs(
        portals={PORTAL_ID: "Drift"},
        learners=matched,
        listings={"enrollment": [listing], "path": [Park(folder / "paths", frames.PATH_ENROLLMENTS)]},
        path_courses=pd.DataFrame(),
        listed_paths=pd.Index([], dtype="int64"),
        held=parks,
        profiles={},
        shapes={CONTACT_ENROLLMENT.name: declared_shapes(CONTACT_ENROLLMENT)},
        rules=RulesSettings(),
        gone={},
        with_profiles=False,
    )


def _fates(inputs: Inputs) -> tuple[set[int], set[int]]:
    """Return the ids of rows that the product would delete, and of those it would flag as removed."""
    doomed: set[int] = set()
    flagged: set[int] = set()
    finished = rows.finished_labels(inputs.rules.finished_statuses, {})
    for listing, existing in situation.partitions(inputs, "enrollment"):
        known = decide.with_people(listing, inputs.people)
        wanted = decide.is_wanted(known, tuple(inputs.rules.finished_statuses))
        done = decide.is_finished(existing, finished, rows.known_labels({}))
        fate = decide.fate(existing, known, wanted, inputs.unmatched, inputs.gone["enrollment"], done)
        doomed.update(keys.lu_ids(existing.loc[fate.proof.notna(), "code"]).tolist())
        flagged.update(keys.lu_ids(existing.loc[fate.kept, "code"]).tolist())
    return doomed, flagged


def share(seeds: list[int], count: int) -> list[Found]:
    """Walk with these seeds in this process; kinds and sizes take turns."""
    found = []
    for seed in seeds:
        kind, changes = KINDS[seed % len(KINDS)], SIZES[seed // len(KINDS) % len(SIZES)]
        folder = Path(tempfile.mkdtemp(dir=scratch(), prefix="learnupon-drift-"))
        try:
            found.append(walk(Shifting(count, kind, changes, seed, texts()), folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return found


def table(found: Iterable[Found]) -> str:
    """Return what came of many walks, a line for each kind and number of changes."""
    frame = pd.DataFrame([vars(one) for one in found])
    head = f"{'rows':<12} {'changes':>8} {'walks':>6} | {'naive: wrong, mean':>18} {'max':>5}"
    lines = [f"{head} | {'asked':>6} {'deleted':>8} {'wrong':>6}"]
    for (kind, changes), part in frame.groupby(["kind", "changes"]):
        naive, asked = part["naive_wrong"], part["asked"].mean()
        line = f"{kind:<12} {changes:>8,} {len(part):>6,} | {naive.mean():>18,.1f} {naive.max():>5,}"
        lines.append(f"{line} | {asked:>6,.0f} {part['deleted'].mean():>8,.1f} {part['wrong'].sum():>6,}")
    wrong, all_naive = int(frame["wrong"].sum()), int(frame["naive_wrong"].sum())
    lines.append(f"{len(frame):,} walks: {wrong:,} wrong deletes; a naive comparison: {all_naive:,}")
    return "\n".join(lines)


def main() -> int:
    """Walk many times on several processes and print the table; 1 when a live row would have been deleted."""
    parser = argparse.ArgumentParser(prog="python -m simulation.drift", description=__doc__)
    parser.add_argument("--walks", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    begun, found = time.monotonic(), list[Found]()
    shares = [list(range(start, min(start + 12, asked.walks))) for start in range(0, asked.walks, 12)]
    with ProcessPoolExecutor(asked.processes, get_context("spawn"), settle_in) as pool:
        for done in as_completed([pool.submit(share, seeds, asked.rows) for seeds in shares]):
            found += done.result()
            sys.stderr.write(
                f"\r{len(found):,} of {asked.walks:,} walks, {sum(one.wrong for one in found)} wrong deletes "
            )
            sys.stderr.flush()
    sys.stderr.write("\n")
    sys.stdout.write(f"{asked.rows:,} rows, {time.monotonic() - begun:,.0f} s:\n{table(found)}\n")
    return any(one.wrong for one in found)


if __name__ == "__main__":
    sys.exit(main())
