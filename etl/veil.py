"""Takes secrets out of what a server said, before any of it is cut or shown; it knows only what was sent and tokens.

Servers for developers, proxies and error pages repeat what a request brought. Excerpts are cut, and the beginning of a
secret is one too: so it must go before the cut, and what the log masks later would be too late.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress

MASK = "***"
TOKENS = (
    r"00D[A-Za-z0-9]{9,15}![A-Za-z0-9._-]+"  # a Salesforce session
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"  # a JWT
    r"|(?<=\bBearer )\S+|(?<=\bBasic )\S+|(?<=\bOAuth )\S+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)
_NAMED = re.compile(
    r"((?:access|refresh|id)_token|client_(?:id|secret)|assertion|password|authorization|set-cookie|sid)"
    r"""(\\?["']\s*:\s*\\?["']|=)(?:(?:Basic|Bearer|OAuth)\s+)?[^\s"'&,;<>\\]+""",
    re.IGNORECASE,
)
_TOKENS = re.compile(TOKENS, re.DOTALL)
_SECRET_FIELDS = frozenset({"client_id", "client_secret", "assertion", "access_token", "refresh_token"})
_LONGEST_NAME = 80
_SHORTEST = 4
"""What is shorter stands in too many words to be taken out of them."""
_LOOKED_THROUGH = 1 << 14
"""Characters of a body in which secrets are sought: many times what is shown, so that none is cut in two."""


class _Last(threading.local):
    authorization: str = ""
    form: str = ""


_last = _Last()


def remember(authorization: object, body: object) -> None:
    """Note the header Authorization and the body that this thread sent last; a body that is no form is forgotten.

    Whatever the thread excerpts next is taken for an answer to it.
    """
    _last.authorization = authorization if isinstance(authorization, str) else ""
    _last.form = body if isinstance(body, str) and "=" in body[:_LONGEST_NAME] else ""


def veiled(text: str) -> str:
    """Return a text without what this thread sent last to be known by, and without whatever looks like a token."""
    secrets = {
        form for one in _secrets(_last.authorization, _last.form) if len(one) >= _SHORTEST for form in forms(one)
    }
    for form in sorted(secrets, key=len, reverse=True):
        text = text.replace(form, MASK)
    return _TOKENS.sub(MASK, _NAMED.sub(rf"\1\2{MASK}", text))


def excerpt(body: bytes | str, length: int = 80) -> str:
    """Return the beginning of a body, without what was sent to be known by, all but printable ASCII escaped."""
    text = body[:_LOOKED_THROUGH].decode("utf-8", "replace") if isinstance(body, bytes) else body[:_LOOKED_THROUGH]
    escaped = veiled(text)[:length].encode("unicode_escape").decode("ascii")
    return escaped[:length]


def _secrets(authorization: str, form: str) -> Iterator[str]:
    """Give what identifies the sender: the credentials of the header, whole and in parts, and those of a form."""
    scheme, _, value = authorization.partition(" ")
    yield value
    if scheme == "Basic":
        with suppress(binascii.Error, UnicodeDecodeError):
            pair = base64.b64decode(value, validate=True).decode()
            yield from (pair, *pair.split(":", 1))
    yield form
    yield from (one for name, one in urllib.parse.parse_qsl(form) if name in _SECRET_FIELDS)


def forms(secret: str) -> set[str]:
    """Return a secret in each form it may have in a text: plain, percent-encoded, escaped, in hexadecimal."""
    raw = secret.encode("utf-8", "surrogatepass")  # a secret from the environment may hold bytes that are no text
    quoted = {urllib.parse.quote(raw, safe=""), urllib.parse.quote(raw), urllib.parse.quote_plus(raw)}
    dumped = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    escaped = {repr(secret)[1:-1], repr(secret + "'\"")[1:-4], *dumped, *(one.replace("/", "\\/") for one in dumped)}
    coded = {raw.hex(), raw.hex().upper()} if len(raw) >= _SHORTEST else set()
    return {secret, *quoted, *(one.lower() for one in quoted if "%" in one), *escaped, *coded} - {""}
