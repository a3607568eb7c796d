"""The `emulator` command without its command line: serve, print one JSON line, end at a signal; makes no world."""

from __future__ import annotations

import gc
import json
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

from etl.emulator.world import Emulators


def config_text(described: dict[str, Any], *, namespace: str, requests_per_minute: int, state_dir: str) -> str:
    """A complete configuration file for these emulators, in YAML (JSON strings are YAML strings)."""
    lines = ["portals:"]
    for portal in described["portals"]:
        pairs = [f"{key}: {_quoted(value)}" for key, value in portal.items()]
        lines += [f"  - {pairs[0]}", *(f"    {pair}" for pair in pairs[1:])]
        lines += [f"    requests_per_minute: {requests_per_minute}"]
    org = described["salesforce"]
    lines += ["salesforce:", "  auth: client_credentials"]
    lines += [f"  {key}: {_quoted(org[key])}" for key in ("login_url", "org_id", "client_id", "client_secret")]
    lines += [f"  namespace: {_quoted(namespace)}", "  poll_seconds: 0.05", f"state_dir: {_quoted(state_dir)}"]
    return "\n".join([*lines, ""])


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def write_config(emulators: Emulators, folder: Path) -> Path:
    """Write the configuration, readable by its owner only (0600); returns its path."""
    path = folder / "learnupon-sync.yaml"
    text = config_text(
        emulators.describe(),
        namespace=emulators.org.namespace,
        requests_per_minute=emulators.store.knobs.requests_per_minute * 9 // 10,  # a paced burst stays below it
        state_dir=str(folder / "var"),
    )
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path


def serve(**options: Any) -> int:
    """Serve until SIGINT or SIGTERM; `options` are those of `Emulators`. Returns the exit code 0.

    The only line on standard output is the JSON description, printed once both servers answer; the configuration
    file it names is removed at the end. Must be called in the main thread: it sets the two signal handlers and puts
    the former ones back.
    """
    with _Signals() as signals, _Folder() as folder, Emulators(**options) as emulators, _Lasting():
        signals.serving = True
        config = write_config(emulators, folder)
        sys.stdout.write(json.dumps(emulators.describe() | {"config": str(config)}) + "\n")
        sys.stdout.flush()
        sys.stderr.write("emulators are serving; stop them with Ctrl-C\n")
        while not signals.ended.wait(0.5):
            pass
    return 0


class _Folder:
    """A temporary folder that is removed even when files in it were left open or made by others."""

    def __enter__(self) -> Path:
        self.path = Path(tempfile.mkdtemp(prefix="learnupon-sync-emulator-"))
        return self.path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


class _Lasting:
    """Python's garbage collector leaves the world alone, and looks seldom: records stay, and form no cycles.

    Looking through all of them again and again cost a third of an ingest job's time.
    """

    def __enter__(self) -> None:
        self._former = gc.get_threshold()
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)

    def __exit__(self, *_: object) -> None:
        gc.set_threshold(*self._former)
        gc.unfreeze()


class _Signals:
    """SIGINT and SIGTERM while serving set an event; while the world is still being made they end the program."""

    def __enter__(self) -> Self:
        self.ended, self.serving = threading.Event(), False
        self._former = {one: signal.signal(one, self._take) for one in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for one, handler in self._former.items():
            signal.signal(one, handler)

    def _take(self, *_: object) -> None:
        self.ended.set()
        if not self.serving:
            raise SystemExit(0)
