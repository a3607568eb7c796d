"""Sessions and the apps that may open them; the OAuth conversation itself is in auth."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

from etl.emulator.salesforce.errors import ApiError

if TYPE_CHECKING:
    from etl.emulator.salesforce.org import SalesforceOrg

CLIENT_ID = "3MVG9.emulated.consumer.key"
USERNAME = "sync@example.com"
CLIENT_SECRET = "emulated-consumer-secret"


class Sessions:
    """Access tokens in force, of the form ``{org_id}!...``, and registered apps.

    `clients`: consumer key -> secret. `certificates`: consumer key -> PEM (certificate or public key) for JWT.
    `approved`: user names, in lower case, that may use an app by JWT. `mark`: begins the secret part of new tokens.
    """

    def __init__(self, org: SalesforceOrg) -> None:
        """Start with one app and one fixed token."""
        self._org = org
        self.fixed = f"{org.org_id}!EMULATED.ACCESS.TOKEN"
        self.client_id = CLIENT_ID
        self.client_secret = CLIENT_SECRET
        self.clients: dict[str, str] = {CLIENT_ID: CLIENT_SECRET}
        self.certificates: dict[str, str] = {}
        self.approved: set[str] = {USERNAME}
        self.calls_each: int | None = None
        self.mark = ""
        self._calls: dict[str, int] = {self.fixed: 0}
        self._lock = threading.Lock()

    def register_jwt(self, pem: str, client_id: str = CLIENT_ID) -> None:
        """Give an app the certificate or public key (PEM) that its assertions are checked with."""
        self.certificates[client_id] = pem

    def open(self) -> str:
        """A new token of the integration user."""
        token = f"{self._org.org_id}!{self.mark}{secrets.token_urlsafe(48)}"
        with self._lock:
            self._calls[token] = 0
        return token

    def close(self, token: str) -> bool:
        """Revoke a token; False when it was none."""
        with self._lock:
            return self._calls.pop(token, None) is not None

    def expire(self) -> None:
        """End all sessions."""
        with self._lock:
            self._calls = {}

    def restore(self) -> None:
        """Make the fixed token valid again."""
        with self._lock:
            self._calls[self.fixed] = 0

    def check(self, authorization: str) -> None:
        """Count a call of the session in an Authorization header (Bearer or OAuth); 401 without a live one."""
        kind, _, token = authorization.partition(" ")
        token = token.strip()
        with self._lock:
            seen = self._calls.get(token)
            if kind.lower() in ("bearer", "oauth") and seen is not None:
                if self.calls_each is None or seen < self.calls_each:
                    self._calls[token] = seen + 1
                    return
                del self._calls[token]
        raise ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")
