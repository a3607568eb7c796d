"""Bugs in reading LearnUpon: listings that end too early, answers taken for what they are not; a list, no logic."""

from __future__ import annotations

from mutants.mutant import Mutant

_LISTING = "etl/learnupon/listing.py"
_PAGES = "etl/learnupon/pages.py"
_READING = "etl/learnupon/reading.py"
_CORES = "etl/cores.py"
_UNTRUSTED = "edges/test_learnupon_untrusted.py"
_READ = "edges/test_learnupon_reading.py"
_ASKED = "edges/test_learnupon_questions.py"
_AT_CORES = "edges/test_cores.py"

MUTANTS = (
    Mutant(
        id="missing-header-is-end",
        bug="A page without LU-Has-Next-Page is taken for the last one.",
        file=_LISTING,
        source='        raise SourceUntrusted(f"{answer.where}: the header {NEXT} is missing;',
        planted='        return False\n        raise SourceUntrusted(f"{answer.where}: the header {NEXT} is missing;',
        tests=(f"{_UNTRUSTED}::test_an_answer_that_is_not_the_listing",),
    ),
    Mutant(
        id="next-page-only-lower-case",
        bug='Only the header value "true" means that there is a next page.',
        file=_LISTING,
        source="value = _YES_NO.get(text.strip().lower())",
        planted='value = text == "true"',
        tests=(f"{_READ}::test_the_next_page_header_in_all_its_spellings",),
    ),
    Mutant(
        id="short-page-is-last",
        bug="A page with fewer rows than LU-Records-Per-Page is taken for the last one.",
        file=_LISTING,
        source="        more = _has_next(answer)\n",
        planted="""        more = _has_next(answer)
        more = more and answer.batch.num_rows >= int(answer.headers.get("LU-Records-Per-Page", "0"))
""",
        tests=(f"{_READ}::test_a_short_page_does_not_end_a_listing",),
    ),
    Mutant(
        id="page-of-500-goes-on",
        bug="A listing ends with the first page that has fewer than 500 rows.",
        file=_LISTING,
        source="        more = _has_next(answer)\n",
        planted="        more = _has_next(answer) and answer.batch.num_rows >= PAGE_ROWS\n",
        tests=(f"{_READ}::test_a_whole_portal_is_read",),
    ),
    Mutant(
        id="page-parameter-dropped",
        bug="The page is not asked for: every request gets the first one.",
        file=_LISTING,
        source='{**params, "page": str(number)}',
        planted="params",
        tests=(f"{_READ}::test_the_requests_are_those_documented",),
    ),
    Mutant(
        id="filter-on-first-page-only",
        bug="From the second page on the filters are not sent again.",
        file=_LISTING,
        source='{**params, "page": str(number)}',
        planted='{**(params if number == 1 else {}), "page": str(number)}',
        tests=(f"{_READ}::test_the_requests_are_those_documented",),
    ),
    Mutant(
        id="wrong-page-accepted",
        bug="Another page than the one asked for is taken.",
        file=_LISTING,
        source="    if text is not None and text.strip() != str(number):",
        planted="    if text is not None and not text.strip():",
        tests=(f"{_UNTRUSTED}::test_an_answer_that_is_not_the_listing",),
    ),
    Mutant(
        id="repeated-page-accepted",
        bug="A page that comes again and again is read for ever.",
        file=_LISTING,
        source="    if mark in seen:",
        planted="    if not mark:",
        tests=(f"{_UNTRUSTED}::test_a_page_served_again_is_refused",),
    ),
    Mutant(
        id="empty-page-goes-on",
        bug="An empty page that says there is a next one is no reason to stop.",
        file=_LISTING,
        source="    if not batch.num_rows:\n        if more:",
        planted="    if not batch.num_rows:\n        if not more and seen is None:",
        tests=(f"{_UNTRUSTED}::test_an_empty_page_with_a_next_one_is_refused",),
    ),
    Mutant(
        id="refused-course-skipped",
        bug="A course whose listing is answered 403 is left out, and the rest believed.",
        file=_LISTING,
        source="""        answer = client.read(sheet, path, {**params, "page": str(number)}, cores=cores)
        if answer is None:  # pragma: no cover - only answers that may be missing are None
            raise AssertionError
""",
        planted="""        answer = client.read(sheet, path, {**params, "page": str(number)}, missing=frozenset({403}))
        if answer is None:
            return
""",
        tests=("runs/test_faults_source_listings.py::test_one_course_that_may_not_be_read",),
    ),
    Mutant(
        id="missing-list-key-is-empty",
        bug="An answer without the list asked for is an empty list: get(key, []).",
        file=_PAGES,
        source="        if len(lists) != 1:\n",
        planted="        if not lists:\n            return []\n        if len(lists) != 1:\n",
        tests=(f"{_UNTRUSTED}::test_an_answer_that_is_not_the_listing",),
    ),
    Mutant(
        id="error-object-is-empty",
        bug="An error that comes with status 200 and an empty list is an empty list.",
        file=_PAGES,
        source='        complaints = [key for key in _COMPLAINTS if getattr(envelope, key) not in (None, False, "")]\n',
        planted="        complaints: list[str] = []\n",
        tests=(f"{_UNTRUSTED}::test_an_answer_that_is_not_the_listing",),
    ),
    Mutant(
        id="list-twice-in-one-answer",
        bug="Of a list that comes twice, first without rows, the last one is taken.",
        file="etl/learnupon/pages.py",
        source="        if lists > 1 or body.count(_ID) > rows:\n",
        planted="        if body.count(_ID) > rows:\n",
        tests=("edges/test_learnupon_cores.py::test_a_list_that_comes_twice_is_refused",),
    ),
    Mutant(
        id="id-twice-takes-the-last",
        bug="Of a key that comes twice in one object the last one is taken.",
        file=_PAGES,
        source="        self._refuse_doubles(body, len(rows), where)\n",
        planted="",
        tests=(
            f"{_UNTRUSTED}::test_the_list_key_twice_is_refused",
            f"{_UNTRUSTED}::test_an_id_twice_in_a_row_is_refused",
        ),
    ),
    Mutant(
        id="filter-check-dropped",
        bug="Rows of another course are taken for rows of the course asked for.",
        file=_READING,
        source="            self._check_filter(page, parameter, field, asked)\n",
        planted="",
        tests=(f"{_UNTRUSTED}::test_rows_of_another_course_or_path_are_refused",),
    ),
    Mutant(
        id="first-read-of-a-row-wins",
        bug="Of a course or learner listed twice the older reading is kept.",
        file=_READING,
        source='frame.drop_duplicates(by, keep="last", ignore_index=True)',
        planted='frame.drop_duplicates(by, keep="first", ignore_index=True)',
        tests=(f"{_READ}::test_the_same_row_twice_is_one",),
    ),
    Mutant(
        id="stopped-read-is-whole",
        bug="A reading that was stopped half-way is handed over as a whole one.",
        file="etl/learnupon/workers.py",
        source="    if stop.is_set():\n        # Stopped",
        planted="    if stop.is_set() and not crew:\n        # Stopped",
        tests=(f"{_READ}::test_a_read_stopped_from_outside_is_no_read",),
    ),
    Mutant(
        id="bad-portal-left-out",
        bug="A portal that cannot be trusted counts as one without learners.",
        file="etl/stages/extract.py",
        source="            return read_portal(client, folder, progress=task.update, told=listed, cores=cores)\n",
        planted="""            try:
                return read_portal(client, folder, progress=task.update, told=listed, cores=cores)
            except Exception:
                return None
""",
        tests=("runs/test_untrusted.py::test_one_bad_portal_holds_back_the_others",),
    ),
    Mutant(
        id="refused-question-means-gone",
        bug="A question by id that is answered 403 says that the row is gone.",
        file="etl/learnupon/client.py",
        source="MISSING = frozenset({404})",
        planted="MISSING = frozenset({403, 404})",
        tests=(f"{_ASKED}::test_a_refused_question_proves_nothing",),
    ),
    Mutant(
        id="answer-about-another-row",
        bug="A question by id is answered with another row, which is taken.",
        file="etl/learnupon/questions.py",
        source="    if found != [number]:",
        planted="    if not found:",
        tests=(f"{_ASKED}::test_an_unclear_answer_proves_nothing",),
    ),
    Mutant(
        id="content-type-on-get",
        bug="A GET says that it carries JSON, as LearnUpon refuses.",
        file="etl/learnupon/client.py",
        source='            "Accept": "application/json",\n',
        planted='            "Accept": "application/json",\n            "Content-Type": "application/json",\n',
        tests=(f"{_READ}::test_no_content_type_is_sent",),
    ),
    Mutant(
        id="week-spent-to-the-end",
        bug="The week's allowance is used until nothing is left.",
        file="etl/learnupon/rate.py",
        source="        if self._week is not None and self._week < self._needed + WEEK_FLOOR:",
        planted="        if self._week is not None and self._week <= 0:",
        tests=("edges/test_learnupon_rate.py::test_a_week_that_would_not_last_stops_before_it_is_gone",),
    ),
    Mutant(
        id="swollen-page-read",
        bug="However large an answer is, all of it is read into memory.",
        file="etl/learnupon/client.py",
        source="                max_bytes=_MAX_BYTES,\n",
        planted="",
        tests=(f"{_UNTRUSTED}::test_a_swollen_page_is_refused",),
    ),
    Mutant(
        id="undone-is-done",
        bug="What a worker could not do comes back as nothing, without the error.",
        file=_CORES,
        source="        return result if done else function(*arguments)\n",
        planted="        return result\n",
        tests=(f"{_AT_CORES}::test_an_error_is_the_one_that_would_have_been_raised_here",),
    ),
    Mutant(
        id="workers-waited-for",
        bug="The run stands still until its workers have started.",
        file=_CORES,
        source="        self._link.setblocking(False)\n",
        planted="",
        tests=(f"{_AT_CORES}::test_nobody_waits_for_a_worker_to_start",),
    ),
    Mutant(
        id="workers-left-behind",
        bug="A command that cannot begin leaves the workers started for it running.",
        file="etl/__main__.py",
        source="            app.close()\n",
        planted="",
        tests=("runs/test_cores_run.py::test_workers_of_a_command_that_cannot_begin_end_with_it",),
    ),
    Mutant(
        id="workers-heed-signals",
        bug="A worker ends by the SIGTERM that was for all, before the run has stopped.",
        file=_CORES,
        source="        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _DEAF)\n",
        planted="        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())\n",
        tests=(f"{_AT_CORES}::test_a_worker_takes_no_part_in_signals",),
    ),
)
