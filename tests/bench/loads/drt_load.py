"""The apply stage by drt-core's Salesforce Bulk destination: the rows staged in batches, then one file and one job."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from bench.loads.rows import KEY, OBJECT, read_rows
from bench.loads.timing import stage
from drt.config.destinations_saas import SalesforceBulkDestinationConfig
from drt.config.sync_options import SyncOptions
from drt.destinations.salesforce_bulk import SalesforceBulkDestination

_BATCH = 10_000


def main() -> None:
    """Apply the rows of the file named second to the servers told of first."""
    org = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["salesforce"]
    os.environ |= {"SF_ID": org["client_id"], "SF_SECRET": org["client_secret"], "SF_USER": "bench", "SF_PASS": "bench"}
    config = SalesforceBulkDestinationConfig(
        type="salesforce_bulk", instance_url=org["login_url"], object_name=OBJECT, operation="upsert",
        external_id_field=KEY, poll_interval_seconds=1, client_id_env="SF_ID", client_secret_env="SF_SECRET",
        username_env="SF_USER", password_env="SF_PASS",
    )  # fmt: skip
    rows = read_rows(sys.argv[2])
    options, destination = SyncOptions(), SalesforceBulkDestination()
    with stage():
        for batch in rows.to_batches(_BATCH):
            destination.stage(as_sent(batch).to_pylist(), config, options)
        done = destination.finalize(config, options)
    if done.success != rows.num_rows:
        raise SystemExit(f"{done.success} of {rows.num_rows} rows were written")


def as_sent(batch: pa.RecordBatch) -> pa.Table:
    """Return rows whose times are texts, as a source's query would give them."""
    table = pa.Table.from_batches([batch])
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            text = pc.strftime(table[field.name], "%Y-%m-%dT%H:%M:%SZ")
            table = table.set_column(place, field.name, text)
    return table


if __name__ == "__main__":
    main()
