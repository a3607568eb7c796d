"""The apply stage by simple-salesforce's bulk2: from records, or from a CSV file that pandas has written."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pandas as pd
from bench.loads.rows import KEY, OBJECT, read_rows
from bench.loads.timing import stage
from bench.peers.common import salesforce


def main() -> None:
    """Apply the rows of the file named second to the servers told of first; third is `records` or `file`."""
    client = salesforce(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["salesforce"])
    rows: pd.DataFrame = read_rows(sys.argv[2]).to_pandas()
    bulk = getattr(client.bulk2, OBJECT)
    with stage(), tempfile.TemporaryDirectory() as folder:
        for column in rows.columns:
            if isinstance(rows[column].dtype, pd.DatetimeTZDtype):
                rows[column] = rows[column].dt.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        if sys.argv[3] == "records":
            records = rows.astype(object).where(rows.notna(), None).to_dict("records")
            done = bulk.upsert(records=records, external_id_field=KEY, wait=0.05)
        else:
            path = Path(folder) / "rows.csv"
            rows.to_csv(path, index=False)
            done = bulk.upsert(csv_file=str(path), external_id_field=KEY, wait=0.05)
    if sum(job["numberRecordsProcessed"] - job["numberRecordsFailed"] for job in done) != len(rows):
        raise SystemExit(f"not all of {len(rows)} rows were written: {done}")


if __name__ == "__main__":
    main()
