"""`make bench`: the program against the floor and its peers; writes tables and a plot, says which aims are met.

    make bench                 sizes S and M, the odd shapes, and the apply stage
    make bench SIZE=L          ten million enrollments under a hard limit of 2 GiB
    python -m bench S M odd apply [--rounds 3] [--no-peers]

Every part keeps its figures in results/ as JSON, and tables.md and plot.svg are made anew of all that is there, so the
parts need not be run together. Rounds are interleaved: what is compared ran a few minutes apart on the same servers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from bench import judge, tables
from bench.applying import one_round as applied
from bench.cases import AGAIN, DUCK, FIRST, NAIVE, NIGHT, QUIET, USUAL, Result, Step, carry_out
from bench.limit import limited
from bench.servers.__main__ import SIZES
from bench.servers.shape import ODD, Shape
from bench.world import World

RESULTS = Path(__file__).parent / "results"
LIMIT_MIB = 2_048
PARTS = ("S", "M", "L", "odd", "apply")
_TITLES = {
    "S": "S: 100,000 enrollments", "M": "M: 1,000,000 enrollments", "L": "L: 10,000,000 enrollments",
    "half": "One course with half of all rows (1,000,000 enrollments)",
    "many": "50,000 courses of two rows each (100,000 enrollments)",
    "one": "One learner with 5,000 enrollments (1,000,000 enrollments)",
    "apply": "The apply stage alone",
}  # fmt: skip
_OURS = (Step(QUIET), Step(AGAIN), Step(USUAL), Step(NIGHT, floor=True))
_PEERS = (Step(NIGHT, NAIVE), Step(NIGHT, DUCK))
_SLOW = (Step(QUIET, latency_ms=50), Step(AGAIN, latency_ms=50), Step(NIGHT, latency_ms=50))
_ODD_SIZES = {"half": "M", "many": "S", "one": "M"}


def main() -> int:
    """Measure, write, print, and return 0 when every aim that was measured is met, else 1."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="S|M|L|odd|apply", help="what to measure (S M odd apply)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true", help="the program and the floor alone")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the apply stage")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the figures")
    given = parser.parse_args()
    parts = given.parts or ["S", "M", "odd", "apply"]
    worlds = [name for part in parts for name in (ODD if part == "odd" else [part])]
    found: dict[str, list[list[Result]]] = {name: [] for name in worlds}
    with ExitStack() as stack:
        limit = stack.enter_context(limited(LIMIT_MIB))
        for number in range(given.rounds):
            for name in worlds:
                steps = applied(given.rows) if name == "apply" else one_round(name, given.no_peers, limit.within)
                found[name].append([])
                for result in steps:
                    found[name][-1].append(result)
                    _say(f"round {number + 1}, {name}: {_brief(result)}", sys.stderr)
        told = f"; under a hard limit: {limit.told}"
    for name, rounds in found.items():
        _keep(given.results, name, rounds, told if name in {"L", *ODD} else "")
    return report(given.results)


def one_round(name: str, no_peers: bool, within: Sequence[str]) -> Iterator[Result]:  # noqa: FBT001 - from the options
    """Go through the steps of a world once; L and the odd worlds run under the limit."""
    size, odd = (_ODD_SIZES[name], name) if name in ODD else (name, "")
    shape = Shape(SIZES.get(size) or int(size), 1, odd)
    limited_here = name in {"L", *ODD}
    steps = [*_OURS] if limited_here else [*_OURS, *([] if no_peers else _PEERS), *_SLOW]
    with World(size, odd=odd) as world:
        for step in steps:
            yield carry_out(step, world, shape, within if limited_here else ())
    if not limited_here:
        with World(size, first_load=True) as world:
            yield carry_out(Step(FIRST), world, shape)


def report(folder: Path) -> int:
    """Write the tables and the plot of all figures there are, print the aims, and return 0 when all are met."""
    there = {path.stem: path for path in sorted(folder.glob("*.json"))}
    names = [*(name for name in _TITLES if name in there), *(name for name in there if name not in _TITLES)]
    kept: dict[str, Any] = {name: json.loads(there[name].read_text(encoding="utf-8")) for name in names}
    checks = list(judged(kept))
    (folder / "tables.md").write_text(tables.document(kept, checks), encoding="utf-8")
    try:
        from bench.plot import draw  # noqa: PLC0415 - matplotlib is not there for the tests
    except ImportError:
        _say("no plot: matplotlib is missing; `make bench` installs it", sys.stderr)
    else:
        draw(kept, folder / "plot.svg")
    for check in checks:
        _say(f"{'PASS' if check.met else 'FAIL'}  {check.what}: {check.found} ({check.aim})")
    return 0 if all(check.met for check in checks) else 1


def judged(kept: dict[str, Any]) -> Iterator[judge.Check]:
    """Give all aims that the figures speak of."""
    for name, facts in kept.items():
        if name == "apply":
            yield from judge.of_apply(facts["rounds"])
        elif name in ODD:
            yield from judge.everywhere(name, facts["rounds"])
        else:
            yield from judge.of_size(name, facts["rounds"])
    if "M" in kept and "L" in kept:
        yield from judge.per_row(kept["M"]["rounds"], kept["L"]["rounds"])


def _keep(folder: Path, name: str, rounds: list[list[Result]], limit: str) -> None:
    """Write the figures of one part to its file, with when, where and how they came about."""
    folder.mkdir(exist_ok=True)
    facts = {
        "title": _TITLES.get(name, f"{name} enrollments"),
        "when": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": "make bench" + (f" SIZE={name}" if name == "L" else ""),
        "machine": f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}",
        "limit": limit,
        "rows": rounds[0][0]["rows"],
        "rounds": rounds,
    }
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _brief(result: Result) -> str:
    words = [str(result[name]) for name in ("night", "who") if name in result]
    words += [f"{result['latency_ms']} ms"] if result.get("latency_ms") else []
    floor = f", floor {result['floor_s']:.2f} s" if "floor_s" in result else ""
    used = f"{result['wall_s']:.1f} s, CPU {result['cpu_s']:.1f} s, {result['peak_mib']:.0f} MiB"
    return f"{', '.join(words)}: {used}{floor}"


def _say(line: str, stream: TextIO = sys.stdout) -> None:
    stream.write(line + "\n")
    stream.flush()


if __name__ == "__main__":
    sys.exit(main())
