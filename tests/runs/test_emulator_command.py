"""`learnupon-sync emulator` as a process: what it says, that its configuration works as it is, and how it ends."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).parents[2]
SERVE = [sys.executable, "-m", "etl", "emulator", "--learners", "12", "--seed", "7"]
PORTAL = {"name", "portal_id", "title", "url", "username", "password"}
SALESFORCE = {"login_url", "org_id", "client_id", "client_secret", "access_token"}
_ENDS_WITHIN_S = 10


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Start the command and give the process and its one line; the process is ended whatever happens."""
    command = [*SERVE, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the program as a process of its own and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "etl", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_its_configuration_works_as_it_is() -> None:
    """One JSON line with exactly the documented keys; `run` with the file it names loads both portals."""
    with serving() as (process, told):
        assert set(told) == {"portals", "salesforce", "config"}
        assert {frozenset(portal) for portal in told["portals"]} == {frozenset(PORTAL)}
        assert set(told["salesforce"]) == SALESFORCE
        assert told["salesforce"]["access_token"].startswith(told["salesforce"]["org_id"] + "!")
        config = Path(told["config"])
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        portal = told["portals"][0]
        key = (portal["username"], portal["password"])
        assert requests.get(f"{portal['url']}/api/v1/users", auth=key, timeout=10).status_code == 200
        done = program("--config", str(config), "run", "--json")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert [one["name"] for one in report["portals"]] == [one["name"] for one in told["portals"]]
        assert sum(one["learners"] for one in report["portals"]) == 12
        assert sum(counts["created"] for counts in report["objects"].values()) > 0
        process.send_signal(signal.SIGTERM)
        assert process.wait(_ENDS_WITHIN_S) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""
        assert not config.exists(), "the run's history lay beside it and goes too"
        assert not config.parent.exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_while_a_client_stays_connected(signum: signal.Signals) -> None:
    """A client that keeps its connection open does not keep the emulators: exit 0 in time, configuration removed."""
    with serving("--port-salesforce", "0") as (process, told), requests.Session() as client:
        org = told["salesforce"]
        bearer = {"Authorization": f"Bearer {org['access_token']}"}
        assert client.get(f"{org['login_url']}/services/data", headers=bearer, timeout=10).status_code == 200
        began = time.monotonic()
        process.send_signal(signum)
        assert process.wait(_ENDS_WITHIN_S) == 0
        assert time.monotonic() - began < _ENDS_WITHIN_S
        assert not Path(told["config"]).exists()


def test_a_port_that_is_taken_is_told() -> None:
    """A port in use is wrong usage: one line that names it, and nothing on standard output."""
    with serving() as (_, told):
        port = told["salesforce"]["login_url"].rpartition(":")[2]
        done = program("emulator", "--learners", "0", "--port-salesforce", port)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith(f"error: cannot serve on port {port}: ")
