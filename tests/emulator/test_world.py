"""Both emulators together: the world behind one door, and the program that serves it."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from etl.emulator.serve import config_text
from etl.emulator.world import Emulators


@pytest.fixture(scope="module")
def world() -> Iterator[Emulators]:
    """Both emulators with a few learners."""
    with Emulators(learners=40, seed=2) as made:
        yield made
        assert made.learnupon.errors == []
        assert made.salesforce.errors == []


def users(portal: dict[str, Any]) -> requests.Response:
    """First page of a portal's users, as `describe` says how to get there."""
    auth = (portal["username"], portal["password"])
    return requests.get(f"{portal['url']}/api/v1/users", auth=auth, timeout=10)


def token(salesforce: dict[str, Any]) -> str:
    """A token by client credentials."""
    form = {key: salesforce[key] for key in ("client_id", "client_secret")} | {"grant_type": "client_credentials"}
    answer = requests.post(f"{salesforce['login_url']}/services/oauth2/token", data=form, timeout=10)
    return str(answer.json()["access_token"])


def test_the_description_opens_both_doors(world: Emulators) -> None:
    """Addresses and credentials of `describe` work; tokens have Salesforce's form."""
    told = world.describe()
    assert [portal["name"] for portal in told["portals"]] == ["academy", "partners"]
    assert all(users(portal).status_code == 200 for portal in told["portals"])
    assert token(told["salesforce"]).startswith(f"{told['salesforce']['org_id']}!")
    assert told["salesforce"]["access_token"].startswith(f"{told['salesforce']['org_id']}!")


def test_the_ledger_starts_empty(world: Emulators) -> None:
    """What was there before the first client came is no effect."""
    assert world.ledger.entries == []
    assert world.org.rows("Contact")


def test_a_night_over_http(world: Emulators) -> None:
    """A test in another process can let a night pass."""
    answer = requests.post(f"{world.learnupon.url}/__tick", json={"name": "night", "seed": 4}, timeout=10)
    assert answer.status_code == 200
    assert answer.json()["enrolled"] > 0


def test_an_empty_world_has_portals_and_no_rows() -> None:
    """With 0 learners tests build their own rows."""
    made = Emulators(learners=0)
    try:
        assert [len(portal.users) for portal in made.store.portals.values()] == [0, 0]
        assert made.org.rows("Contact") == []
    finally:
        made.stop()


def test_latency_delays_every_answer() -> None:
    """`latency_ms` is for benchmarks: both servers take at least that long."""
    with Emulators(learners=0, latency_ms=60) as made:
        for url in (made.learnupon.url, made.salesforce.url):
            start = time.perf_counter()
            requests.get(f"{url}/nothing", timeout=10)
            assert time.perf_counter() - start >= 0.06


def test_the_limit_of_requests_can_be_set() -> None:
    """`requests_per_minute` is the limit of every portal."""
    with Emulators(learners=0, requests_per_minute=1) as made:
        portal = made.describe()["portals"][0]
        assert [users(portal).status_code for _ in range(2)] == [200, 429]


def test_a_port_that_is_taken_is_an_error_and_frees_the_other() -> None:
    """When one server cannot bind, the other does not keep its port."""
    with socket.socket() as taken, socket.socket() as probe:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
        probe.close()
        with pytest.raises(OSError, match="in use"):
            Emulators(learners=0, port_learnupon=free, port_salesforce=taken.getsockname()[1])
        with socket.socket() as again:
            again.bind(("127.0.0.1", free))


def test_the_configuration_is_yaml_whatever_the_texts_are() -> None:
    """Texts with quotes, colons and line ends are still one value each."""
    title = 'A: "b" # c\n- d \U0001f525'
    portal = {
        "name": "x",
        "portal_id": 1,
        "title": title,
        "url": "http://127.0.0.1:1/x",
        "username": "u",
        "password": ": ",
    }
    org = {
        "login_url": "http://127.0.0.1:2",
        "org_id": "00D",
        "client_id": "c",
        "client_secret": "s",
        "access_token": "t",
    }
    text = config_text(
        {"portals": [portal], "salesforce": org}, namespace="", requests_per_minute=60, state_dir="/nowhere"
    )
    told = yaml.safe_load(text)
    assert told["portals"] == [portal | {"requests_per_minute": 60}]
    assert told["salesforce"]["poll_seconds"] == 0.05


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_program_serves_until_it_is_told_to_stop(ending: signal.Signals) -> None:
    """One JSON line once both answer; ends with 0 within 10 s of a signal, taking the configuration file along."""
    command = [sys.executable, "-m", "etl.emulator", "--learners", "30", "--seed", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            told = json.loads(program.stdout.readline())
            assert users(told["portals"][0]).status_code == 200
            assert token(told["salesforce"])
            config = Path(told["config"])
            assert stat.S_IMODE(config.stat().st_mode) == 0o600
            settings = yaml.safe_load(config.read_text(encoding="utf-8"))
            assert settings["portals"][0]["url"] == told["portals"][0]["url"]
            program.send_signal(ending)
            assert program.wait(10) == 0
        finally:
            program.kill()
        assert program.stdout.read() == ""
        assert not config.parent.exists()
