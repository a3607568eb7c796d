"""`python -m etl.emulator`: both emulators from the command line, without the product; all work is in serve."""

from __future__ import annotations

import argparse
import sys

from etl.emulator.serve import serve


def main(arguments: list[str] | None = None) -> int:
    """Parse the flags and serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m etl.emulator", description=__doc__)
    parser.add_argument("--learners", type=int, default=200, help="learners over all portals (0: empty portals)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same world")
    parser.add_argument("--port-learnupon", type=int, default=0, help="0: any free port")
    parser.add_argument("--port-salesforce", type=int, default=0, help="0: any free port")
    parser.add_argument("--enrollments-per-learner", type=int, default=10, help="on average")
    parser.add_argument("--portals", type=int, default=2, help="number of portals")
    parser.add_argument("--courses", type=int, default=None, help="course versions a portal")
    parser.add_argument("--paths", type=int, default=None, help="learning paths a portal")
    parser.add_argument("--namespace", default="", help="LearnUponP: the objects of LearnUpon's package")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="delay of every answer of both servers")
    parser.add_argument("--requests-per-minute", type=int, default=6000, help="LearnUpon's limit a portal")
    return serve(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
