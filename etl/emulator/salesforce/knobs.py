"""What the back door can turn on an org: knobs by name, and ticks (things that happen); plain wiring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl.emulator.salesforce.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.emulator.salesforce.jobs import Jobs
    from etl.emulator.salesforce.org import SalesforceOrg

PLAIN = (
    "job_seconds",
    "stuck_jobs",
    "fail_jobs_after_rows",
    "session_calls",
    "query_page_rows",
    "rest_page_rows",
    "list_page_rows",
    "can_hard_delete",
    "unseen_rows",
)


def knobs_of(org: SalesforceOrg) -> dict[str, Callable[[Any], object]]:
    """Setters by name.

    `limits`: name -> remaining number, or a whole entry. `refuse`: list of Refusal as JSON. `missing_fields` and
    `read_only_fields`: names like ``Contact.LU_User_ID__c``. `jwt_certificate`: PEM of the app's certificate.
    """

    def plain(name: str) -> Callable[[Any], object]:
        return lambda value: setattr(org, name, value)

    made = {name: plain(name) for name in PLAIN}
    return made | {
        "limits": lambda value: _set_limits(org, value),
        "refuse": lambda value: setattr(org, "refuse", [Refusal(**one) for one in value]),
        "missing_fields": lambda value: _remove_fields(org, value),
        "read_only_fields": lambda value: setattr(org, "read_only_fields", set(value)),
        "jwt_certificate": org.sessions.register_jwt,
    }


def ticks_of(org: SalesforceOrg, jobs: Jobs) -> dict[str, Callable[..., Any]]:
    """Things that happen: sessions end, jobs go on or are aborted, a person edits records."""
    return {
        "expire_sessions": org.expire_sessions,
        "restore_access_token": org.restore_access_token,
        "unstick": jobs.unstick,
        "set_job_state": lambda id, state: jobs.by_id[id].move(state),  # noqa: A006 - Salesforce's own word
        "insert": org.insert,
        "update": org.update,
        "delete": org.delete,
        "undelete": org.undelete,
        "purge": org.purge,
        "merge_contacts": org.merge_contacts,
    }


def _set_limits(org: SalesforceOrg, given: dict[str, Any]) -> None:
    for name, value in given.items():
        entry = org.limits.setdefault(name, {"Max": 0, "Remaining": 0})
        if isinstance(value, dict):
            entry.update(value)
        else:
            entry["Remaining"] = int(value)


def _remove_fields(org: SalesforceOrg, names: list[str]) -> None:
    for name in names:
        kind, _, field = name.partition(".")
        del org.objects[kind].fields[field]
