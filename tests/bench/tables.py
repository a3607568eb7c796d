"""The figures as Markdown: a table a world, medians of the rounds, and the aims with what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from bench.cases import Result
from bench.judge import Check, Rounds, latency_floors, pick

_HEAD = (
    "night",
    "latency",
    "program",
    "wall s",
    "CPU s",
    "peak MiB",
    "rows/s",
    "changed",
    "calls LearnUpon",
    "calls Salesforce",
    "MB in",
    "MB out",
    "times the floor",
)
_APPLY = ("program", "stage s", "stage CPU s", "whole s", "peak MiB", "files", "largest file")


def document(kept: Mapping[str, Mapping[str, Any]], checks: Sequence[Check]) -> str:
    """Return everything that is known: `kept` are the files of results by name."""
    parts = ["# What `make bench` measured", ""]
    for name, facts in kept.items():
        told = f"{facts['when']}, `{facts['command']}`, {facts['machine']}; medians of {len(facts['rounds'])} rounds"
        parts += [f"## {facts['title']}", "", f"{told}{facts.get('limit', '')}.", ""]
        parts += [*(_applied(facts["rounds"]) if name == "apply" else _nights(facts["rounds"])), ""]
    return "\n".join([*parts, "## Aims", "", *aims(checks), ""])


def aims(checks: Sequence[Check]) -> Iterator[str]:
    """Give the aims as a table."""
    yield from _table(("aim", "found", "asked for", ""), [_cells(check) for check in checks], right=(1, 2))


def _cells(check: Check) -> list[str]:
    return [check.what, check.found, check.aim, "PASS" if check.met else "FAIL"]


def _nights(rounds: Rounds) -> Iterator[str]:
    steps = dict.fromkeys((one["night"], one["who"], one["latency_ms"]) for results in rounds for one in results)
    rows = []
    for step in steps:
        found = [one for results in rounds if (one := pick(results, *step)) is not None]
        rows.append(_night(found, [results for results in rounds if pick(results, *step)]))
    yield from _table(_HEAD, rows, right=range(3, len(_HEAD)))


def _night(found: Sequence[Result], rounds: Rounds) -> list[str]:
    one = found[-1]
    changed = sum(sum(counts.values()) for counts in one["changed"].values())
    wall = middle(found, "wall_s")
    return [
        one["night"],
        f"{one['latency_ms']} ms",
        one["who"],
        f"{wall:.1f}",
        f"{middle(found, 'cpu_s'):.1f}",
        f"{middle(found, 'peak_mib'):,.0f}",
        f"{one['rows'] / wall:,.0f}",
        f"{changed:,}",
        f"{one['calls_learnupon']:,}",
        f"{one['calls_salesforce']:,}",
        f"{(one['bytes_learnupon'] + one['bytes_salesforce']) / 1e6:,.1f}",
        f"{one['bytes_sent'] / 1e6:,.1f}",
        _times(one, rounds),
    ]


def _times(one: Result, rounds: Rounds) -> str:
    """Return how many times the floor a step took: that of curl, measured in the same round, or that of waiting."""
    if one["latency_ms"]:
        return f"{median([latency_floors(results, one['night']) or 0 for results in rounds]):.2f}x of waiting"
    floors = [next((other["floor_s"] for other in results if "floor_s" in other), None) for results in rounds]
    step = (one["night"], one["who"], one["latency_ms"])
    ratios = [
        found["wall_s"] / least
        for results, least in zip(rounds, floors, strict=True)
        if least and (found := pick(results, *step))
    ]
    return f"{median(ratios):.1f}x" if ratios else ""


def middle(found: Sequence[Result], name: str) -> float:
    """Return the median of a figure."""
    return float(median(one[name] for one in found))


def _applied(rounds: Rounds) -> Iterator[str]:
    rows = []
    for who in dict.fromkeys(one["who"] for results in rounds for one in results):
        found = [one for results in rounds for one in results if one["who"] == who]
        files = found[-1]["files"]
        figures = [f"{middle(found, name):.1f}" for name in ("stage_s", "stage_cpu_s", "wall_s")]
        rows.append([who, *figures, f"{middle(found, 'peak_mib'):,.0f}", str(len(files)), f"{max(files):,}"])
    yield from _table(_APPLY, rows, right=range(1, len(_APPLY)))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "|".join("--:" if place in right else "---" for place in range(len(head))) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"
