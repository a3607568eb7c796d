"""Kinds of single values that a configuration holds: addresses, names, numbers; a check tells all its faults.

A check raises `Rejected` with every fault it found. No message repeats the value: it may have come from a secret.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_CONTROL = {"Cc", "Cs", "Zl", "Zp"}
_PORTAL_NAME = re.compile(r"[a-z0-9-]*")
_ADDRESS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?P<user>[^/?#]*@)?"
    r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\.?))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#]*)?(?:\?[^#]*)?(?:#.*)?"
)
"""An address by its parts (RFC 3986, appendix B, narrowed to what a vendor's address can be)."""
_ODD = frozenset(' \\"<>^`{|}')


class Rejected(ValueError):
    """Everything that is wrong with one value, one phrase a fault, none of them repeating the value."""

    def __init__(self, faults: list[str]) -> None:
        """Keep the phrases apart, so that each gets a line of its own."""
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


def reject(faults: list[str]) -> None:
    """Raise `Rejected` when there is at least one fault."""
    if faults:
        raise Rejected(faults)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address never leaves the machine: localhost, 127.0.0.0/8, ::1."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address == ipaddress.IPv6Address("::1") or (address.version == 4 and address.is_loopback)


def _address_faults(text: str) -> list[str]:
    parts = _ADDRESS.fullmatch(text) if text.isascii() and text.isprintable() and not _ODD & set(text) else None
    if parts is None or parts["scheme"].lower() not in {"http", "https"} or int(parts["port"] or 0) > 65535:
        return ["must be an address such as https://acme.example.com"]
    faults = []
    if parts["scheme"].lower() == "http" and not is_loopback(parts["v6"] or parts["host"]):
        faults.append("must begin with https:// (http:// is accepted for loopback hosts only)")
    if parts["user"]:
        faults.append("must not hold a user name or password")
    return faults


def _base_url_faults(text: str) -> list[str]:
    faults = _address_faults(text)
    if "?" in text:
        faults.append("must not hold a query (the part from ? on)")
    if "#" in text:
        faults.append("must not hold a fragment (the part from # on)")
    return faults


def _portal_url(text: str) -> str:
    faults = _base_url_faults(text)
    url = text.rstrip("/")
    if re.search(r"/api/v\d+/*(?:$|[?#])", url):
        faults.append("must end before /api/v1: that part is added")
    reject(faults)
    return url


def _login_url(text: str) -> str:
    faults = _base_url_faults(text)
    url = text.rstrip("/")
    parts = _ADDRESS.fullmatch(url)
    if not faults and parts and parts["path"]:
        faults.append("must end after the host: the paths of the API are added")
    reject(faults)
    return url


def _hook_url(secret: SecretStr) -> SecretStr:
    reject(_address_faults(secret.get_secret_value()))
    return secret


def id_suffix(id15: str) -> str:
    """Return the three check characters that make a 15-character record id an 18-character one.

    Source: Object Reference, "ID Field Type": one character for each five, its bits the upper-case letters.
    """
    chunks = (id15[start : start + 5] for start in (0, 5, 10))
    bits = (sum(1 << i for i, c in enumerate(chunk) if "A" <= c <= "Z") for chunk in chunks)
    return "".join(ID_ALPHABET[bit] for bit in bits)


def _org_id(text: str) -> str:
    faults = []
    if not text.startswith("00D"):
        faults.append("must begin with 00D, as every org id does")
    if not (text.isascii() and text.isalnum()):
        faults.append("must hold letters and digits only")
    if len(text) not in {15, 18}:
        faults.append(f"must have 15 or 18 characters, has {len(text)}")
    elif len(text) == 18 and text[15:] != id_suffix(text):
        faults.append("its last three characters do not fit the first fifteen: a typing error, or changed case")
    reject(faults)
    return text


def _portal_name(text: str) -> str:
    faults = []
    if not _PORTAL_NAME.fullmatch(text):
        faults.append("must hold small letters a-z, digits and hyphens only")
    if not 1 <= len(text) <= 40:
        faults.append(f"must have 1 to 40 characters, has {len(text)}")
    reject(faults)
    return text


def _api_version(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{1,2}\.0", text):
        reject(['must be a version such as "67.0"'])
    return text


def _namespace(text: str) -> str:
    # 1 to 15 letters, digits and single underscores, begun by a letter (ISVforce Guide, "Register a Namespace Prefix")
    if text and not (re.fullmatch(r"[A-Za-z](?:[A-Za-z0-9_]{0,13}[A-Za-z0-9])?", text) and "__" not in text):
        reject(['must be a namespace such as "LearnUponP", without underscores at its end, or ""'])
    return text


def _line(text: str) -> str:
    reject(_line_faults(text))
    return text


def _status_label(text: str) -> str:
    faults = _line_faults(text)
    if len(text) > 80:
        faults.append(f"must have at most 80 characters, has {len(text)}")
    if text.strip() == "#N/A":
        faults.append("must not be #N/A: the Bulk API would blank the field")
    reject(faults)
    return text


def _line_faults(text: str) -> list[str]:
    if not text.strip():
        return ["must not be empty"]
    if any(unicodedata.category(c) in _CONTROL for c in text):
        return ["must not hold control characters or line ends"]
    return []


def _secret_line(secret: SecretStr) -> SecretStr:
    reject(_line_faults(secret.get_secret_value()))
    return secret


def _secret_token(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    faults = _line_faults(text)
    if not faults and (not text.isascii() or " " in text):
        faults.append("must hold plain ASCII characters without blanks")
    reject(faults)
    return secret


def _secret_user(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    faults = _line_faults(text)
    if ":" in text:  # Basic authentication ends the user name at the first colon (RFC 7617, section 2)
        faults.append("must not hold a colon: Basic authentication would cut it there")
    reject(faults)
    return secret


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        reject(["must be a number, is yes/no"])
    return value


def _empty_path(value: object) -> object:
    if isinstance(value, str):
        reject(_line_faults(value))
    return value


PortalName = Annotated[str, AfterValidator(_portal_name)]
PortalUrl = Annotated[str, AfterValidator(_portal_url)]
LoginUrl = Annotated[str, AfterValidator(_login_url)]
HookUrl = Annotated[SecretStr, AfterValidator(_hook_url)]
OrgId = Annotated[str, AfterValidator(_org_id)]
Line = Annotated[str, AfterValidator(_line)]
SecretLine = Annotated[SecretStr, AfterValidator(_secret_line)]
SecretToken = Annotated[SecretStr, AfterValidator(_secret_token)]
SecretUser = Annotated[SecretStr, AfterValidator(_secret_user)]
FilePath = Annotated[Path, BeforeValidator(_empty_path)]
StatusLabel = Annotated[str, AfterValidator(_status_label)]
ApiVersion = Annotated[str, AfterValidator(_api_version)]
Namespace = Annotated[str, AfterValidator(_namespace)]
Count = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0)]
Positive = Annotated[int, BeforeValidator(_no_boolean), Field(ge=1)]
Days = Annotated[Count, Field(le=36_500)]
"""A hundred years: dates can be reckoned with it, and nobody means more."""
Percent = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=100, allow_inf_nan=False)]
PollSeconds = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0.05, allow_inf_nan=False)]
Minutes = Annotated[float, BeforeValidator(_no_boolean), Field(gt=0, allow_inf_nan=False)]
