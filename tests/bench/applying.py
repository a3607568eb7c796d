"""The apply stage alone: a million rows to create, by the program and by what people use instead."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.cases import PRODUCT, Result
from bench.loads.rows import world_of, write_rows
from bench.measure import ROOT, run
from bench.world import World

LARGEST = 100_000_000
"""Bytes of one file that Salesforce asks for (Bulk API 2.0 guide); from 150 MB on it refuses."""
RECORDS, FILE, DRT = "bulk2, records", "bulk2, csv_file", "drt"
CONTESTANTS = {
    PRODUCT: ("bench.loads.ours", "config", ""),
    RECORDS: ("bench.loads.simple", "told", "records"),
    FILE: ("bench.loads.simple", "told", "file"),
    DRT: ("bench.loads.drt_load", "told", ""),
}


def one_round(rows: int) -> Iterator[Result]:
    """Let every contestant create the same rows in an org that holds none of them."""
    with World(str(world_of(rows)), first_load=True) as world, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.arrow"
        write_rows(rows, path)
        for name, (module, argument, how) in CONTESTANTS.items():
            world.begin("yesterday")
            command = [sys.executable, "-m", module, str(getattr(world, argument)), str(path), *([how] if how else [])]
            served = world.cpu_s()
            used = run(command, environ={"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}"})
            if used.code:
                raise SystemExit(f"bench: {name} ended with {used.code}:\n{(used.output + used.errors)[-3000:]}")
            files = [call["in"] for call in world.calls(world.org) if call["method"] == "PUT"]
            result = {"who": name, "rows": rows, "wall_s": used.wall_s, "cpu_s": used.cpu_s, "peak_mib": used.peak_mib}
            result |= {"own_mib": used.own_mib, "served_s": world.cpu_s() - served, "files": files}
            yield result | json.loads(used.output.splitlines()[-1])
