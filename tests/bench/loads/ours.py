"""The apply stage of the program alone: parked rows to files, jobs, and what became of every row."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from bench.loads.rows import read_rows
from bench.loads.timing import stage

from etl.clock import Clock
from etl.config import load
from etl.plan import EntityPlan
from etl.salesforce.load import Load
from etl.salesforce.org import Org
from etl.schema import CONTACT_ENROLLMENT


class Silent:
    """A journal that keeps nothing."""

    def record(self, event: str, **facts: Any) -> None:
        """Forget the event."""


def planned(path: str, folder: Path) -> EntityPlan:
    """Return a plan that creates the rows of a file, parked as a run parks them."""
    plan = EntityPlan(CONTACT_ENROLLMENT, folder)
    names = ["LearnUpon_Portal_Membership__c" if "__r." in name else name for name in read_rows(path).column_names]
    for batch in read_rows(path).rename_columns(names).to_batches():
        plan.creates.append(pa.Table.from_batches([batch]).select(plan.creates.schema.names).cast(plan.creates.schema))
        plan.counts.create += batch.num_rows
    plan.creates.save()
    return plan


def main() -> None:
    """Apply the rows of the file named second by the configuration named first."""
    settings = load(Path(sys.argv[1]), {}).salesforce
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = planned(sys.argv[2], folder / "plan")
        org = Org.connect(settings, clock=Clock(), random=Random(1))  # noqa: S311 - it shuffles retries, no secrets
        with stage():
            written = Load(org, journal=Silent(), folder=folder / "files").apply({CONTACT_ENROLLMENT.name: plan})
        org.close()
    if written[CONTACT_ENROLLMENT.name].created != plan.counts.create:
        raise SystemExit(f"{written} rows of {plan.counts.create}")


if __name__ == "__main__":
    main()
