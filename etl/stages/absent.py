"""Which rows the listings lacked when a run ended well: tomorrow they are no news; it asks nobody.

LearnUpon has rows that it does not list, and its package keeps rows that LearnUpon has no more. They are missing every
night, and would stop every run once they are many. It lies in the state folder: without it all of them are news.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import pandas as pd

from etl import keys
from etl.errors import StateFault
from etl.stages.extract import Kind
from etl.stages.job import Job
from etl.state import orgfile

FILE = "missing.json"


def known(job: Job, org_id: str) -> dict[Kind, set[int]]:
    """Return the rows (codes, by kind) that were missing when the last run ended well."""
    held = orgfile.held_of(job.settings.state_dir / FILE, org_id)
    return {
        kind: {
            number + place * keys.PLACE
            for place, portal_id in enumerate(job.portal_ids)
            for number in _numbers(held.get(f"{portal_id}:{kind}"))
        }
        for kind in get_args(Kind)
    }


def _numbers(held: object) -> list[int]:
    if not isinstance(held, list) or not all(isinstance(one, int) and 0 <= one <= keys.MAX_ID for one in held):
        return []
    return held


def keep(job: Job, org_id: str, missing: Mapping[Kind, pd.Series]) -> list[str]:
    """Keep which rows (codes, by kind) the listings of this run lack; return warnings."""
    now = {
        f"{portal_id}:{kind}": keys.lu_ids(codes[keys.places(codes) == place]).tolist()
        for kind, codes in missing.items()
        for place, portal_id in enumerate(job.portal_ids)
    }
    before = orgfile.held_of(job.settings.state_dir / FILE, org_id)
    changed = {key: numbers for key, numbers in now.items() if numbers != before.get(key, [])}
    if not changed:
        return []
    try:
        orgfile.keep(job.settings.state_dir / FILE, org_id, changed)
    except StateFault as fault:
        return [f"which rows are missing could not be kept in the state folder: {fault}"]
    return []
