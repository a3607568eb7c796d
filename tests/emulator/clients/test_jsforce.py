"""jsforce, a client this project did not write, works against the emulated Salesforce."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etl.emulator.salesforce import SalesforceApp, SalesforceOrg
from etl.emulator.server import Server

VERSION = "3.10.16"
CACHE = Path(__file__).parents[3] / ".cache" / "jsforce"
DRIVER = Path(__file__).with_name("jsforce_drive.mjs")


@pytest.fixture(scope="module")
def modules() -> Path:
    """Return the folder of an installed jsforce; without node, npm or registry the tests are skipped, loudly."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        _skip("node and npm are needed to try the emulator with jsforce")
    if not (CACHE / "node_modules" / "jsforce" / "package.json").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "package.json").write_text('{"name": "drive", "private": true}\n', encoding="utf-8")
        command = ["npm", "install", f"jsforce@{VERSION}", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            _skip(f"jsforce cannot be installed: {done.stderr[-300:]}")
    return CACHE


def _skip(reason: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn(f"NOT PROVEN: {reason}", stacklevel=2)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def org() -> Iterator[SalesforceOrg]:
    """Serve an org whose REST pages hold two rows."""
    made = SalesforceOrg()
    made.rest_page_rows = 2
    with Server(SalesforceApp(made), ledger=made.ledger) as server:
        made.url = server.url  # type: ignore[attr-defined]
        yield made
        assert server.errors == []


@pytest.fixture(scope="module")
def seen(modules: Path, org: SalesforceOrg) -> Any:
    """Return what jsforce saw in one drive."""
    sessions = org.sessions
    arguments = [str(modules), org.url, sessions.client_id, sessions.client_secret]  # type: ignore[attr-defined]
    bare = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    command = ["node", str(DRIVER), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=bare)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_upsert_with_a_failing_row(seen: Any) -> None:
    """Chunked upload, three result files, the failure with its code."""
    assert (seen["succeeded"], seen["unprocessed"]) == (5, 0)
    (error,) = seen["failed"]
    assert error.startswith("STRING_TOO_LONG:")


def test_a_job_is_adopted_by_its_id(seen: Any) -> None:
    """Another object attaches to the job and reads its results."""
    assert seen["adopted"] == [["false", "1:enrollment:0"]]


def test_a_query_in_one_page(seen: Any, org: SalesforceOrg) -> None:
    """All rows once, with every character."""
    found = {row["LU_Key__c"]: row for row in seen["found"]}
    assert len(seen["found"]) == 5
    assert found["1:enrollment:3"]["Course_Name__c"] == 'Å "3",\nend'
    assert float(found["1:enrollment:0"]["Score__c"]) == 90
    assert {row["LU_Key__c"] for row in org.rows("LearnUponContactEnrollment__c")} == set(found)


def test_queries_over_several_pages(seen: Any) -> None:
    """Bulk pages by locator until the text null, REST pages by nextRecordsUrl."""
    assert [len(page) for page in seen["pages"]] == [2, 2, 1]
    keys = [f"1:enrollment:{number}" for number in range(5)]
    assert sorted(row["LU_Key__c"] for page in seen["pages"] for row in page) == keys
    assert seen["rest"] == keys


def test_describe_is_understood(seen: Any, org: SalesforceOrg) -> None:
    """Every field arrives."""
    assert seen["fields"] == len(org.objects["LearnUponContactEnrollment__c"].fields)
