"""The configuration: what loads, what each key accepts, and that the example file and the models are one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_files import ENVIRON, GOOD, changed, faults_of, settings, write
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from etl.config import Settings, load
from etl.config.load import all_keys
from etl.config.values import id_suffix, is_loopback

EXAMPLE = Path(__file__).parents[2] / "config" / "learnupon-sync.example.yaml"
EXAMPLE_ENVIRON = dict.fromkeys(
    (
        "ACADEMY_USERNAME",
        "ACADEMY_PASSWORD",
        "PARTNERS_USERNAME",
        "PARTNERS_PASSWORD",
        "SF_CLIENT_ID",
        "SF_CLIENT_SECRET",
    ),
    "invented",
)


def _no_file(path: Path) -> str:
    raise AssertionError(path)


def test_the_example_loads_as_it_is_with_the_variables_it_names() -> None:
    """The example needs the six environment variables that it names, and no file."""
    loaded = load(EXAMPLE, EXAMPLE_ENVIRON, read_file=_no_file)
    assert [portal.name for portal in loaded.portals] == ["academy", "partners"]
    named = set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", EXAMPLE.read_text().split("# `learnupon-sync check`")[0]))
    assert named - {"NAME", "FILE"} == set(EXAMPLE_ENVIRON)


def _keys(tree: Any, place: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if isinstance(tree, list):
        return set().union(*(_keys(item, place) for item in tree if isinstance(item, dict)))
    if not isinstance(tree, dict):
        return set()
    return {(*place, key) for key in tree}.union(*(_keys(inner, (*place, key)) for key, inner in tree.items()))


def test_the_example_holds_every_key_of_the_models_and_no_other() -> None:
    """Every key of the models is in the example, in use or commented out, and the other way round."""
    text = EXAMPLE.read_text().replace("notify: {}", "notify:")
    uncommented = re.sub(r"^( *)#( +)(?=[a-z_]+: )", lambda m: m[1] or m[2], text, flags=re.MULTILINE)
    assert _keys(yaml.safe_load(uncommented)) == set(all_keys())


def test_the_example_shows_the_defaults() -> None:
    """What the example says of an optional key is what counts without it."""
    loaded = load(EXAMPLE, EXAMPLE_ENVIRON)
    for name in ("matching", "rules", "guards", "state_dir", "report", "notify"):
        assert getattr(loaded, name) == Settings.model_fields[name].get_default(call_default_factory=True)
    first, second = loaded.portals
    assert (first.requests_per_minute, first.concurrency) == (second.requests_per_minute, second.concurrency)
    shown = yaml.safe_load(EXAMPLE.read_text())["salesforce"]
    for name, field in type(loaded.salesforce).model_fields.items():
        if not field.is_required() and field.default is not None and name in shown:
            assert shown[name] == field.default, name


def test_a_short_file_loads_with_all_defaults(tmp_path: Path) -> None:
    """Only portals and salesforce are required; sections left empty count as left out."""
    loaded = settings(tmp_path, ("notify", None), ("guards", None))
    assert loaded.guards.max_deletes == 500
    assert loaded.state_dir == Path("var")
    assert loaded.portal("academy").requests_per_minute == 300
    with pytest.raises(KeyError):
        loaded.portal("other")


def test_settings_are_frozen(tmp_path: Path) -> None:
    """Nothing may change a setting after it was loaded."""
    loaded = settings(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        loaded.guards.max_deletes = 1


@pytest.mark.parametrize("written", ["off", '"off"', "false"])
def test_unquoted_off_is_off(tmp_path: Path, written: str) -> None:
    """YAML reads `off` as a boolean; for the matching by e-mail it is the word."""
    text = yaml.safe_dump(GOOD) + f"matching:\n  email: {written}\n"
    assert load(write(tmp_path, text), ENVIRON).matching.email == "off"


ACCEPTED = [
    ("portals.0.url", "http://127.0.0.1:8080/academy/", "http://127.0.0.1:8080/academy"),
    ("portals.0.url", "http://127.9.9.9", "http://127.9.9.9"),
    ("portals.0.url", "http://[::1]:80", "http://[::1]:80"),
    ("portals.0.name", "a" * 40, "a" * 40),
    ("portals.0.portal_id", "77", 77),
    ("portals.0.title", "Akademie\u00a0für \u6771\u4eac", "Akademie\u00a0für \u6771\u4eac"),
    ("portals.0.concurrency", 32, 32),
    ("salesforce.login_url", "http://localhost:1/", "http://localhost:1"),
    ("salesforce.org_id", "00D5g000004xyzA", "00D5g000004xyzA"),
    ("salesforce.namespace", "LearnUponP", "LearnUponP"),
    ("salesforce.poll_seconds", 0.05, 0.05),
    ("salesforce.poll_seconds", "${NUMBER}", 7.0),
    ("salesforce.job_timeout_minutes", 0.01, 0.01),
    ("salesforce.bulk_file_mb", 100, 100),
    ("salesforce.full_read_days", 36_500, 36_500),
    ("report.keep_days", 36_500, 36_500),
    ("guards.max_deletes", "${NUMBER}", 7),
    ("guards.max_delete_percent", 2.5, 2.5),
    ("guards.max_delete_percent", 0, 0.0),
    ("guards.max_update_percent", 100, 100.0),
    ("report.show_names", "${TRUTH}", True),
    ("state_dir", "/srv/${WORD}/x", Path("/srv/word/x")),
    ("rules.path_done_statuses", [], ()),
    (
        "rules.status_labels",
        {"completed": "Complete", "expired": "Expired"},
        {"completed": "Complete", "expired": "Expired"},
    ),
]


@pytest.mark.parametrize(("key", "written", "loaded"), ACCEPTED)
def test_values_inside_the_bounds_are_accepted(tmp_path: Path, key: str, written: Any, loaded: Any) -> None:
    """The edges of every bound are inside, and references give numbers and booleans too."""
    environ = {**ENVIRON, "NUMBER": "7", "TRUTH": "true", "WORD": "word"}
    value: Any = settings(tmp_path, (key, written), environ=environ)
    for part in key.split("."):
        value = value[int(part)] if part.isdigit() else getattr(value, part)
    assert value == loaded
    assert type(value) is type(loaded)


REFUSED = [
    ("portals", [], ["at least one entry"]),
    ("portals", "x", ["must be a list"]),
    ("portals.0.name", "Acme Academy", ["small letters"]),
    ("portals.0.name", "A" * 41, ["small letters", "1 to 40 characters, has 41"]),
    ("portals.0.portal_id", 0, ["at least 1"]),
    ("portals.0.portal_id", 10**18, ["less than 1000000000000000000"]),
    ("portals.0.portal_id", True, ["must be a number, is yes/no"]),
    ("portals.0.portal_id", "${WORD}", ["whole number (the value of ${WORD})"]),
    ("portals.0.title", 2024, ["must be text"]),
    ("portals.0.title", "  ", ["must not be empty"]),
    ("portals.0.title", "a\nb", ["control characters"]),
    ("portals.0.url", "acme.example.com", ["must be an address"]),
    ("portals.0.url", "ftp://acme.example.com", ["must be an address"]),
    ("portals.0.url", "https://acme.example.com:99999", ["must be an address"]),
    ("portals.0.url", "https://", ["must be an address"]),
    ("portals.0.url", "https://acme .example.com", ["must be an address"]),
    ("portals.0.url", "https://acme.example.com\\@evil.example.com", ["must be an address"]),
    ("portals.0.url", "https://acme.example.com:port", ["must be an address"]),
    ("portals.0.url", "https://[::1", ["must be an address"]),
    ("portals.0.url", "https://@acme.example.com", ["user name or password"]),
    ("portals.0.url", "http://127.0.0.1@acme.example.com", ["must begin with https://", "user name or password"]),
    ("portals.0.url", "HTTP://acme.example.com", ["must begin with https://"]),
    ("portals.0.url", "http://acme.example.com", ["must begin with https://"]),
    ("portals.0.url", "http://127.0.0.1.example.com", ["must begin with https://"]),
    ("portals.0.url", "http://localhost.example.com", ["must begin with https://"]),
    ("portals.0.url", "http://2130706433", ["must begin with https://"]),
    ("portals.0.url", "https://acme.example.com/api/v1", ["/api/v1"]),
    (
        "portals.0.url",
        "http://u:p@acme.example.com/api/v1/?x=1#y",
        ["https://", "user name", "query", "fragment", "/api/v1"],
    ),
    ("portals.0.username", "a:b", ["colon"]),
    ("portals.0.password", "", ["must not be empty"]),
    ("portals.0.password", 12345678, ["must be text"]),
    ("portals.0.password", {"a": 1}, ["must be text"]),
    ("portals.0.requests_per_minute", 0, ["at least 1"]),
    ("portals.0.requests_per_minute", 2.5, ["whole number"]),
    ("portals.0.concurrency", 33, ["at most 32"]),
    ("salesforce", "x", ["keys and values"]),
    ("salesforce.login_url", "https://acme.example.com/services", ["after the host"]),
    ("salesforce.org_id", "005", ["begin with 00D", "15 or 18 characters, has 3"]),
    ("salesforce.org_id", "00D5g000004xyz-EAQ", ["letters and digits", "last three"]),
    ("salesforce.org_id", "00d5G000004xyzAEAQ", ["begin with 00D", "last three"]),
    ("salesforce.auth", "password", ["must be client_credentials, jwt or access_token"]),
    ("salesforce.auth", "jwt", ["client_id: missing: auth jwt", "username: missing", "private_key_file: missing"]),
    ("salesforce.auth", "client_credentials", ["client_id: missing", "client_secret: missing"]),
    ("salesforce.access_token", "with blank", ["without blanks"]),
    ("salesforce.access_token", ..., ["access_token: missing: auth access_token needs it"]),
    ("salesforce.api_version", 67.0, ["must be text"]),
    ("salesforce.api_version", "v67", ["version such as"]),
    ("salesforce.namespace", "LearnUponP__", ["namespace such as"]),
    ("salesforce.bulk_file_mb", 101, ["at most 100"]),
    ("salesforce.full_read_days", 36_501, ["at most 36500"]),
    ("report.keep_days", 9_999_999_999, ["at most 36500"]),
    ("salesforce.bulk_file_mb", 0, ["at least 1"]),
    ("salesforce.poll_seconds", 0.04, ["at least 0.05"]),
    ("salesforce.poll_seconds", float("nan"), ["at least 0.05"]),
    ("salesforce.job_timeout_minutes", 0, ["more than 0"]),
    ("salesforce.job_timeout_minutes", float("inf"), ["finite"]),
    ("matching.email", "on", ["must be off or unique"]),
    ("matching.email", True, ["must be off or unique"]),
    ("matching.both_ids", "both", ["must be flag, contact or user"]),
    ("rules.finished_statuses", ["completed", "complete"], ["rules.finished_statuses[1]: must be not_started"]),
    ("rules.finished_statuses", "completed", ["must be a list"]),
    ("rules.status_labels", {"completed": ""}, ["must not be empty"]),
    ("rules.status_labels", {"completed": "x" * 81}, ["at most 80"]),
    ("rules.status_labels", {"failed": "#N/A"}, ["#N/A"]),
    ("rules.status_labels", {"completed": "in progress"}, ["completed (finished) and in_progress (not finished)"]),
    ("guards.max_deletes", -1, ["at least 0"]),
    ("guards.max_delete_percent", 100.5, ["at most 100"]),
    ("guards.max_update_percent", -1, ["at least 0"]),
    ("report.show_names", "perhaps", ["true or false"]),
    ("state_dir", "", ["must not be empty"]),
    ("notify.ping_url", "http://example.com/x", ["https://"]),
    ("notify.slack", "x", ["unknown key, did you mean slack_webhook?"]),
]


@pytest.mark.parametrize(("key", "written", "told"), REFUSED)
def test_values_outside_the_bounds_are_refused_with_every_reason(
    tmp_path: Path, key: str, written: Any, told: list[str]
) -> None:
    """A wrong value is one line for each thing that is wrong with it, and nothing else is blamed."""
    found = faults_of(tmp_path, (key, written), environ={**ENVIRON, "WORD": "word"})
    assert len(found) == len(told), found
    for part in told:
        assert any(part in line for line in found), (part, found)


def test_two_portals_may_share_neither_name_nor_id(tmp_path: Path) -> None:
    """Names are for people and ids are in every key: both must be one portal's alone, however they are written."""
    for written in ("12345", "${TWIN}", "012345", 12345.0):
        twin = {**GOOD["portals"][0], "portal_id": written, "url": "https://other.example.com"}
        assert faults_of(tmp_path, ("portals.1", twin), environ={**ENVIRON, "TWIN": " 12345 "}) == [
            "portals[1].name: is the same as that of portals[0]",
            "portals[1].portal_id: is the same as that of portals[0]",
        ]


def test_names_that_are_numbers_are_names(tmp_path: Path) -> None:
    """Two names differ when they are written differently, though one number could be meant."""
    twin = {**GOOD["portals"][0], "name": "07", "portal_id": 1, "url": "https://other.example.com"}
    loaded = load(write(tmp_path, changed(("portals.0.name", "7"), ("portals.1", twin))), ENVIRON)
    assert [portal.name for portal in loaded.portals] == ["7", "07"]


@pytest.mark.parametrize(
    ("id15", "id18"), [("00D5g000004xyzA", "00D5g000004xyzAEAQ"), ("001000000000001", "001000000000001AAA")]
)
def test_the_check_characters_of_an_id(id15: str, id18: str) -> None:
    """The last three characters are the capitals of the first fifteen."""
    assert id15 + id_suffix(id15) == id18


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.255.0.9", True),
        ("::1", True),
        ("128.0.0.1", False),
        ("0.0.0.0", False),
        ("::ffff:127.0.0.1", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_loopback(host: str, answer: bool) -> None:  # noqa: FBT001 -- a table of expectations
    """Loopback is localhost, 127.0.0.0/8 and ::1, and nothing that only looks like it."""
    assert is_loopback(host) is answer


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1).filter(str.strip))
def test_a_secret_reaches_the_settings_unchanged(tmp_path: Path, text: str) -> None:
    """Whatever a variable holds, blanks and `${` included, is the password, character by character."""
    loaded = settings(tmp_path, environ={**ENVIRON, "LU_PASSWORD": text})
    assert loaded.portals[0].password.get_secret_value() == text
