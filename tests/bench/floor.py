"""The floor: the same bytes moved by a program that does nothing else. It shares no code with what it is held against.

Downloads are the program's own calls, taken from the emulators' lists, thrown away as they come; the upload is what
Salesforce says it was sent, put once more into jobs that are aborted afterwards. One curl process a side; where curl
is missing a plain http.client loop stands in, and the output says so.
"""

from __future__ import annotations

import base64
import csv
import http.client
import io
import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.world import World

JOBS = "/services/data/v67.0/jobs/ingest"


@dataclass(frozen=True)
class Transfer:
    """One request of the floor: a download, or the upload of a file."""

    url: str
    headers: tuple[str, ...]
    upload: Path | None = None


@dataclass(frozen=True)
class Floor:
    """What moving the bytes took: seconds in all, and the number of requests and bytes (as on the wire) each way."""

    wall_s: float
    requests: int
    bytes_in: int
    bytes_out: int


def measure(world: World, folder: Path) -> Floor:
    """Repeat what the last run of the program moved; call it before anything else is asked of the emulators."""
    reads = [*_pages(world), *_results(world)]
    writes = _uploads(world, folder)
    sides = [_side(reads, world.learnupon), _side(reads, world.salesforce), [transfer for transfer, _ in writes]]
    mover = _curl if shutil.which("curl") else _loop
    began = time.perf_counter()
    moved = [mover(side, folder) for side in sides if side]
    wall = time.perf_counter() - began
    for _, job in writes:
        world.bulk("PATCH", f"{JOBS}/{job}", {"state": "Aborted"})
    return Floor(wall, sum(map(len, sides)), sum(down for down, _ in moved), sum(up for _, up in moved))


def _side(transfers: list[Transfer], origin: str) -> list[Transfer]:
    return [transfer for transfer in transfers if transfer.url.startswith(origin + "/")]


def _pages(world: World) -> list[Transfer]:
    """LearnUpon's pages, each with its portal's key."""
    keys = {
        f"/{portal['name']}/": base64.b64encode(f"{portal['username']}:{portal['password']}".encode()).decode()
        for portal in world.described["portals"]
    }
    return [
        Transfer(world.learnupon + target, (f"Authorization: Basic {key}", "Accept-Encoding: gzip"))
        for target in world.targets(world.learnupon, "GET")
        for prefix, key in keys.items()
        if target.startswith(prefix)
    ]


def _results(world: World) -> list[Transfer]:
    """Pages of Bulk query results."""
    headers = (f"Authorization: Bearer {world.token()}", "Accept-Encoding: gzip")
    targets = world.targets(world.salesforce, "GET")
    return [Transfer(world.salesforce + t, headers) for t in targets if "/jobs/query/" in t and "/results" in t]


def _uploads(world: World, folder: Path) -> list[tuple[Transfer, str]]:
    """Uploads as they were: the rows that Salesforce reports back, in new jobs that wait for their file."""
    put = [t.split("/jobs/ingest/")[1].split("/")[0] for t in world.targets(world.salesforce, "PUT")]
    made = []
    for number, job in enumerate(put):
        path = folder / f"upload-{number}.csv"
        path.write_bytes(_sent(world, job))
        info = json.loads(world.bulk("GET", f"{JOBS}/{job}"))
        kept = {name: info[name] for name in ("object", "operation", "externalIdFieldName") if info.get(name)}
        fresh = json.loads(world.bulk("POST", JOBS, kept | {"contentType": "CSV", "lineEnding": "LF"}))["id"]
        headers = (f"Authorization: Bearer {world.token()}", "Content-Type: text/csv", "Expect:")
        made.append((Transfer(f"{world.salesforce}{JOBS}/{fresh}/batches", headers, path), str(fresh)))
    return made


def _sent(world: World, job: str) -> bytes:
    """Return the rows of a job, without the two columns that the results put in front."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for number, kind in enumerate(("successfulResults", "failedResults")):
        rows = list(csv.reader(io.StringIO(world.bulk("GET", f"{JOBS}/{job}/{kind}").decode(), newline="")))
        writer.writerows(row[2:] for row in rows[min(number, 1) :])
    return out.getvalue().encode()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _curl(transfers: list[Transfer], folder: Path) -> tuple[int, int]:
    """Move everything by one curl process; returns bytes down and up."""
    sections = []
    for transfer in transfers:
        lines = [f"url = {_quoted(transfer.url)}", 'output = "/dev/null"', "globoff", "silent", "fail"]
        lines += [f"header = {_quoted(header)}" for header in transfer.headers]
        lines += [f"upload-file = {_quoted(str(transfer.upload))}"] if transfer.upload else []
        sections.append("\n".join([*lines, 'write-out = "%{http_code} %{size_download} %{size_upload}\\n"']))
    config = folder / "curl.config"
    config.touch(mode=0o600)
    config.write_text("\nnext\n".join(sections) + "\n", encoding="utf-8")
    done = subprocess.run(["curl", "--disable", "--config", str(config)], capture_output=True, text=True, check=False)
    answers = [line.split() for line in done.stdout.splitlines()]
    bad = [code for code, *_ in answers if not code.startswith("2")]
    if done.returncode or bad or len(answers) != len(transfers):
        raise SystemExit(f"bench: the floor is not what the program moved: curl ended {done.returncode}, {bad[:3]}")
    return sum(int(down) for _, down, _ in answers), sum(int(up) for *_, up in answers)


def _loop(transfers: list[Transfer], _: Path) -> tuple[int, int]:
    """Stand in for curl: one kept connection, bodies read in pieces and dropped."""
    connection = http.client.HTTPConnection(urlsplit(transfers[0].url).netloc, timeout=300)
    down = up = 0
    for transfer in transfers:
        headers = dict(header.split(": ", 1) for header in transfer.headers if ": " in header)
        body = transfer.upload.read_bytes() if transfer.upload else None
        target = transfer.url.removeprefix(f"http://{urlsplit(transfer.url).netloc}")
        connection.request("PUT" if body is not None else "GET", target, body, headers)
        answer = connection.getresponse()
        if not 200 <= answer.status < 300:
            raise SystemExit(f"bench: the floor is not what the program moved: {answer.status} for {target[:80]}")
        while piece := answer.read(65536):
            down += len(piece)
        up += len(body or b"")
    connection.close()
    return down, up
