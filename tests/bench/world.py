"""The emulators in a process of their own, reached over HTTP as anybody would; it measures nothing."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
REQUESTS_PER_MINUTE = 600_000
"""No pacing: the program's own speed is measured, not LearnUpon's limit (300 a minute in real life)."""


class World:
    """`python -m etl.emulator` as a process: started on entering, ended on leaving."""

    def __init__(self, learners: int, enrollments_per_learner: int, seed: int) -> None:
        """Remember how large a world is wanted; nothing is started yet."""
        self._options = {
            "learners": learners,
            "enrollments-per-learner": enrollments_per_learner,
            "seed": seed,
            "requests-per-minute": REQUESTS_PER_MINUTE,
        }

    def __enter__(self) -> Self:
        """Start the process and wait for its one line of JSON."""
        options = [word for name, value in self._options.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, "-m", "etl.emulator", *options]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise SystemExit(f"bench: the emulators did not start: {' '.join(command[2:])}")
        self.described: dict[str, Any] = json.loads(line)
        self.config = Path(self.described["config"])
        _read_in_full(self.config)
        self.learnupon = _origin(self.described["portals"][0]["url"])
        self.salesforce = _origin(self.described["salesforce"]["login_url"])
        self._token = ""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process; it is killed if it does not end by itself."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def cpu_s(self) -> float:
        """Return the CPU seconds the emulators have used so far; nan where the system keeps no /proc."""
        try:
            words = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return float("nan")
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def forget_calls(self) -> None:
        """Empty both servers' lists of calls."""
        for origin in (self.learnupon, self.salesforce):
            self.ask(origin, "DELETE", "/__calls")

    def targets(self, origin: str, method: str) -> list[str]:
        """Return the targets of the successful calls of one method since the lists were emptied."""
        calls = self.ask(origin, "GET", "/__calls")
        return [call["target"] for call in calls if call["method"] == method and 200 <= call["status"] < 300]

    def night(self, seed: int) -> dict[str, int]:
        """Let a night of changes happen; returns how many of each kind."""
        counts: dict[str, int] = self.ask(self.learnupon, "POST", "/__tick", {"name": "night", "seed": seed})
        return counts

    def token(self) -> str:
        """Return a Salesforce session of the harness's own, so that the program's session is left alone."""
        if not self._token:
            form = "grant_type=client_credentials&client_id={client_id}&client_secret={client_secret}"
            body = form.format(**self.described["salesforce"]).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = json.loads(self.raw(self.salesforce, "POST", "/services/oauth2/token", body, headers))
            self._token = answer["access_token"]
        return self._token

    def bulk(self, method: str, path: str, value: Any = None) -> bytes:
        """Speak to Salesforce's Bulk API with a session; returns the answer's body."""
        headers = {"Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"}
        body = None if value is None else json.dumps(value).encode()
        return self.raw(self.salesforce, method, path, body, headers)

    def ask(self, origin: str, method: str, path: str, value: Any = None) -> Any:
        """Speak to the emulators' back door; returns the decoded answer."""
        return json.loads(self.raw(origin, method, path, None if value is None else json.dumps(value).encode(), {}))

    def raw(self, origin: str, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        """Make one call; any answer but a 2xx ends the benchmark, since nothing measured after it would count."""
        connection = http.client.HTTPConnection(urlsplit(origin).netloc, timeout=300)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            read = answer.read()
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise SystemExit(f"bench: {method} {path.partition('?')[0]} answered {answer.status}: {read[:200]!r}")
        return read


def _read_in_full(config: Path) -> None:
    """Let every run read all rows of Salesforce: the floor is that of a full read."""
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("salesforce:\n", "salesforce:\n  full_read_days: 0\n", 1), encoding="utf-8")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
