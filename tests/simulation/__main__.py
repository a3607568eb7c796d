"""`python -m simulation`: plays stories by their seeds, one of them shrunk and told, or many of them summed up."""

from __future__ import annotations

import argparse
import sys
import time

from simulation.many import explain, many

_SHOWN = 5


def main() -> int:
    """Play what the command line asks for; 1 when anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this story, and shrink it when it fails")
    parser.add_argument("--stories", type=int, default=300, help="play so many stories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--sockets", action="store_true", help="over real sockets")
    asked = parser.parse_args()
    if asked.seed is not None:
        words = explain(asked.seed, sockets=asked.sockets)
        sys.stdout.write(words + "\n")
        return "nothing is violated" not in words
    begun = time.monotonic()
    total = many(range(asked.first, asked.first + asked.stories), processes=asked.processes, sockets=asked.sockets)
    way = "over real sockets" if asked.sockets else "in simulation"
    sys.stdout.write(f"{way}, {time.monotonic() - begun:,.0f} s:\n" + "\n".join(total.table()) + "\n")
    for seed, what in list(total.failed.items())[:_SHOWN]:
        sys.stdout.write(f"\nseed {seed}: {what[:600]}\n{explain(seed, sockets=asked.sockets)}\n")
    return bool(total.failed)


if __name__ == "__main__":
    sys.exit(main())
