"""What an excerpt of a server's answer leaves out: all that was sent to be known by, in every form, before the cut."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl import veil
from etl.veil import excerpt

_USER, _PASSWORD = "key+of/the&portal", 'p%a"ss/w+rd= \u00e9\\end'
_PAIR = f"{_USER}:{_PASSWORD}"
_BASIC = base64.b64encode(_PAIR.encode()).decode()
_FORM = {"grant_type": "client_credentials", "client_id": "app.of/acme", "client_secret": "a/very+secret=one"}


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Leave nothing behind for the thread's next test."""
    yield
    veil.remember("", "")


def _shown(secret: str) -> list[str]:
    return [
        secret,
        urllib.parse.quote(secret),
        urllib.parse.quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        secret.encode().hex(),
    ]


@pytest.mark.parametrize("secret", [_USER, _PASSWORD, _PAIR, _BASIC])
def test_credentials_of_a_header_are_left_out(secret: str) -> None:
    """User, password, the pair and its base64 never show, however they are written and wherever the cut falls."""
    veil.remember(f"Basic {_BASIC}", None)
    for shown in _shown(secret):
        for before in range(0, 85, 3):
            told = excerpt("." * before + shown + " after")
            assert shown[:4] not in told, (told, before)


@pytest.mark.parametrize("name", ["client_id", "client_secret"])
def test_credentials_of_a_form_are_left_out(name: str) -> None:
    """What a form carried to sign in never shows, the form as a whole included; words that are no secret stay."""
    form = urllib.parse.urlencode(_FORM)
    veil.remember(None, form)
    for shown in (*_shown(_FORM[name]), form):
        assert excerpt(f"invalid: {shown}!") == "invalid: ***!"
    assert excerpt(b"invalid client credentials") == "invalid client credentials"


def test_a_thread_knows_what_it_sent_last_only() -> None:
    """The next request's secrets take the place of those before, and a body that is no form holds none."""
    veil.remember("Bearer one-token", None)
    assert excerpt("one-token, other-token") == "***, other-token"
    veil.remember("Bearer other-token", b'{"client_secret": "x"}')
    assert excerpt("one-token, other-token") == "one-token, ***"


@pytest.mark.parametrize(
    "text",
    [
        '{"refresh_token": "hush-hush"}',
        "access_token=hush-hush&x=1",
        r"{\"client_secret\":\"hush-hush\"}",
        "Authorization: Bearer hush-hush",
        '{"Authorization": "Basic hush-hush"}',
        "00D5g000004xyzAEAQ!hush-hush",
        "eyJhbGciOiJSUzI1NiJ9.hush-hush.hush-hush",
        "-----BEGIN PRIVATE KEY-----\nhush-hush",
        "Set-Cookie=hush-hush; Path=/",
    ],
)
def test_what_looks_like_a_secret_is_left_out(text: str) -> None:
    """Tokens, keys, and values under the name of a secret never show, even when we never sent them."""
    assert "hush-hush" not in excerpt(text)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="=!"), max_size=200))
def test_other_words_stay(text: str) -> None:
    """A text without anything secret is shown as it is, up to its cut."""
    veil.remember("", "")
    if not any(word in text for word in ("Basic ", "Bearer ", "OAuth ", '"', "eyJ", "-----BEGIN")):
        assert excerpt(text) == text[:80].encode("unicode_escape").decode()[:80]
