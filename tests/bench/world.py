"""The benchmark's servers as a process, reached over HTTP as anybody would; it measures nothing."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from bench.measure import ROOT, cpu_s


class World:
    """`python -m bench.servers` as a process: started on entering, ended on leaving."""

    def __init__(self, size: str, *, odd: str = "", seed: int = 1, first_load: bool = False) -> None:
        """Remember which world is wanted; nothing is started yet."""
        self._options = ["--size", size, "--seed", str(seed)]
        self._options += ["--odd", odd] if odd else []
        self._options += ["--first-load"] if first_load else []

    def __enter__(self) -> Self:
        """Start the servers and wait for their one line of JSON."""
        command = [sys.executable, "-m", "bench.servers", *self._options]
        environ = {"PYTHONPATH": str(ROOT / "tests"), "PATH": "/usr/bin:/bin"}
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environ)
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit(f"bench: the servers did not start: {' '.join(command[2:])}")
        self.described: dict[str, Any] = json.loads(line)
        self.config = Path(self.described["config"])
        self.folder = self.config.parent
        """A scratch folder that goes with the servers."""
        self.told = self.folder / "servers.json"
        self.told.write_text(line, encoding="utf-8")
        self.portal = self.described["portals"][0]["url"].removesuffix("/bench")
        self.org = self.described["salesforce"]["login_url"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the servers; they are killed if they do not end by themselves."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def cpu_s(self) -> float:
        """Return the CPU seconds both servers have used so far."""
        return sum(cpu_s(pid) for pid in self.described["pids"].values())

    def begin(self, day: str, latency_ms: float = 0.0) -> None:
        """Put Salesforce back to yesterday, let LearnUpon list a day, and empty both lists of calls."""
        self.raw(self.org, "POST", "/__reset")
        self.turn(day, latency_ms)

    def turn(self, day: str, latency_ms: float = 0.0) -> None:
        """Let LearnUpon list a day, leave Salesforce as it is, and empty both lists of calls."""
        self.raw(self.portal, "POST", "/__day", {"day": day})
        for origin in (self.portal, self.org):
            self.raw(origin, "POST", "/__latency", {"ms": latency_ms})
            self.raw(origin, "DELETE", "/__calls")

    def calls(self, origin: str) -> list[dict[str, Any]]:
        """Return the calls of a server since the lists were emptied: method, target, status, bytes out and in."""
        found: list[dict[str, Any]] = json.loads(self.raw(origin, "GET", "/__calls"))
        return found

    def raw(self, origin: str, method: str, path: str, value: Any = None) -> bytes:
        """Make one call; any answer but a 2xx ends the benchmark, since nothing measured after it would count."""
        connection = http.client.HTTPConnection(urlsplit(origin).netloc, timeout=300)
        headers = {"Authorization": f"Bearer {self.described['salesforce']['access_token']}"}
        try:
            connection.request(method, path, None if value is None else json.dumps(value).encode(), headers)
            answer = connection.getresponse()
            read = answer.read()
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise SystemExit(f"bench: {method} {path.partition('?')[0]} answered {answer.status}: {read[:200]!r}")
        return read
