"""Starts several runs at the same moment, as forks of one warm process: `python starter.py`, JSON on both sides.

Each line of standard input is an order: a list of `{"argv", "words", "after_s"}`, one for each run. All forks wait for
one signal, then each for its `after_s`. The answer is a list of `{"code", "began", "ended"}` in the same order, the
times in seconds since the signal; a run begins when its `after_s` is over.
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
        orders = json.loads(line)
        children = [_fork(order, gate, opener) for order in orders]
        os.close(gate)
        os.close(opener)  # the end of the pipe is the signal
        signal = time.monotonic()
        found = {}
        for _ in children:  # in the order in which they end
            child, status = os.wait()
            found[child] = {"code": os.waitstatus_to_exitcode(status), "ended": time.monotonic() - signal}
        answer = [{**found[child], "began": order["after_s"]} for child, order in zip(children, orders, strict=True)]
        sys.stdout.write(json.dumps(answer) + "\n")
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
