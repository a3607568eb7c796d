"""The configuration's faults: all at once, each with its place, the nearest key named, and never a secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_files import CANARY, ENVIRON, GOOD, fault_of, faults, faults_of, write
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from etl.config import load
from etl.config.load import all_keys, dotted
from etl.errors import ConfigFault

FIVE = """\
portals:
  - name: academy
    portal_id: twelve
    title: Acme Academy
    url: http://acme.example.com
    username: a1b2c3
    password: ${NOT_SET}
salesforce:
  login_url: https://acme.my.salesforce.com
  org_id: 00D5g000004xyzAEAQ
  auth: access_token
  access_token: ${SF_TOKEN}
  polling_seconds: 5
guards:
  max_deletes: -1
"""


def test_five_faults_are_told_at_once_with_their_places(tmp_path: Path) -> None:
    """A configuration with five faults is told in five lines, by line and dotted place, in the order of the file."""
    assert faults(tmp_path, FIVE) == (
        "config.yaml:3: portals[0].portal_id: must be a whole number",
        "config.yaml:5: portals[0].url: must begin with https:// (http:// is accepted for loopback hosts only)",
        "config.yaml:7: portals[0].password: the environment variable NOT_SET is not set",
        "config.yaml:13: salesforce.polling_seconds: unknown key, did you mean poll_seconds?",
        "config.yaml:15: guards.max_deletes: must be at least 0",
    )


def test_the_message_is_a_heading_and_the_faults(tmp_path: Path) -> None:
    """Whoever prints the error alone shows every fault."""
    with pytest.raises(ConfigFault) as caught:
        load(write(tmp_path, FIVE), ENVIRON)
    assert str(caught.value).splitlines() == ["the configuration has 5 faults:", *caught.value.faults]


NOT_YAML = [
    (b"", "config.yaml: is empty"),
    (b"# only a comment\n", "config.yaml: is empty"),
    (b"- a\n- b\n", "config.yaml:1: must hold keys and values"),
    (b"just words\n", "config.yaml:1: must hold keys and values"),
    (b"portals: [\n", "config.yaml:2: is not YAML"),
    (b"a: 1\n\tb: 2\n", "config.yaml:2: is not YAML"),
    (b"a: 1\n---\nb: 2\n", "config.yaml:2: is not YAML"),
    (b"a: \xff\xfe\n", "config.yaml:1: is not UTF-8 text"),
    (b"a: 1\nb: \x07\n", "config.yaml: is not YAML: it holds a character"),
    (b"[" * 5000, "config.yaml: is nested too deeply"),
    (b"a: " * 3, "config.yaml:1: is not YAML"),
]


@pytest.mark.parametrize(("content", "told"), NOT_YAML)
def test_what_is_no_yaml_is_one_fault_with_its_line(tmp_path: Path, content: bytes, told: str) -> None:
    """Text that cannot be read as keys and values is one fault, since nothing behind it can be trusted."""
    (found,) = faults(tmp_path, content)
    assert found.startswith(told)


def test_a_file_that_cannot_be_read_names_its_path_and_the_remedy(tmp_path: Path) -> None:
    """A missing file, or a folder in its place, is a fault of the configuration (78)."""
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigFault) as caught:
            load(path, ENVIRON)
        assert str(path) in str(caught.value)
        assert "cannot be read" in str(caught.value)
    with pytest.raises(ConfigFault, match="--config or LEARNUPON_SYNC_CONFIG"):
        load(tmp_path / "none.yaml", ENVIRON)


def test_an_endless_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A path such as a log file is refused by its size."""
    assert faults(tmp_path, b"#" * 1_000_001) == (
        "config.yaml: is larger than 1,000,000 bytes: this is no configuration",
    )


def test_a_key_given_twice_is_told(tmp_path: Path) -> None:
    """YAML would silently take the last one."""
    text = yaml.safe_dump(GOOD) + "guards:\n  max_deletes: 1\n  max_deletes: 2\nguards: {}\n"
    first = text[: text.index("guards:")].count("\n") + 1
    assert [line.split(": ", 1)[1] for line in faults(tmp_path, text)] == [
        f"guards.max_deletes: is given twice, first on line {first + 1}",
        f"guards: is given twice, first on line {first}",
    ]


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    """`<<: *name` shares keys between portals, and own keys win without being duplicates."""
    portal = yaml.safe_dump([GOOD["portals"][0]]).replace("- ", "- &first\n  ", 1)
    text = f"portals:\n{portal}- <<: *first\n  name: partners\n  portal_id: 2\n" + yaml.safe_dump(
        {"salesforce": GOOD["salesforce"]}
    )
    loaded = load(write(tmp_path, text), ENVIRON)
    assert [portal.name for portal in loaded.portals] == ["academy", "partners"]
    assert loaded.portals[1].title == "Acme Academy"


@pytest.mark.parametrize(
    "text",
    [
        "portals: &a [*a]\n",
        "portals: &a {name: *a}\n",
        (
            "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
            "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
        ),
        "a: &a\n  <<: *a\n",
        "<<: 3\n",
        "portals: !!python/object/apply:os.getcwd []\n",
        "portals: 2024-13-45\n",
        "? [a, b]\n: 1\n",
    ],
)
def test_hostile_yaml_is_a_fault_and_no_crash(tmp_path: Path, text: str) -> None:
    """Aliases that hold themselves or multiply, tags that build objects, and odd keys are told as faults."""
    assert faults(tmp_path, text)


def test_unknown_keys_name_the_nearest(tmp_path: Path) -> None:
    """A slip of one letter anywhere names the key that was meant; a key of another section names its place."""
    assert faults_of(tmp_path, ("keep_days", 3)) == ["keep_days: unknown key here, did you mean report.keep_days?"]
    for place in all_keys():
        *section, key = [part for part in place if isinstance(part, str)]
        parents = ["portals.0" if part == "portals" else part for part in section]
        slip = key[:-1] + "x"
        told = faults_of(tmp_path, (".".join([*parents, slip]), "1"))
        assert any(line.endswith(f"unknown key, did you mean {key}?") for line in told), (key, told)


def test_an_unknown_key_without_a_value_is_told_too(tmp_path: Path) -> None:
    """`pol_seconds:` alone is as wrong as with a number behind it."""
    assert faults_of(tmp_path, ("salesforce.pol_seconds", None)) == [
        "salesforce.pol_seconds: unknown key, did you mean poll_seconds?"
    ]


REQUIRED = [
    *(f"portals.0.{key}" for key in ("name", "portal_id", "title", "url", "username", "password")),
    *("salesforce.login_url", "salesforce.org_id", "salesforce.access_token"),
    *("portals", "salesforce"),
]


@pytest.mark.parametrize("key", REQUIRED)
def test_a_required_key_is_missed_whether_left_out_or_left_empty(tmp_path: Path, key: str) -> None:
    """Every key without a default is asked for by name."""
    place = dotted(tuple(int(part) if part.isdigit() else part for part in key.split(".")))
    (left_out,) = faults_of(tmp_path, (key, ...))
    assert left_out.startswith(f"{place}: missing")
    (left_empty,) = faults_of(tmp_path, (key, None))
    assert left_empty.startswith((f"{place}: has no value", f"{place}: missing"))


_ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["${LU_PASSWORD}", "jwt"]),
)
_TREES = st.recursive(
    _ATOMS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_PLACES = st.sampled_from([tuple("portals.0" if part == "portals" else part for part in place) for place in all_keys()])


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=_PLACES, value=_TREES)
def test_any_value_anywhere_loads_or_is_a_fault(tmp_path: Path, place: tuple[str, ...], value: Any) -> None:
    """Whatever stands at a key, loading gives settings or a ConfigFault with lines, and nothing else."""
    key = ".".join(map(str, place)).removesuffix(".0")
    fault = fault_of(tmp_path, (key, value))
    if fault is not None:
        assert fault.faults
        assert all(line.isprintable() for line in fault.faults)
        assert CANARY not in str(fault)


def test_a_fault_of_the_configuration_cannot_forge_a_line(tmp_path: Path) -> None:
    """Keys and paths are shown with control characters escaped or cut away."""
    told = faults_of(tmp_path, ("x\nerror: all is well\x1b[2J", 1), ("portals.0.password", "${file:/no\nne}"))
    assert len(told) == 2
    assert all(line.isprintable() for line in told)
    assert os.linesep not in "".join(told)
