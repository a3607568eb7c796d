"""Bugs in writing to Salesforce: jobs made twice, results not read, ends not seen; a list, no logic."""

from __future__ import annotations

from mutants.mutant import Mutant

_INGEST = "etl/salesforce/ingest.py"
_LOAD = "etl/salesforce/load.py"
_RESULTS = "etl/salesforce/results.py"
_QUERY = "etl/salesforce/query.py"
_INGESTED = "edges/test_salesforce_ingest.py"
_LOADED = "edges/test_salesforce_load.py"
_QUERIED = "edges/test_salesforce_query.py"

MUTANTS = (
    Mutant(
        id="insert-not-upsert",
        bug="Rows are inserted, so that a second attempt makes second rows.",
        file=_LOAD,
        source='else ("upsert", KEY)',
        planted='else ("insert", KEY)',
        tests=(f"{_LOADED}::test_second_attempt_after_an_unknown_outcome",),
    ),
    Mutant(
        id="create-repeated",
        bug="The creation of a job is sent again when its answer is lost.",
        file=_INGEST,
        source='self.org.path("jobs/ingest"), json=job, repeatable=False)',
        planted='self.org.path("jobs/ingest"), json=job, repeatable=True)',
        tests=(f"{_INGESTED}::test_creation_not_answered",),
    ),
    Mutant(
        id="lost-job-left-open",
        bug="A job whose creation was not answered is not looked for.",
        file=_INGEST,
        source="found = abort_lost(self.org, api_object, upload.operation, spent, spent)",
        planted="found = 0",
        tests=(f"{_INGESTED}::test_creation_not_answered",),
    ),
    Mutant(
        id="any-open-job-aborted",
        bug="After a lost creation all Open jobs of the object are aborted, old ones too.",
        file="etl/salesforce/joblist.py",
        source="        and since - _SLACK <= job.created_at <= until + _SLACK\n",
        planted="",
        tests=(f"{_INGESTED}::test_other_jobs_are_left_alone",),
    ),
    Mutant(
        id="upload-repeated",
        bug="A file is uploaded again to the same job when the answer is lost.",
        file=_INGEST,
        source='self.org.path(f"jobs/ingest/{job}/batches"), repeatable=False',
        planted='self.org.path(f"jobs/ingest/{job}/batches"), repeatable=True',
        tests=(f"{_INGESTED}::test_upload_not_answered",),
    ),
    Mutant(
        id="doubles-read-back-as-one",
        bug="Rows of one number that are read back are compared as if there were one.",
        file="etl/stages/readback.py",
        source="minlength=written.num_rows) > 1",
        planted="minlength=written.num_rows) > 2",
        tests=("runs/test_readback.py::test_a_second_row_of_a_number_is_told_when_read_back",),
    ),
    Mutant(
        id="second-job-after-lost-close",
        bug="When the close is not answered a new job is made with the same rows.",
        file=_INGEST,
        source="                    self._close(job, upload)\n                    return self._await(job, upload)\n",
        planted="""                    path = self.org.path(f"jobs/ingest/{job}")
                    try:
                        self.org.send("PATCH", path, json={"state": "UploadComplete"}, repeatable=False)
                    except AnswerLost:
                        continue
                    return self._await(job, upload)
""",
        tests=(f"{_INGESTED}::test_close_not_answered",),
    ),
    Mutant(
        id="lost-close-is-closed",
        bug="A close that was not answered is believed to have arrived.",
        file=_INGEST,
        source='                if self._look(job, upload).state != "Open":\n',
        planted="                if self._look(job, upload).state:\n",
        tests=(f"{_INGESTED}::test_close_not_answered",),
    ),
    Mutant(
        id="closed-before-noted",
        bug="The journal learns of a step after it was taken.",
        file=_INGEST,
        source="""            self.journal.record("job_closing", job=job)
            self.closing = True
            try:
                self.org.send("PATCH", path, json={"state": "UploadComplete"}, repeatable=False)
""",
        planted="""            self.closing = True
            try:
                self.org.send("PATCH", path, json={"state": "UploadComplete"}, repeatable=False)
                self.journal.record("job_closing", job=job)
""",
        tests=(f"{_INGESTED}::test_steps_are_noted_before_they_are_taken",),
    ),
    Mutant(
        id="stuck-job-is-done",
        bug="A job that does not end in time is taken for complete.",
        file=_INGEST,
        source='    raise unknown(f"still {state} after',
        planted='    return look(org, job)\n    raise unknown(f"still {state} after',
        tests=(f"{_INGESTED}::test_stuck_job",),
    ),
    Mutant(
        id="polls-at-one-pace",
        bug="A job is looked at every few seconds for as long as it runs.",
        file=_QUERY,
        source="        wait = max(wait, min(wait * _GROWTH, longest))\n",
        planted="",
        tests=(f"{_INGESTED}::test_waits_grow",),
    ),
    Mutant(
        id="polls-without-limit",
        bug="There is no end to the looks at a job.",
        file=_QUERY,
        source="    for _ in range(MOST_POLLS):",
        planted="    for _ in range(MOST_POLLS * 100):",
        tests=(f"{_QUERIED}::test_first_wait_is_the_configured_one", f"{_QUERIED}::test_stuck_query"),
    ),
    Mutant(
        id="failed-rows-not-read",
        bug="The failed results are not read: a complete job is a success.",
        file=_RESULTS,
        source="        _file(org, job, _FAILED, failed, folder),\n",
        planted='        pa.table({"key": pa.array([], text), "error": pa.array([], text)}),\n',
        tests=(f"{_LOADED}::test_complete_job_with_failed_rows",),
    ),
    Mutant(
        id="unprocessed-rows-forgotten",
        bug="Rows that Salesforce did not get to are neither counted nor sent again.",
        file="etl/salesforce/verdict.py",
        source="        again = pa.concat_arrays([again, unprocessed])\n",
        planted="        pass\n",
        tests=(f"{_LOADED}::test_job_fails_half_way",),
    ),
    Mutant(
        id="results-by-position",
        bug="The n-th line of the failed results is taken for the n-th row that was sent.",
        file=_RESULTS,
        source='failed=pa.table({"key": failed["key"],',
        planted='failed=pa.table({"key": sent.slice(0, failed.num_rows),',
        tests=(f"{_LOADED}::test_complete_job_with_failed_rows",),
    ),
    Mutant(
        id="results-cut-and-believed",
        bug="Results that contradict the job's own counts are believed at once.",
        file=_RESULTS,
        source="        if last or _adds_up(job, outcome):",
        planted="        if last or outcome:",
        tests=(f"{_INGESTED}::test_results_cut_at_a_row_and_read_again",),
    ),
    Mutant(
        id="locked-rows-given-up",
        bug="Rows refused for a lock are not sent again.",
        file="etl/salesforce/verdict.py",
        source='_PASSING = ["UNABLE_TO_LOCK_ROW", ',
        planted="_PASSING = [",
        tests=("edges/test_salesforce_verdict.py::test_what_passes",),
    ),
    Mutant(
        id="whole-file-sent-again",
        bug="When some rows were locked, all rows of the file are sent again.",
        file=_LOAD,
        source="upload.part, upload.key, verdict.again, self.folder,",
        planted="upload.part, upload.key, read_back(upload.part.path)[upload.key] if len(verdict.again) "
        "else verdict.again, self.folder,",
        tests=(f"{_LOADED}::test_locks",),
    ),
    Mutant(
        id="aborted-job-resubmitted",
        bug="Rows of a job that an admin aborted are sent again.",
        file=_LOAD,
        source='        if job.state == "Aborted":\n            raise',
        planted='        if job.state == "Aborted by nobody":\n            raise',
        tests=(f"{_LOADED}::test_aborted_by_an_admin",),
    ),
    Mutant(
        id="deletes-first",
        bug="Rows are deleted before the new ones are made.",
        file=_LOAD,
        source="        parents = Parents(self.org, plan, self.folder)\n",
        planted="""        parents = Parents(self.org, plan, self.folder)
        for one in present:
            self._delete(one)
""",
        tests=(f"{_LOADED}::test_order_of_objects",),
    ),
    Mutant(
        id="file-made-for-nobody",
        bug="When a run stops, the next file is still being made in its folder.",
        file="etl/ahead.py",
        source="    with closing(items), ThreadPoolExecutor(1) as crew:\n",
        planted="    crew = ThreadPoolExecutor(1)\n    if True:\n",
        tests=("edges/test_ahead.py::test_what_is_made_for_nobody_is_waited_for_and_closed",),
    ),
    Mutant(
        id="moved-row-not-held-back",
        bug="A row that moves is deleted though its new one was refused.",
        file="etl/salesforce/rowfiles.py",
        source="        yield table.filter(pc.invert(moved_in(table, held_back)))",
        planted="        yield table",
        tests=(f"{_LOADED}::test_moved_rows",),
    ),
    Mutant(
        id="file-over-the-limit",
        bug="What a file holds already is not counted against its limit.",
        file="etl/salesforce/csvtext.py",
        source="            room = self._limit - self._size\n",
        planted="            room = self._limit\n",
        tests=("edges/test_salesforce_csvtext.py::test_size_limit",),
    ),
    Mutant(
        id="page-count-ignored",
        bug="A page with fewer rows than Sforce-NumberOfRecords is taken as it is.",
        file=_QUERY,
        source="    if table.num_rows != promised:",
        planted="    if table.num_rows > promised:",
        tests=(f"{_QUERIED}::test_page_cut_at_a_row",),
    ),
    Mutant(
        id="job-count-ignored",
        bug="Fewer rows than the query job found are taken for all.",
        file=_QUERY,
        source="    if rows != promised:",
        planted="    if rows > promised:",
        tests=(f"{_QUERIED}::test_page_lost_between",),
    ),
    Mutant(
        id="no-locator-is-end",
        bug="A page without Sforce-Locator is taken for the last one.",
        file=_QUERY,
        source="    if not locator:\n        raise",
        planted='    if not locator:\n        return table, "null"\n        raise',
        tests=(f"{_QUERIED}::test_no_locator",),
    ),
    Mutant(
        id="locator-goes-round",
        bug="A locator that comes again is followed again.",
        file=_QUERY,
        source="        if locator in seen:",
        planted="        if locator is None:",
        tests=(f"{_QUERIED}::test_locators_that_go_round",),
    ),
    Mutant(
        id="people-total-ignored",
        bug="An answer with fewer people than its total is taken for all.",
        file=_QUERY,
        source="    if table.num_rows != total:",
        planted="    if table.num_rows > total:",
        tests=(f"{_QUERIED}::test_rest_pages",),
    ),
    Mutant(
        id="open-job-not-aborted",
        bug="Jobs that an earlier run left Open stay Open.",
        file="etl/salesforce/adopt.py",
        source='"aborted, nothing was written" if abort(org, job) else "left Open, it never runs"',
        planted='"left Open, it never runs"',
        tests=("edges/test_salesforce_adopt.py::test_open_job_is_aborted",),
    ),
    Mutant(
        id="running-job-not-awaited",
        bug="A job of an earlier run that still runs is not waited for.",
        file="etl/salesforce/adopt.py",
        source="    if seen.state in RUNNING:\n        seen = wait_for(",
        planted="    if seen.state in RUNNING and not job:\n        seen = wait_for(",
        tests=("edges/test_salesforce_adopt.py::test_job_that_takes_its_time",),
    ),
    Mutant(
        id="jobs-of-another-user",
        bug="Jobs of every user are taken for this program's.",
        file="etl/salesforce/joblist.py",
        source="    return [job for job in jobs if job.created_by == user], moment",
        planted="    return jobs, moment",
        tests=("runs/test_orphans.py::test_jobs_of_other_users_are_left_alone",),
    ),
    Mutant(
        id="refusals-end-well",
        bug="A run whose rows were refused ends with 0.",
        file="etl/pipeline.py",
        source="    return ROWS_REFUSED if record.has_refusals else OK",
        planted="    return OK",
        tests=("runs/test_refusals.py::test_refused_rows_are_listed_and_the_others_written",),
    ),
    Mutant(
        id="unknown-rows-end-well",
        bug="Rows whose outcome Salesforce did not tell are no reason to stop.",
        file="etl/pipeline.py",
        source="    record.stop_if_unknown()\n",
        planted="",
        tests=("runs/test_faults_destination_jobs.py::test_an_upload_that_was_stored_short_is_noticed",),
    ),
)
