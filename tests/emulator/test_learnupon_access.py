"""Conformance of the emulated LearnUpon: addresses, credentials, content types, limits, errors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from learnupon_portal import Door

from etl.emulator.faults import Fault


@pytest.fixture
def door() -> Iterator[Door]:
    """A portal without rows; the emulator must not have failed in the end."""
    with Door() as opened:
        yield opened
        assert opened.server.errors == []


def test_wrong_credentials_are_401(door: Door) -> None:
    """401 means a bad key (API documents, access); no key at all too."""
    assert door.get("users", auth=("academy", "wrong")).status_code == 401
    bare = requests.get(f"{door.base}/users", timeout=10)
    assert bare.status_code == 401
    assert bare.headers["WWW-Authenticate"].startswith("Basic")


def test_each_portal_has_its_own_key(door: Door) -> None:
    """Every portal has its own key pair and its own rows (API documents, portals)."""
    other = door.store.add_portal("partners", 67890)
    other.add_user(email="only.there@example.com")
    url = f"{door.server.url}/partners/api/v1/users"
    assert requests.get(url, auth=(door.portal.username, door.portal.password), timeout=10).status_code == 401
    found = requests.get(url, auth=(other.username, other.password), timeout=10).json()["user"]
    assert [row["email"] for row in found] == ["only.there@example.com"]
    assert door.get("users").json()["user"] == []


def test_an_unknown_subdomain_is_html_404(door: Door) -> None:
    """Where there is no portal, a web page answers (assumed)."""
    answer = requests.get(f"{door.server.url}/nobody/api/v1/users", timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html")


def test_content_type_json_on_get_is_refused(door: Door) -> None:
    """A GET without a body but with a JSON content type is a 400 with the key `error` (measured)."""
    answer = door.get("users", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json() == {"error": "There was a problem in the JSON you submitted."}
    door.store.knobs.refuse_content_type = False
    assert door.get("users", headers={"Content-Type": "application/json"}).status_code == 200


def test_rate_headers_come_on_2xx_only(door: Door) -> None:
    """Remaining requests are told on success and absent on errors (measured)."""
    answer = door.get("users")
    assert answer.headers["X-LU-Rate-Limit-Remaining-Minute"] == "5999"
    assert answer.headers["X-LU-Rate-Limit-Remaining-Week"] == "499999"
    missing = door.get("courses/1")
    assert missing.status_code == 404
    assert not [name for name in missing.headers if name.startswith("X-LU-Rate-Limit")]
    door.store.knobs.rate_headers = "always"
    assert door.get("courses/1").headers["X-LU-Rate-Limit-Remaining-Minute"] == "5997"


def test_beyond_the_minute_is_429_until_the_next_minute(door: Door) -> None:
    """The limit is per portal and minute; the text is the documented one, Retry-After a knob (not documented)."""
    door.portal.requests_per_minute = 2
    assert [door.get("users").status_code for _ in range(3)] == [200, 200, 429]
    refused = door.get("users")
    assert refused.json()["message"] == "Number of requests has exceeded the 1 minute limit"
    assert "Retry-After" not in refused.headers
    door.store.knobs.retry_after = "auto"
    assert 1 <= int(door.get("users").headers["Retry-After"]) <= 60
    door.store.knobs.retry_after = 7
    assert door.get("users").headers["Retry-After"] == "7"
    door.wall += 60
    assert door.get("users").status_code == 200


def test_limits_are_per_portal(door: Door) -> None:
    """One portal's calls do not spend another's (API documents, rate limits)."""
    door.store.knobs.requests_per_minute = 1
    other = door.store.add_portal("partners", 67890)
    url = f"{door.server.url}/partners/api/v1/users"
    assert door.get("users").status_code == 200
    assert requests.get(url, auth=(other.username, other.password), timeout=10).status_code == 200
    assert door.get("users").status_code == 429


def test_the_week_is_rolling(door: Door) -> None:
    """The weekly allowance comes back seven days after it was spent (API documents, rate limits)."""
    door.portal.requests_per_week = 1
    assert door.get("users").status_code == 200
    assert door.get("users").json()["message"] == "Number of requests has exceeded the 1 week limit"
    door.wall += 6 * 24 * 3600
    assert door.get("users").status_code == 429
    door.wall += 24 * 3600 + 61
    assert door.get("users").status_code == 200


def test_enrollments_without_search_is_401(door: Door) -> None:
    """GET /enrollments with good credentials is a misleading 401 (measured)."""
    assert door.get("enrollments").status_code == 401


def test_an_unknown_route_is_404_with_a_message(door: Door) -> None:
    """Errors are JSON with `message` and `response_code` (seen by clients)."""
    answer = door.get("nonsense")
    assert answer.status_code == 404
    assert answer.json()["response_code"] == 404
    assert answer.json()["message"]


def test_writes_are_refused(door: Door) -> None:
    """The emulator is the read side: other methods are 405 and change nothing."""
    ids = door.taken(1)
    auth = (door.portal.username, door.portal.password)
    assert requests.delete(f"{door.base}/enrollments/{ids[0]}", auth=auth, timeout=10).status_code == 405
    assert ids[0] in door.portal.enrollments


def test_generate_keys_kills_the_old_pair(door: Door) -> None:
    """A GET that makes credentials; the former pair stops at once (API documents, portals)."""
    made = door.get("portals/12345/generate_keys").json()["portal"]
    assert made["id"] == 12345
    assert door.get("users", auth=(made["username"], made["password"])).status_code == 200
    assert door.get("users", auth=("academy-key-12345", "secret-of-academy")).status_code == 401


def test_portals_lists_itself_and_those_below(door: Door) -> None:
    """A top-level portal lists its sub-portals (API documents, portals); itself too is assumed, and a knob."""
    door.store.add_portal("partners", 67890, "Partners")
    assert door.rows("portals", "portals")[0]["subdomain"] == "academy"
    door.portal.sub_portals = ["partners"]
    assert door.ids("portals", "portals") == [12345, 67890]
    assert door.ids("portals?title=PART", "portals") == [67890]
    door.store.knobs.portals_listed = "none"
    assert door.ids("portals", "portals") == []


def test_knobs_and_ticks_work_over_http(door: Door) -> None:
    """A test in another process can turn knobs and change rows (back door)."""
    ids = door.taken(2, status="in_progress")
    course = door.portal.enrollments[ids[0]]["course_id"]
    assert requests.post(f"{door.server.url}/__knobs", json={"page_size": 1}, timeout=10).status_code == 200
    assert requests.post(f"{door.server.url}/__knobs", json={"gone": "maybe"}, timeout=10).status_code == 400
    assert requests.post(f"{door.server.url}/__knobs", json={"no_such": 1}, timeout=10).status_code == 400
    assert len(door.get(f"enrollments/search?course_id={course}").json()["enrollments"]) == 1
    tick = {"name": "remove_enrollment", "portal": "academy", "enrollment_id": ids[0]}
    assert requests.post(f"{door.server.url}/__tick", json=tick, timeout=10).status_code == 200
    assert door.ids(f"enrollments/search?course_id={course}", "enrollments") == [ids[1]]
    assert requests.get(f"{door.server.url}/__state", timeout=10).json()["academy"]["enrollments"] == 1


def test_a_portal_can_change_its_id_over_http(door: Door) -> None:
    """A pinned portal may turn out to be another one; over the back door too."""
    tick = {"name": "change_portal", "portal": "academy", "portal_id": 999}
    assert requests.post(f"{door.server.url}/__tick", json=tick, timeout=10).status_code == 200
    assert door.ids("portals", "portals") == [999]
    assert requests.post(f"{door.server.url}/__tick", json=tick | {"lock": 1}, timeout=10).status_code == 400


def test_a_fault_can_drop_a_paging_header(door: Door) -> None:
    """Faults play on real answers: a header missing on one page only."""
    door.server.faults.add(Fault(match="GET .*/users", when="mid", drop_headers=["LU-Has-Next-Page"]))
    assert "LU-Has-Next-Page" not in door.get("users").headers
    assert door.get("users").headers["LU-Has-Next-Page"] == "false"
