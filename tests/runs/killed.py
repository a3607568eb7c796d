"""Runs the program in forks of one warm process and kills it at a chosen step: `python killed.py`, JSON on both sides.

A step is what leaves the process: a request (each part that is sent), a connection, a file of ours opened for writing,
renamed, removed, a folder made. The kill comes just before the step, by SIGKILL: nothing is tidied up. Each line of
standard input is an order `{"argv", "folder", "die_at"}`; the answer is `{"code", "steps"}` with one name a step.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from etl.__main__ import main as program

_FILES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}


def main() -> None:
    """Answer orders until standard input ends."""
    importlib.import_module("etl.commands.run")  # the forks find it warm
    for line in sys.stdin:
        order = json.loads(line)
        steps = Path(order["folder"]) / "steps.txt"
        steps.unlink(missing_ok=True)
        child = os.fork()
        if not child:
            _live(order, steps)
        _, status = os.waitpid(child, 0)
        names = steps.read_text().splitlines() if steps.exists() else []
        answer = {"code": os.waitstatus_to_exitcode(status), "steps": names}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _live(order: dict[str, Any], steps: Path) -> None:
    """Run the program in this fork, and end it without the parent's clean-up."""
    code = 70
    try:
        words = os.open(steps.with_name("words.txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(words, 1)
        os.dup2(words, 2)
        counted = os.open(steps, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        _watch(order["die_at"], counted, order["state"])
        code = program(order["argv"], {})
    finally:
        os._exit(code)


def _watch(die_at: int | None, counted: int, state: str) -> None:
    numbers = itertools.count(1)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        name = _step(event, args, state)
        if not name:
            return
        if next(numbers) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(counted, name.encode() + b"\n")

    sys.addaudithook(hook)


def _step(event: str, args: tuple[Any, ...], state: str) -> str:
    """Return the name of a step, nothing for what is none."""
    if event == "http.client.send":
        head = bytes(args[1][:200]) if isinstance(args[1], (bytes, bytearray, memoryview)) else b"..."
        return "send " + head.split(b"\r\n")[0].split(b"?")[0][:90].decode("ascii", "replace").replace("\n", " ")
    if event == "socket.connect":
        return "connect"
    if event == "open":
        writes = isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return f"write {_under(args[0], state)}" if writes and _under(args[0], state) else ""
    return f"{event} {_under(args[0], state)}" if event in _FILES and _under(args[0], state) else ""


def _under(path: Any, state: str) -> str:
    text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
    return text.removeprefix(state) if text.startswith(state) else ""


if __name__ == "__main__":
    main()
