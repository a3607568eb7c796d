"""The floor: the bytes that the job must move, moved by curl, which does nothing else with them.

These are LearnUpon's pages, the results of the queries that were asked before the first upload, and the uploads; what
the program read back or looked at besides is not part of it. One curl process a side, each over one connection.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.world import World

_JOBS = "/services/data/v67.0/jobs/ingest"


@dataclass(frozen=True)
class Floor:
    """What moving the bytes took: seconds in all, requests, and bytes each way."""

    wall_s: float
    requests: int
    bytes_in: int
    bytes_out: int


def measure(world: World, folder: Path) -> Floor:
    """Repeat what the last program moved; call it before anything else is asked of the servers."""
    if not shutil.which("curl"):
        raise SystemExit("bench: curl is missing, and it is what the floor is measured with")
    portal = world.described["portals"][0]
    key = base64.b64encode(f"{portal['username']}:{portal['password']}".encode()).decode()
    pages = [
        call["target"]
        for call in world.calls(world.portal)
        if "/search?" in call["target"] or "page=" in call["target"]
    ]
    sides = [[_section(f"{world.portal}{page}", f"Authorization: Basic {key}") for page in pages]]
    token = f"Authorization: Bearer {world.described['salesforce']['access_token']}"
    results, uploads = needed(world.calls(world.org))
    sides.append([_section(f"{world.org}{target}", token) for target in results])
    sides.append([_upload(world, folder, number, size, token) for number, size in enumerate(uploads)])
    began = time.perf_counter()
    moved = [_curl(side, folder) for side in sides if side]
    wall = time.perf_counter() - began
    return Floor(wall, sum(map(len, sides)), sum(down for down, _ in moved), sum(up for _, up in moved))


def needed(calls: list[dict[str, Any]]) -> tuple[list[str], list[int]]:
    """Return the targets of query results before the first upload, and the sizes of all uploads."""
    results, uploads = [], []
    for call in calls:
        if call["method"] == "PUT":
            uploads.append(call["in"])
        elif "/jobs/query/" in call["target"] and "/results" in call["target"] and not uploads:
            results.append(call["target"])
    return results, uploads


def _upload(world: World, folder: Path, number: int, size: int, token: str) -> str:
    """Prepare an upload of so many bytes into a job of its own, which is never closed."""
    path = folder / f"upload-{number}.csv"
    path.write_bytes(b"x" * size)
    job = {"object": "Contact", "operation": "update", "contentType": "CSV"}
    made = json.loads(world.raw(world.org, "POST", _JOBS, job))["id"]
    return _section(f"{world.org}{_JOBS}/{made}/batches", token, "Content-Type: text/csv", "Expect:", upload=path)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _section(url: str, *headers: str, upload: Path | None = None) -> str:
    lines = [f"url = {_quoted(url)}", 'output = "/dev/null"', "globoff", "silent", "fail"]
    lines += [f"header = {_quoted(header)}" for header in headers]
    lines += [f"upload-file = {_quoted(str(upload))}"] if upload else []
    return "\n".join([*lines, 'write-out = "%{http_code} %{size_download} %{size_upload}\\n"'])


def _curl(sections: list[str], folder: Path) -> tuple[int, int]:
    """Move everything by one curl process; returns bytes down and up."""
    config = folder / "curl.config"
    config.write_text("\nnext\n".join(sections) + "\n", encoding="utf-8")
    done = subprocess.run(["curl", "--disable", "--config", str(config)], capture_output=True, text=True, check=False)
    answers = [line.split() for line in done.stdout.splitlines()]
    bad = [code for code, *_ in answers if not code.startswith("2")]
    if done.returncode or bad or len(answers) != len(sections):
        raise SystemExit(f"bench: the floor is not what the program moved: curl ended {done.returncode}, {bad[:3]}")
    return sum(int(down) for _, down, _ in answers), sum(int(up) for *_, up in answers)
