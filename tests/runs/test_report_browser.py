"""The web page of a run in a real browser: it renders, asks nothing of the network, and shows hostile names as text."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from core import report_samples as samples

from etl.report.html import html
from etl.report.model import Report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="NO BROWSER: chromium is not installed, the page was not rendered")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)


def browse(folder: Path, report: Report, *flags: str) -> str:
    """Open the page of a report with a browser of its own and return what that prints."""
    page = folder / "report.html"
    page.write_text(html(report), encoding="utf-8")
    return open_page(folder, page, *flags)


def open_page(folder: Path, page: Path, *flags: str) -> str:
    """Open a page with an empty profile and a log of all network events; return what the browser prints."""
    own = (f"--user-data-dir={folder / 'profile'}", f"--log-net-log={folder / 'net.json'}")
    command = [str(CHROMIUM), *_FLAGS, *own, *flags, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def requested(folder: Path) -> list[str]:
    """Return the addresses with `example.com` in them that the browser asked for; its own errands are not ours."""
    log = json.loads((folder / "net.json").read_text(encoding="utf-8"))
    kinds = {number: name for name, number in log["constants"]["logEventTypes"].items()}
    starts = [event for event in log["events"] if kinds[event["type"]] == "URL_REQUEST_START_JOB"]
    return [url for event in starts if "example.com" in (url := event.get("params", {}).get("url", ""))]


def test_hostile_names_are_text_and_nothing_is_requested(tmp_path: Path) -> None:
    """Names made of markup show as they are, run nothing, load nothing; the net log has no host of theirs."""
    dom = browse(tmp_path, samples.named(samples.HOSTILE), "--dump-dom")
    assert "<script" not in dom
    assert "<img" not in dom
    assert dom.count("&lt;img src=https://evil.example.com/x.png onerror=alert(1)&gt;") >= 7
    assert requested(tmp_path) == []
    assert "evil.example.com" not in (tmp_path / "net.json").read_text(encoding="utf-8")


def test_the_log_would_have_shown_a_request(tmp_path: Path) -> None:
    """The check above can fail: a page that does load a picture is seen asking for it."""
    page = tmp_path / "report.html"
    page.write_text("<img src=http://127.0.0.1:9/evil.example.com.png>", encoding="utf-8")
    open_page(tmp_path, page, "--dump-dom")
    assert requested(tmp_path) == ["http://127.0.0.1:9/evil.example.com.png"]


@pytest.mark.parametrize(("width", "scheme"), [(1200, 1), (390, 0)], ids=["wide, light", "narrow, dark"])
def test_the_page_renders_in_any_width_and_scheme(tmp_path: Path, width: int, scheme: int) -> None:
    """A picture of the page comes out in the size asked for, and is not blank."""
    picture = tmp_path / "page.png"
    flags = (f"--window-size={width},900", f"--blink-settings=preferredColorScheme={scheme}")
    browse(tmp_path, samples.guarded(), *flags, f"--screenshot={picture}")
    content = picture.read_bytes()
    assert struct.unpack(">II", content[16:24]) == (width, 900)
    assert len(content) > 20_000
