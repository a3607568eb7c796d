"""The lock that keeps two runs on one state folder apart; it never waits."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path

from filelock import FileLock, Timeout

from etl.clock import Clock
from etl.errors import LockHeld
from etl.state.disk import disk, private_file, private_folder


@contextmanager
def lock(state_dir: Path, *, run_id: str = "", clock: Clock | None = None) -> Iterator[None]:
    """Hold the state folder for one run; raises LockHeld at once when another run has it.

    The kernel lets go when a run dies, so a lock file that was left behind holds nobody up.
    """
    holder = state_dir / "lock.json"
    guard = FileLock(str(state_dir / "lock"), timeout=0, mode=0o600)
    with disk(state_dir):
        private_folder(state_dir)
        try:
            guard.acquire()
        except Timeout as error:
            raise LockHeld(
                f"another run holds {state_dir}{_holder(holder)}; nothing was written; run again once it has ended"
            ) from error
    try:
        facts = {"pid": os.getpid(), "host": socket.gethostname(), "run_id": run_id}
        since = f"{(clock or Clock()).now().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        with disk(holder), private_file(holder, os.O_WRONLY | os.O_TRUNC) as file:
            file.write(json.dumps({**facts, "since": since}).encode())
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        guard.release()


def _holder(path: Path) -> str:
    """Say who holds the lock, as far as that was written down."""
    try:
        facts = json.loads(path.read_bytes())
        return f" (process {facts['pid']} on {facts['host']}, since {facts['since']}, run {facts['run_id'] or '-'})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
