"""Whether the portal that answers is the one the configuration pins; it reads `GET /portals` and decides nothing else.

Source: LearnUpon API documentation: `/portals` lists a portal and its sub-portals with id and subdomain.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from etl.errors import SourceUntrusted, WrongTarget
from etl.learnupon import pages
from etl.learnupon.client import MISSING, LearnUpon
from etl.learnupon.listing import has_next

_MOST_PAGES = 100


def check_portal(client: LearnUpon) -> list[str]:
    """Compare the pinned id with the id that LearnUpon lists for this subdomain.

    Returns warnings: none when the pin is right, one when neither the subdomain nor the id is listed. Raises
    WrongTarget when the subdomain is listed under another id, AccessRefused when the key pair is refused.
    """
    listed = _listed(client)
    portal = client.settings
    by_subdomain: dict[str, set[int]] = {}
    for number, subdomain in listed:
        by_subdomain.setdefault(subdomain, set()).add(number)
    for name in subdomains(portal.url, portal.name):
        numbers = by_subdomain.get(name)
        if numbers and portal.portal_id not in numbers:
            raise WrongTarget(
                f"portal {portal.name}: LearnUpon lists subdomain {name} under id {min(numbers)}, the configuration "
                f"says portal_id {portal.portal_id}; correct url or portal_id"
            )
        if numbers:
            return []
    if any(number == portal.portal_id for number, _ in listed):
        return []
    warning = (
        f"portal {portal.name}: GET /portals lists {len(listed)} portals, neither this subdomain nor id "
        f"{portal.portal_id} among them; whether the key pair is of the right portal could not be checked"
    )
    return [warning]


def subdomains(url: str, name: str) -> list[str]:
    """Return what this portal's subdomain may be called, surest first: the first label of the host.

    On loopback, where all portals share a host, the last part of the path and the configured name come before it.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    label = host.partition(".")[0]
    if not _loopback(host):
        return [label]
    last = parts.path.rstrip("/").rpartition("/")[2].lower()
    return [candidate for candidate in (last, name.lower(), label) if candidate]


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listed(client: LearnUpon) -> list[tuple[int, str]]:
    portals: list[tuple[int, str]] = []
    for number in range(1, _MOST_PAGES + 1):
        params = {"page": str(number)} if number > 1 else {}
        answer = client.read(pages.PORTALS, "portals", params, missing=MISSING)
        if answer is None:
            return portals
        batch = answer.batch
        rows = list(zip(batch["id"].to_pylist(), batch["subdomain"].to_pylist(), strict=True))
        portals += [(portal, (subdomain or "").strip().lower()) for portal, subdomain in rows]
        if not rows or not has_next(answer):
            return portals
    raise SourceUntrusted(f"portal {client.name}: GET /portals has no end after {_MOST_PAGES} pages")
