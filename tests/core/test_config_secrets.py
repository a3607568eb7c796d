"""References and secrets of the configuration: where they lead, who may read them, and that nothing ever shows them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from config_files import CANARY, ENVIRON, fault_of, faults, faults_of, settings

from etl.config.load import all_keys

REFERENCES = [
    ("${NOT_SET}", "the environment variable NOT_SET is not set"),
    ("a-${NOT_SET}-b", "the environment variable NOT_SET is not set"),
    ("${file:FOLDER/none}", "the file FOLDER/none cannot be read: No such file or directory"),
    ("${file:FOLDER}", "the file FOLDER cannot be read: Is a directory"),
    ("${file:FOLDER/pipe}", "the file FOLDER/pipe cannot be read: is not a regular file"),
    ("${file:FOLDER/large}", "the file FOLDER/large cannot be read: is larger than 1,000,000 bytes"),
    ("${file:FOLDER/empty}", "the file FOLDER/empty is empty"),
    ("${file:FOLDER/open}", "the file FOLDER/open may be read by everybody (mode 0604): chmod o= it"),
    ("${file:FOLDER/latin}", "the file FOLDER/latin is not UTF-8 text"),
    ("${file:}", "holds a `${` that begins neither ${NAME} nor ${file:/path}"),
    ("${NAME:-other}", "holds a `${` that begins neither ${NAME} nor ${file:/path}"),
    ("${unclosed", "holds a `${` that begins neither ${NAME} nor ${file:/path}"),
    ("${}", "holds a `${` that begins neither ${NAME} nor ${file:/path}"),
]


def _secret_files(folder: Path) -> None:
    os.mkfifo(folder / "pipe", 0o600)
    (folder / "large").touch(0o600)
    os.truncate(folder / "large", 1_000_001)
    for name, content, mode in (("empty", b"\n", 0o600), ("open", b"x", 0o604), ("latin", b"\xe9", 0o600)):
        (folder / name).write_bytes(content)
        (folder / name).chmod(mode)


@pytest.mark.parametrize(("written", "told"), REFERENCES)
def test_a_reference_that_leads_nowhere_names_what_it_sought(tmp_path: Path, written: str, told: str) -> None:
    """The variable, or the file and what is wrong with it, is named; nothing else is said about that key."""
    _secret_files(tmp_path)
    found = faults_of(tmp_path, ("portals.0.password", written.replace("FOLDER", str(tmp_path))))
    assert [line.replace(f"{tmp_path}/", "FOLDER/").replace(str(tmp_path), "FOLDER") for line in found] == [
        f"portals[0].password: {told}"
    ]


def test_two_references_of_one_text_are_both_told(tmp_path: Path) -> None:
    """Several faults of one value are several lines."""
    assert len(faults_of(tmp_path, ("portals.0.title", "${ONE} ${TWO}"))) == 2


def test_a_secret_file_gives_its_contents_without_the_line_end(tmp_path: Path) -> None:
    """The group may read the file, the line end at its end goes, and `${` in it stays what it is."""
    secret = tmp_path / "secret"
    secret.write_bytes(b" p${X} \r\n")
    secret.chmod(0o640)
    loaded = settings(tmp_path, ("portals.0.password", f"${{file:{secret}}}"))
    assert loaded.portals[0].password.get_secret_value() == " p${X} "


def _jwt(path: Path) -> list[tuple[str, Any]]:
    return [
        ("salesforce.auth", "jwt"),
        ("salesforce.client_id", "consumer"),
        ("salesforce.username", "sync@acme.example.com"),
        ("salesforce.private_key_file", str(path)),
    ]


@pytest.mark.parametrize(
    ("content", "mode", "told"),
    [
        (b"-----BEGIN PRIVATE KEY-----\nx\n", 0o644, "may be read by everybody (mode 0644): chmod o= it"),
        (b"", 0o600, "is empty"),
        (b"ssh-rsa AAAA", 0o600, "holds no private key (PEM)"),
    ],
)
def test_a_private_key_is_looked_at_before_it_is_needed(tmp_path: Path, content: bytes, mode: int, told: str) -> None:
    """A key that everybody may read, an empty file and another kind of file are faults of the configuration."""
    key = tmp_path / "sf.key"
    key.write_bytes(content)
    key.chmod(mode)
    (found,) = faults_of(tmp_path, *_jwt(key))
    assert found.startswith("salesforce.private_key_file: ")
    assert told in found


def test_a_careful_private_key_loads(tmp_path: Path) -> None:
    """A PEM file that others cannot read is accepted, and its path is the setting."""
    key = tmp_path / "sf.key"
    key.write_text("-----BEGIN RSA PRIVATE KEY-----\nx\n")
    key.chmod(0o440)
    assert settings(tmp_path, *_jwt(key)).salesforce.private_key_file == key


CANARIES = {name: f"{CANARY}-{name}" for name in ("A", "B", "C", "D", "E", "F")}


def test_no_repr_dump_or_string_of_settings_holds_a_secret(tmp_path: Path) -> None:
    """User names, passwords, tokens and webhooks are hidden in repr, str and JSON."""
    loaded = settings(
        tmp_path,
        ("portals.0.username", "${A}"),
        ("portals.0.password", "${B}"),
        ("salesforce.client_id", "${C}"),
        ("salesforce.client_secret", "${D}"),
        ("salesforce.access_token", "${E}"),
        ("notify.slack_webhook", "https://hooks.example.com/${F}"),
        environ=CANARIES,
    )
    for shown in (repr(loaded), str(loaded), loaded.model_dump_json(), str(loaded.model_dump()), repr(loaded.portals)):
        assert CANARY not in shown
    assert set(CANARIES.values()) - {CANARIES["F"]} <= loaded.secrets()
    assert f"https://hooks.example.com/{CANARIES['F']}" in loaded.secrets()


def test_no_message_holds_a_value_of_a_reference_or_of_a_secret_key(tmp_path: Path) -> None:
    """Every key is given a canary, by reference and in plain, and no fault repeats it."""
    for place in all_keys():
        parts = ["portals.0" if part == "portals" else str(part) for part in place]
        key = "portals" if parts == ["portals.0"] else ".".join(parts)
        for value in ("${A}", "x ${A}:\n", [CANARY], {"name": CANARY}):
            fault = fault_of(tmp_path, (key, value), environ={**ENVIRON, "A": f"{CANARY}\n:"})
            assert fault is None or CANARY not in str(fault), key
            assert fault is None or (fault.__cause__ is None and fault.__suppress_context__)


@pytest.mark.parametrize(
    "line",
    [
        f"password: *{CANARY}",
        f"password: !{CANARY} x",
        f"password: @{CANARY}",
        f"password: '{CANARY}",
        f"password: {CANARY}: x",
        f"password: [{CANARY}",
        f"{{password:{CANARY}}}",
        f"password: %{CANARY}",
        f"password: ${{{CANARY}",
        f"password: 2024-13-45{CANARY}",
    ],
)
def test_no_syntax_error_quotes_the_line(tmp_path: Path, line: str) -> None:
    """A password that breaks the YAML is not quoted in the message about it."""
    text = f"portals:\n  - name: academy\n    {line}\n" if not line.startswith("{") else f"portals:\n  - {line}\n"
    for found in faults(tmp_path, text):
        assert CANARY not in found
        assert CANARY.split("!", maxsplit=1)[0] not in found
