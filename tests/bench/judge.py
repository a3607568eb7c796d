"""The aims of the benchmark held against the figures of a run; it measures nothing and prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from statistics import median
from typing import Any

from bench.applying import LARGEST
from bench.cases import AGAIN, CHANGING, DUCK, NAIVE, NIGHT, PRODUCT, QUIET, Result

STREAMS = 4
"""Requests at once to a portal: `concurrency` of the configuration, by default."""
MOST_FLOORS, TIMES_NAIVE, TIMES_DUCK = 8.0, 5.0, 1.0
MOST_MIB = 1_536.0
MOST_PER_ROW, MOST_LATENCY, MOST_BYTES, MOST_CALLS = 1.2, 1.15, 0.05, 1.02
Rounds = Sequence[Sequence[Result]]
"""For each round its results."""


@dataclass(frozen=True)
class Check:
    """One aim, the figure that was found, and whether it is met."""

    what: str
    found: str
    aim: str
    met: bool


def pick(results: Sequence[Result], night: str, who: str = PRODUCT, latency_ms: int = 0) -> Result | None:
    """Return the result of one step of a round; None when it was not run."""
    for one in results:
        if (one["night"], one["who"], one["latency_ms"]) == (night, who, latency_ms):
            return one
    return None


def middle(rounds: Rounds, figure: Callable[[Sequence[Result]], float | None]) -> float | None:
    """Return the median over the rounds of a figure of a round; None when no round has it."""
    found = [value for one in rounds if (value := figure(one)) is not None]
    return float(median(found)) if found else None


def ratio(above: Result | None, below: Result | None, name: str, other: str = "") -> float | None:
    """Return how many times one figure is another of the same round."""
    if above is None or below is None or not below.get(other or name):
        return None
    return float(above[name]) / float(below[other or name])


def floors(results: Sequence[Result]) -> float | None:
    """Return how many times the floor the night of changes takes."""
    night = pick(results, NIGHT)
    return ratio(night, night, "wall_s", "floor_s")


def latency_floors(results: Sequence[Result], night: str = QUIET) -> float | None:
    """Return how many times the waiting that cannot be avoided a run takes at 50 ms an answer."""
    one = pick(results, night, latency_ms=50)
    return None if one is None else one["wall_s"] / (one["least_pages"] * 0.05 / STREAMS)


def _at_most(what: str, found: float | None, most: float, unit: str) -> Iterator[Check]:
    if found is not None:
        yield Check(what, f"{found:.2f}{unit}", f"at most {most:g}{unit}", found <= most)


def _at_least(what: str, found: float | None, least: float, unit: str) -> Iterator[Check]:
    if found is not None:
        yield Check(what, f"{found:.2f}{unit}", f"at least {least:g}{unit}", found >= least)


def of_size(size: str, rounds: Rounds) -> Iterator[Check]:
    """Hold the rounds of a size against what holds at every size, and M's against what is asked of M."""
    if size == "M":
        yield from _at_most("M, 2 %: times the curl floor", middle(rounds, floors), MOST_FLOORS, "x")
        for night, (peer, least) in product(CHANGING, ((NAIVE, TIMES_NAIVE), (DUCK, TIMES_DUCK))):
            times = middle(rounds, partial(_faster, night=night, peer=peer))
            yield from _at_least(f"M, {night}: times faster than {peer}", times, least, "x")
        for night in (QUIET, AGAIN):
            waiting = middle(rounds, partial(latency_floors, night=night))
            yield from _at_most(f"M, {night}, 50 ms: times the latency floor", waiting, MOST_LATENCY, "x")
    yield from everywhere(size, rounds)


def _faster(results: Sequence[Result], night: str, peer: str) -> float | None:
    return ratio(pick(results, NIGHT, peer), pick(results, night), "wall_s")


def everywhere(name: str, rounds: Rounds) -> Iterator[Check]:
    """Hold rounds against what is asked of every world."""
    ours = [one for results in rounds for one in results if one["who"] == PRODUCT]
    quiet = [one for one in ours if one["night"] in {QUIET, AGAIN}]
    if quiet:
        jobs = max(one["jobs"] for one in quiet)
        yield Check(f"{name}, 0 %: ingest jobs", f"{jobs}", "0", jobs == 0)
        calls = max((one["calls_learnupon"] - one["questions"]) / one["least_pages"] for one in quiet)
        yield from _at_most(f"{name}, 0 %: times the fewest calls to LearnUpon", calls, MOST_CALLS, "x")
    share = middle(rounds, lambda one: ratio(pick(one, AGAIN), pick(one, QUIET), "bytes_salesforce"))
    yield from _at_most(f"{name}, 0 %, second night: share of Salesforce's bytes", share, MOST_BYTES, "")
    peak = max((one["peak_mib"] for one in ours), default=None)
    yield from _at_most(f"{name}: peak of the whole process tree", peak, MOST_MIB, " MiB")
    yield from _agreement(name, rounds)


def _agreement(name: str, rounds: Rounds) -> Iterator[Check]:
    """See that everybody who ran a night changed just the rows of each object that were planted."""
    nights = [one for results in rounds for one in results if one["night"] in CHANGING]
    if not nights:
        return
    odd = sorted({one["who"] for one in nights if one["changed"] != one["planted"]})
    changed = sum(sum(counts.values()) for counts in nights[0]["planted"].values())
    told = ", ".join(sorted({one["who"] for one in nights})) if not odd else f"not {', '.join(odd)}"
    yield Check(f"{name}, 2 %: who changes exactly what was planted", told, f"everybody, {changed:,} rows", not odd)


def per_row(small: Rounds, large: Rounds) -> Iterator[Check]:
    """Hold the time a row of L against that of M."""

    def seconds(rounds: Rounds) -> float | None:
        return middle(rounds, lambda one: ratio(pick(one, NIGHT), pick(one, NIGHT), "wall_s", "rows"))

    first, second = seconds(small), seconds(large)
    if first and second:
        yield from _at_most("L, 2 %: time a row, against M", second / first, MOST_PER_ROW, "x")


def of_apply(rounds: Rounds) -> Iterator[Check]:
    """Hold the apply stage against its aims."""
    ours = [one for results in rounds for one in results if one["who"] == PRODUCT]
    if not ours:
        return
    largest = max(size for one in ours for size in one["files"])
    rows = ours[0]["rows"]
    what = f"apply, {rows:,} creates: largest file"
    yield Check(what, f"{largest:,} bytes", f"below {LARGEST:,}", largest < LARGEST)
    for peer in sorted({one["who"] for results in rounds for one in results} - {PRODUCT}):
        times = middle(rounds, partial(_between, peer=peer, figure="stage_s"))
        memory = middle(rounds, partial(_between, peer=peer, figure="peak_mib"))
        yield from _at_least(f"apply: times faster than {peer}", times, 1.0, "x")
        yield from _at_least(f"apply: {peer}'s peak against ours", memory, 1.0, "x")


def _between(results: Sequence[Result], peer: str, figure: str) -> float | None:
    by_name: dict[str, Any] = {one["who"]: one for one in results}
    return ratio(by_name.get(peer), by_name.get(PRODUCT), figure)
