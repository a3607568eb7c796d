"""`python -m bench.servers`: a portal and an org of the benchmark, each in a process of its own, until a signal.

    PYTHONPATH=tests .venv/bin/python -m bench.servers --size M [--odd half|many|one] [--first-load] [--latency 50]

prints one line of JSON like `learnupon-sync emulator`: portals, salesforce, and `config`, the path of a configuration
file that works as it is; also the process ids, to measure what the servers use. Salesforce holds yesterday. LearnUpon
lists yesterday, until `curl -d '{"day": "today"}' {portal}/__day` lets the night happen. `curl -X POST {org}/__reset`
puts Salesforce back; `{origin}/__calls` lists calls (DELETE empties the list) with bytes in and out; `/__latency` with
`{"ms": 50}` makes every answer of that server wait.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.servers import processes
from bench.servers.org import CLIENT_ID, CLIENT_SECRET, ORG_ID, TOKEN
from bench.servers.portal import PASSWORD, USERNAME
from bench.servers.shape import ODD, PORTAL_ID, Shape

SIZES = {"S": 100_000, "M": 1_000_000, "L": 10_000_000}
CONFIG = """\
portals:
  - name: bench
    portal_id: {portal_id}
    title: Bench
    url: {portal}/bench
    username: {username}
    password: {password}
    requests_per_minute: 540000
salesforce:
  auth: client_credentials
  login_url: {org}
  org_id: {org_id}
  client_id: {client_id}
  client_secret: {client_secret}
  poll_seconds: 0.05
state_dir: {state}
"""


def main() -> int:
    """Start both servers, say where they are, and wait for a signal."""
    parser = argparse.ArgumentParser(prog="bench.servers", description=__doc__)
    parser.add_argument("--size", default="M", help="S, M, L, or a number of enrollments")
    parser.add_argument("--odd", choices=ODD, default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds before every answer")
    parser.add_argument("--first-load", action="store_true", help="Salesforce holds people and nothing else")
    given = parser.parse_args()
    shape = Shape(SIZES.get(given.size) or int(given.size), given.seed, given.odd)
    spawn = multiprocessing.get_context("spawn")
    started = []
    for target in (processes.portal, processes.org):
        ours, theirs = spawn.Pipe()
        process = spawn.Process(
            target=target, args=(shape, given.latency / 1000, given.first_load, theirs), daemon=True
        )
        process.start()
        started.append((process, ours))
    (portal, portal_url), (org, org_url) = [(process, pipe.recv()) for process, pipe in started]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="learnupon-sync-bench-") as folder:
        told = _told(portal_url, org_url, Path(folder))
        print(json.dumps(told | {"pids": {"portal": portal.pid, "org": org.pid}}), flush=True)  # noqa: T201
        with suppress(KeyboardInterrupt):
            portal.join()
        for process in (portal, org):
            process.terminate()
            process.join()
    return 0


def _told(portal: str, org: str, folder: Path) -> dict[str, Any]:
    config = folder / "learnupon-sync.yaml"
    facts = {"org_id": ORG_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    keys = {"username": USERNAME, "password": PASSWORD}
    config.write_text(
        CONFIG.format(portal=portal, org=org, portal_id=PORTAL_ID, state=folder / "var", **keys, **facts),
        encoding="utf-8",
    )
    told = {"name": "bench", "portal_id": PORTAL_ID, "title": "Bench", "url": f"{portal}/bench", **keys}
    return {
        "portals": [told],
        "salesforce": {"login_url": org, "access_token": TOKEN, **facts},
        "config": str(config),
    }


if __name__ == "__main__":
    sys.exit(main())
