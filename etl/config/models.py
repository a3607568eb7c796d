"""The settings: every key of the configuration with its default and bounds; frozen, and nothing in it reads a file.

The keys, defaults and bounds are the design's, section 7. Secrets are `SecretStr`: hidden in repr, str and JSON.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from etl.config.values import (
    ApiVersion,
    Count,
    Days,
    FilePath,
    HookUrl,
    Line,
    LoginUrl,
    Minutes,
    Namespace,
    OrgId,
    Percent,
    PollSeconds,
    PortalName,
    PortalUrl,
    Positive,
    SecretLine,
    SecretToken,
    SecretUser,
    StatusLabel,
)

Auth = Literal["client_credentials", "jwt", "access_token"]
Status = Literal["not_started", "in_progress", "pending_review", "completed", "passed", "failed"]
STATUSES: tuple[Status, ...] = ("not_started", "in_progress", "pending_review", "completed", "passed", "failed")
"""Every status of an enrollment that LearnUpon documents, in the order of a learner's way through a course."""

AUTH_KEYS: dict[Auth, tuple[str, ...]] = {
    "client_credentials": ("client_id", "client_secret"),
    "jwt": ("client_id", "username", "private_key_file"),
    "access_token": ("access_token",),
}
"""The keys each way of signing in needs."""


def _off(value: object) -> object:
    # YAML 1.1 reads an unquoted `off` as the boolean false
    return "off" if value is False else value


class Section(BaseModel):
    """A part of the settings: frozen, unknown keys refused, values never in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PortalSettings(Section):
    """One LearnUpon portal; the API is at `{url}/api/v1`."""

    name: PortalName
    """For logs, reports and `--portal`."""
    portal_id: Annotated[Positive, Field(lt=10**18)]
    """LearnUpon's id of the portal; the first part of every key."""
    title: Line
    url: PortalUrl
    """Without a slash at the end."""
    username: SecretUser
    """LearnUpon's API user name, which is a key of its own."""
    password: SecretLine
    requests_per_minute: Positive = 300
    concurrency: Annotated[Positive, Field(le=32)] = 4
    """Pages fetched at the same time."""


class SalesforceSettings(Section):
    """The org, how to sign in to it, and how patient to be with its jobs."""

    login_url: LoginUrl
    """Without a slash at the end; with `auth: access_token` it is the instance itself."""
    org_id: OrgId
    """The pin, 15 or 18 characters, as written."""
    auth: Auth = "client_credentials"
    client_id: SecretToken | None = None
    client_secret: SecretToken | None = None
    username: Line | None = None
    private_key_file: FilePath | None = None
    access_token: SecretToken | None = None
    api_version: ApiVersion = "67.0"
    namespace: Namespace = ""
    bulk_file_mb: Annotated[Positive, Field(le=100)] = 90
    """Megabytes (10**6 bytes) of one uploaded file."""
    poll_seconds: PollSeconds = 5.0
    """First wait for a job; later ones grow."""
    job_timeout_minutes: Minutes = 120.0
    """Then exit 75: the job is named, and adopted by the next run."""
    full_read_days: Days = 7
    """Nights in between read only what changed since; 0: every run reads all rows."""


class MatchingSettings(Section):
    """Whom a learner is in Salesforce."""

    email: Annotated[Literal["off", "unique"], BeforeValidator(_off)] = "off"
    both_ids: Literal["flag", "contact", "user"] = "flag"


class RulesSettings(Section):
    """Which statuses count as what, and what they are called."""

    finished_statuses: tuple[Status, ...] = ("completed", "passed", "failed")
    path_done_statuses: tuple[Status, ...] = ("completed", "passed")
    status_labels: dict[Line, StatusLabel] = Field(default_factory=dict)
    """Status of LearnUpon to label in Salesforce; those left out keep their usual label."""


class GuardSettings(Section):
    """Limits that stop a run before its first write."""

    min_rows: Count = 20
    """Percentages apply from this many existing rows on."""
    max_deletes: Count = 500
    max_delete_percent: Percent = 5.0
    max_deletes_7_days: Count = 500
    """With what was deleted in the last seven days; left out, as many as in one run."""
    max_delete_percent_7_days: Percent = 10.0
    """The same, of an object's rows; left out, twice as much as in one run."""
    max_update_percent: Percent = 50.0
    max_confirmations: Count = 1000
    max_source_shrink_percent: Percent = 20.0

    @model_validator(mode="after")
    def _follow(self) -> Self:
        """Let the week's limits follow those of one run unless they are given."""
        follow = {
            "max_deletes_7_days": self.max_deletes,
            "max_delete_percent_7_days": min(100.0, 2 * self.max_delete_percent),
        }
        for name, value in follow.items():
            if name not in self.model_fields_set:
                object.__setattr__(self, name, value)  # the model is not yet handed out, though frozen already
        return self


class ReportSettings(Section):
    """How long run folders are kept, and whether reports name people."""

    keep_days: Days = 30
    show_names: bool = False


class NotifySettings(Section):
    """Where the end of a run is told; the addresses are secrets, since whoever knows them can post to them."""

    ping_url: HookUrl | None = None
    slack_webhook: HookUrl | None = None
    metrics_file: FilePath | None = None


class Settings(Section):
    """The whole configuration."""

    portals: Annotated[tuple[PortalSettings, ...], Field(min_length=1)]
    salesforce: SalesforceSettings
    matching: MatchingSettings = MatchingSettings()
    rules: RulesSettings = RulesSettings()
    guards: GuardSettings = GuardSettings()
    state_dir: FilePath = Path("var")
    report: ReportSettings = ReportSettings()
    notify: NotifySettings = NotifySettings()

    def portal(self, name: str) -> PortalSettings:
        """Return the portal of that name; KeyError if there is none."""
        for portal in self.portals:
            if portal.name == name:
                return portal
        raise KeyError(name)

    def secrets(self) -> frozenset[str]:
        """Return what no log may show: secrets, a portal's two in base64, the paths of addresses to notify."""
        return frozenset(_secrets(self))


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    if isinstance(value, PortalSettings):
        pair = f"{value.username.get_secret_value()}:{value.password.get_secret_value()}"
        yield from (base64.b64encode(pair.encode(code, "replace")).decode() for code in ("latin-1", "utf-8"))
    if isinstance(value, NotifySettings):
        hooks = [hook.get_secret_value() for hook in (value.ping_url, value.slack_webhook) if hook]
        # as messages name a request: without scheme, host and query
        paths = (hook.partition("://")[2].partition("/")[2].partition("?")[0].rstrip("/") for hook in hooks)
        yield from (f"/{path}" for path in paths if path)
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    if isinstance(value, tuple):
        for item in value:
            yield from _secrets(item)
