"""Starts several runs at the same moment, as forks of one warm process: `python starter.py`, JSON on both sides.

Each line of standard input is an order: a list of `{"argv", "words", "after_s"}`, one for each run. All forks wait for
one signal, then each for its `after_s`. The answer is the list of exit codes, in the same order.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import etl.commands.run  # noqa: F401 - the forks find it warm
from etl.__main__ import main as program


def main() -> None:
    """Answer orders until standard input ends."""
    for line in sys.stdin:
        gate, opener = os.pipe()
        children = [_fork(order, gate, opener) for order in json.loads(line)]
        os.close(gate)
        os.close(opener)  # the end of the pipe is the signal
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps(codes) + "\n")
        sys.stdout.flush()


def _fork(order: dict[str, Any], gate: int, opener: int) -> int:
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.close(opener)
        words = os.open(order["words"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(words, 1)
        os.dup2(words, 2)
        os.read(gate, 1)
        time.sleep(order["after_s"])
        code = program(order["argv"], {})
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
