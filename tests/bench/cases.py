"""What is run and what is noted of it: the program or a peer, once, against the servers; it judges nothing."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench import floor
from bench.measure import ROOT, Used, run
from bench.planted import planted
from bench.servers.shape import PAGE, Shape
from bench.world import World

LIFTED = ("--allow-deletes", "100000000", "--allow-updates", "100000000")
"""The benchmark's night is larger than a real one: its guards are not what is measured."""
PRODUCT, NAIVE, DUCK = "learnupon-sync", "naive", "duckdb"
_PEERS = {NAIVE: "bench.peers.naive", DUCK: "bench.peers.duck"}
QUIET, AGAIN, NIGHT, AFTER, FIRST = "0 %", "0 %, second night", "2 %", "after 2 %", "first load"
USUAL = "2 %, second night"
CHANGING = (NIGHT, USUAL)
_GOING_ON = {AGAIN, AFTER, USUAL}
"""Nights that find Salesforce and the state folder as the run before left them."""


@dataclass(frozen=True)
class Step:
    """One run: which night it is, who runs, and how long every answer of the servers waits."""

    night: str
    who: str = PRODUCT
    latency_ms: int = 0
    floor: bool = False
    """Whether curl moves the same bytes right after it."""

    @property
    def day(self) -> str:
        """What LearnUpon lists."""
        return "yesterday" if self.night in {QUIET, AGAIN} else "today"


Result = dict[str, Any]
"""The figures of one run, as they are kept in a file of results."""


def carry_out(step: Step, world: World, shape: Shape, within: Sequence[str] = ()) -> Result:
    """Do one run and return its figures; any exit code but 0 ends the benchmark with the end of its log."""
    if step.night in _GOING_ON:
        world.turn(step.day, step.latency_ms)
    else:
        world.begin(step.day, step.latency_ms)
    served = world.cpu_s()
    used, changed = _product(world, step, within) if step.who == PRODUCT else _peer(world, step, within)
    served = world.cpu_s() - served
    result = {"night": step.night, "who": step.who, "latency_ms": step.latency_ms, "rows": shape.enrollments}
    result |= {"wall_s": used.wall_s, "cpu_s": used.cpu_s, "peak_mib": used.peak_mib, "own_mib": used.own_mib}
    if step.night in CHANGING:
        result["planted"] = planted(shape)
    result |= {"served_s": served, "changed": changed, **traffic(world), "least_pages": least_pages(shape, step.day)}
    if step.floor:
        with tempfile.TemporaryDirectory() as folder:
            least = floor.measure(world, Path(folder))
        result |= {"floor_s": least.wall_s, "floor_bytes": least.bytes_in + least.bytes_out}
    return result


def _product(world: World, step: Step, within: Sequence[str]) -> tuple[Used, dict[str, dict[str, int]]]:
    """Run the program with a state folder of its own, that of the run before for a second night."""
    config = world.folder / "bench.yaml"
    if step.night in _GOING_ON:
        state = Path(re.findall(r"^state_dir: (.+)$", config.read_text(encoding="utf-8"), re.MULTILINE)[0])
    else:
        state = Path(tempfile.mkdtemp(dir=world.folder))
        told = world.config.read_text(encoding="utf-8")
        told = re.sub(r"(?m)^state_dir: .+$", f"state_dir: {state}", told)
        config.write_text(told, encoding="utf-8")
    command = [sys.executable, "-m", "etl", "-q", "--config", str(config), "run", *LIFTED]
    before = set(state.glob("runs/*/report.json"))
    used = _ended_well(run(command, within=within), step)
    (path,) = set(state.glob("runs/*/report.json")) - before
    report = json.loads(path.read_text(encoding="utf-8"))
    return used, {name: _changes(counts) for name, counts in report["objects"].items() if name != "LearnUpon_Portal__c"}


def _changes(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: counts[name] for name in ("created", "updated", "deleted")}


def _peer(world: World, step: Step, within: Sequence[str]) -> tuple[Used, dict[str, dict[str, int]]]:
    command = [sys.executable, "-m", _PEERS[step.who], str(world.told)]
    used = _ended_well(run(command, environ={"PYTHONPATH": str(ROOT / "tests")}, within=within), step)
    changed: dict[str, dict[str, int]] = json.loads(used.output.splitlines()[-1])
    return used, changed


def _ended_well(used: Used, step: Step) -> Used:
    if used.code:
        said = (used.output + used.errors)[-3000:]
        raise SystemExit(f"bench: {step.who} ({step.night}) ended with {used.code}:\n{said}")
    return used


def traffic(world: World) -> dict[str, int]:
    """Return what the last run asked of both servers, and the bytes it moved."""
    portal, org = world.calls(world.portal), world.calls(world.org)
    answers = [call for call in org if re.search(r"/results|/query(All)?/?\?", call["target"])]
    return {
        "calls_learnupon": len(portal),
        "questions": sum(1 for call in portal if re.search(r"/\d+$", call["target"])),
        "calls_salesforce": len(org),
        "jobs": sum(1 for call in org if call["method"] == "POST" and call["target"].endswith("/jobs/ingest")),
        "bytes_learnupon": sum(call["out"] for call in portal),
        "bytes_salesforce": sum(call["out"] for call in answers),
        "bytes_sent": sum(call["in"] for call in org if call["method"] == "PUT"),
    }


def least_pages(shape: Shape, day: str) -> int:
    """Return how many pages LearnUpon's listings have on a day: at least one each."""
    listed, paths = shape.listed(day), shape.paths_listed(day)
    firsts = [listed.below(int(bound)) for bound in shape.bounds[:-1]] + [len(listed)]
    rows = [later - first for first, later in pairwise(firsts)]
    bounds = [paths.below(int(bound)) for bound in shape.path_bounds]
    rows += [later - first for first, later in pairwise(bounds)]
    return sum(max(1, -(-count // PAGE)) for count in [*rows, shape.learners, shape.courses, 1])
