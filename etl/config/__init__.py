"""The configuration: settings models and the loader that tells every fault at once; only commands load it."""

from __future__ import annotations

from etl.config.load import load
from etl.config.models import (
    AUTH_KEYS,
    STATUSES,
    GuardSettings,
    MatchingSettings,
    NotifySettings,
    PortalSettings,
    ReportSettings,
    RulesSettings,
    SalesforceSettings,
    Settings,
)

__all__ = [
    "AUTH_KEYS",
    "STATUSES",
    "GuardSettings",
    "MatchingSettings",
    "NotifySettings",
    "PortalSettings",
    "ReportSettings",
    "RulesSettings",
    "SalesforceSettings",
    "Settings",
    "load",
]
