"""The figures as a picture: seconds a million rows, and memory, of everybody at every size; it needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from bench.cases import DUCK, NAIVE, NIGHT, PRODUCT
from bench.judge import MOST_MIB, Rounds, middle, pick
from matplotlib import pyplot as plt

_COLOURS = {PRODUCT: "#1b6ca8", DUCK: "#e0a030", NAIVE: "#b04a4a", "floor": "#888888"}


def draw(kept: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw the night of changes of all sizes that were measured; nothing when none was."""
    sizes = [name for name in ("S", "M", "L") if name in kept]
    if not sizes:
        return
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9}
    figure, (seconds, memory) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    width = 0.2
    for place, who in enumerate(_COLOURS):
        bars = {
            at: found for at, size in enumerate(sizes) if (found := _figures(kept[size]["rounds"], who)) is not None
        }
        spots = [at + (place - 1.5) * width for at in bars]
        shown = seconds.bar(spots, [one[0] for one in bars.values()], width, color=_COLOURS[who], label=who)
        seconds.bar_label(shown, fmt="%.1f", fontsize=7)
        if who != "floor":
            shown = memory.bar(spots, [one[1] for one in bars.values()], width, color=_COLOURS[who], label=who)
            memory.bar_label(shown, fmt="%.0f", fontsize=7)
    memory.axhline(MOST_MIB, color="#444444", linewidth=0.8, linestyle="--")
    for axes, title in ((seconds, "seconds a million enrollments (2 % changed)"), (memory, "peak MiB, all processes")):
        axes.set_title(title, fontsize=10)
        axes.set_yscale("log")
        axes.set_xticks(range(len(sizes)), [f"{size}: {kept[size]['rows']:,}" for size in sizes])
        axes.spines[["top", "right"]].set_visible(False)
    seconds.legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _figures(rounds: Rounds, who: str) -> tuple[float, float] | None:
    """Return seconds a million rows and peak MiB; None when they were not measured."""
    runner, figure = (PRODUCT, "floor_s") if who == "floor" else (who, "wall_s")

    def per_million(results: Any) -> float | None:
        one = pick(results, NIGHT, runner)
        return one[figure] / one["rows"] * 1e6 if one and figure in one else None

    def peak(results: Any) -> float | None:
        one = pick(results, NIGHT, runner)
        return one["peak_mib"] if one else None

    found, memory = middle(rounds, per_million), middle(rounds, peak)
    return None if found is None or memory is None else (found, memory)
