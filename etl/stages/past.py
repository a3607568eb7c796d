"""What this user deleted in the last seven days, as Salesforce says; it judges nothing.

Deleted rows are in the recycle bin for 15 days, where a query that includes them (REST guide, QueryAll) finds them by
`IsDeleted`. `SystemModstamp` is then the time of the delete and `LastModifiedById` who deleted (assumed: no guide says
so; were it who wrote the row last, that is this user too, for the rows this program keeps).
"""

from __future__ import annotations

from datetime import timedelta

from etl.salesforce import soql
from etl.salesforce.org import Org
from etl.salesforce.query import count_rows
from etl.salesforce.snapshot import ours
from etl.schema import CUSTOM
from etl.stages.job import Job
from etl.state.history import own_deletes

WINDOW = timedelta(days=7)
_CLOCKS_DIFFER = timedelta(hours=1)
"""How much later than the window an allowed run must have begun to count: by this machine's clock, not the org's."""
_DELETED = tuple(entity for entity in CUSTOM if entity.row in {"enrollment", "path"})
"""The objects whose rows a plan can delete."""


def deleted(job: Job, org: Org) -> dict[str, int]:
    """Return how many rows of the run's portals this user deleted in the last seven days, by object.

    Four requests. Rows that a run of this state folder deleted with a person's leave are not counted; without the
    folder they are: rather a run that asks once too often than one that deletes too much. Such rows may have left the
    recycle bin, and must not be taken off other ones: so never less than what runs deleted without leave and is still
    there counts. Where Salesforce does not say who the user is, everybody's deletes count. Raises what the requests
    raise: a past that cannot be seen stops the run.
    """
    since = (org.server_time() or job.clock.now()) - WINDOW
    mine = soql.is_in("LastModifiedById", [org.user_id]) if org.user_id else ""
    gone = soql.both(soql.is_true("IsDeleted"), soql.since("SystemModstamp", since), mine)
    allowed, others = own_deletes(
        job.settings.state_dir, since=since + _CLOCKS_DIFFER, org_id=org.org_id, portal_ids=frozenset(job.portal_ids)
    )
    found = {}
    for entity in _DELETED:
        condition = soql.both(gone, ours(org, entity, job.portal_ids))
        rows = count_rows(org, org.name(entity.name), condition, deleted_too=True)
        found[entity.name] = max(rows - allowed[entity.name], min(rows, others[entity.name]))
    return found
