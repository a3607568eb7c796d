"""How many API calls a run will take, from counts of rows alone; it asks nobody and stops nothing.

Of every step two numbers are known: what it takes when nothing goes wrong, and what must be left so that it cannot end
half-way for want of calls. They differ where other people decide: how long a job of Salesforce takes, how stale
LearnUpon's counts are, how many rows will have to be asked about by id.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from etl.learnupon import Listed
from etl.learnupon.listing import PAGE_ROWS as LISTED_ROWS
from etl.salesforce.query import BULK_VALUES, PAGE_ROWS, REST_QUESTIONS, REST_VALUES, schedule
from etl.salesforce.soql import LONGEST, LONGEST_IN_URL

QUERY_ROWS_S = 20_000
INGEST_ROWS_S = 5_000
"""Rows a second that a query job finds and an ingest job writes: assumed, since no guide says; they set the polls."""
_SLOWER = 10
"""How much slower a job may be and still find its polls reserved, a second of waiting in line included."""
BATCH_ROWS = 10_000
"""Rows of one internal batch, of which an org has 15,000 in 24 hours (Salesforce limits page, Bulk API 2.0)."""
_ROW_BYTES, _LARGEST_ROW_BYTES = 200, 1_200
"""Bytes of a row in an upload: measured (186), and with a text of 255 characters that take four bytes each."""
_ID, _KEY, _EMAIL = 18, 30, 45
"""Characters of what rows are asked for by: `12345:enrollment:1234567890` and longer ones of large numbers."""
_QUERY_FRAME = 900
"""Characters of a query without its values."""
_BEAT_S = 120.0
"""Seconds between two signs of life of the lease."""
_STALE = 1.1
"""LearnUpon's `num_enrolled` may be behind by so much and the week still lasts."""
_LEARNER_ROWS, _FEWEST_LEARNER_ROWS = 10, 2
"""Enrollments of courses a learner, where Salesforce does not tell yet how many learners there are: assumed."""
_PATH_SHARE, _LARGEST_PATH_SHARE = 0.1, 0.3
"""Enrollments of paths beside those of courses, where Salesforce does not tell yet: assumed."""


@dataclass(frozen=True)
class Calls:
    """Requests to one side: `expected` when nothing goes wrong, `most` must be left."""

    expected: int = 0
    most: int = 0

    def __add__(self, other: Calls) -> Calls:
        """Return both together."""
        return Calls(self.expected + other.expected, self.most + other.most)

    def times(self, count: int) -> Calls:
        """Return so many of the same."""
        return Calls(self.expected * count, self.most * count)


def sure(calls: int) -> Calls:
    """Return calls whose number is certain."""
    return Calls(calls, calls)


def total(parts: Iterable[Calls]) -> Calls:
    """Return the sum."""
    return sum(parts, Calls())


@dataclass(frozen=True)
class Sent:
    """What a plan sends of one object, in rows."""

    creates: int = 0
    updates: int = 0
    deletes: int = 0
    desired: int = 0
    """Rows that Salesforce should hold afterwards."""
    profile: bool = False
    """Contacts and Users, which are read by id alone."""

    @property
    def written(self) -> int:
        """Return the rows created and updated."""
        return self.creates + self.updates


@dataclass(frozen=True)
class Tariff:
    """What single steps cost in Salesforce with a run's settings; no step is a call of the sign-in."""

    poll_seconds: float
    timeout_s: float
    file_bytes: int
    package: bool = False
    """Whether the objects are those of LearnUpon's package, which have no key to ask by."""

    def polls(self, seconds: float) -> int:
        """Return how often a job is looked at that takes so many seconds."""
        waited, looks = 0.0, 0
        for wait in schedule(self.poll_seconds, self.timeout_s):
            waited, looks = waited + wait, looks + 1
            if waited >= seconds:
                break
        return looks

    def _polled(self, seconds: float) -> Calls:
        return Calls(self.polls(seconds), self.polls(_SLOWER * (seconds + 1)))

    def query(self, rows: int) -> Calls:
        """Return the calls of one Bulk query: create, polls, pages."""
        return sure(1 + max(1, _parts(rows, PAGE_ROWS))) + self._polled(rows / QUERY_ROWS_S)

    def table(self, rows: int) -> Calls:
        """Return the calls of reading rows that were counted already; changes meanwhile cost two counts more."""
        return self.query(rows) + Calls(0, 2)

    def keyed(self, values: int, characters: int = _ID) -> Calls:
        """Return the calls of asking for rows by so many ids or keys: by REST while they are few, else by Bulk."""
        in_url = max(_parts(values, REST_VALUES), _parts(values * (characters + 14), LONGEST_IN_URL - _QUERY_FRAME))
        if in_url <= REST_QUESTIONS:
            return sure(in_url)
        size = min(BULK_VALUES, (LONGEST - _QUERY_FRAME) // (characters + 3))
        return self.query(size).times(_parts(values, size))

    def files(self, rows: int) -> Calls:
        """Return the number of files, and so of jobs, that so many rows of one object are uploaded in."""
        return Calls(_parts(rows * _ROW_BYTES, self.file_bytes), _parts(rows * _LARGEST_ROW_BYTES, self.file_bytes))

    def ingest(self, rows: int) -> Calls:
        """Return the calls of writing rows of one object: create, upload, close, polls, three results a job."""
        files = self.files(rows)
        if not rows:
            return Calls()
        each = [sure(6) + self._polled(rows / count / INGEST_ROWS_S) for count in (files.expected, files.most)]
        return Calls(each[0].expected * files.expected, each[1].most * files.most)

    def looked_at(self, sent: Sent, rows: int) -> Calls:
        """Return the calls of reading `rows` of an object again: by key while they are few, else all of it.

        People who carry no LearnUpon id any more are not among all of them and are asked for by key after that.
        """
        keyed = self.keyed(rows, _ID if sent.profile else _KEY)
        if (sent.profile or not self.package) and rows <= max(BULK_VALUES, sent.desired // 10):
            return keyed
        whole = sure(1) + self.table(sent.desired)
        return whole + Calls(0, keyed.most) if sent.profile else whole

    def write(self, sent: Sent, portals: int = 1) -> Calls:
        """Return the calls of writing an object's rows and reading them back.

        Rows of the package are created by portal, after a look for those whose membership was deleted, and updated by
        jobs of their own.
        """
        if self.package and not sent.profile:
            portions = min(portals, sent.creates)
            inserts = self.ingest(_parts(sent.creates, portions)).times(portions) if portions else Calls()
            strays = sure(1) + Calls(0, self.query(sent.creates).most) if portions else Calls()
            written = strays + inserts + self.ingest(sent.updates)
        else:
            written = self.ingest(sent.written)
        read_back = self.looked_at(sent, sent.written) if sent.written else Calls()
        return written + read_back + self.ingest(sent.deletes) + self.keyed(sent.deletes)

    def parents(self, sent: Iterable[Sent]) -> Calls:
        """Return the calls of reading the record ids of parents, by which rows of the package name them."""
        children = self.package and any(one.written and not one.profile for one in sent)
        most = max((one.desired for one in sent), default=0)
        return (sure(1) + self.table(most)).times(2) if children else Calls()


def people(tariff: Tariff, contacts: int, users: int, emails: int = 0) -> Calls:
    """Return the calls of looking for people nobody knows yet, by record id or e-mail.

    Merged people lead to others, learners may have left somebody behind, and memberships may name people without a
    LearnUpon id: a question each when there are any.
    """
    found = total(tariff.keyed(count) for count in (contacts, users))
    by_email = tariff.keyed(emails, _EMAIL).times(2) + Calls(0, tariff.keyed(emails).most)
    return found + by_email + Calls(1, 6)


def batches(sent: Iterable[Sent], tariff: Tariff) -> int:
    """Return how many batches the ingest jobs of a plan are cut into by Salesforce, at the most."""
    rows = [count for one in sent for count in (one.written, one.deletes)]
    return sum(_parts(count, BATCH_ROWS) + max(0, tariff.files(count).most - 1) for count in rows)


def beats(seconds: float) -> Calls:
    """Return how often a lease is renewed in a time; everything may take five times as long."""
    return Calls(int(seconds / _BEAT_S), int(5 * seconds / _BEAT_S))


def shares(listed: Sequence[Listed]) -> list[float]:
    """Return each portal's part of what Salesforce holds of all of them, taken for that of the rows it lists."""
    rows = sum(one.rows for one in listed)
    return [one.rows / rows if rows else 1 / len(listed) for one in listed]


def portal(listed: Listed, held: Mapping[str, int], *, share: float, questions: int) -> Calls:
    """Return the calls still needed to read a portal after its courses and paths were listed.

    `held` says what Salesforce holds of all portals of the run, in rows: `member`, `enrollment`, `path`. A portal is
    expected to have its `share` of them; all of them are reserved, since LearnUpon's counts may be as stale as they
    like. Where nothing is held yet, learners and path enrollments are guessed from the course enrollments. At most
    `questions` rows are asked about by id.
    """
    expected = _listings(listed, held, share, _LEARNER_ROWS, _PATH_SHARE)
    most = _listings(listed, held, 1.0, _FEWEST_LEARNER_ROWS, _LARGEST_PATH_SHARE)
    # a share of nothing is guessed from the listing, and a guess may be larger than the whole that is held
    most = max(expected, math.ceil(most * _STALE)) + min(questions, sum(held.values()))
    return Calls(expected, most)


def _listings(listed: Listed, held: Mapping[str, int], share: float, learner_rows: int, path_share: float) -> int:
    """Return the pages of a portal that has this share of what is held."""
    members, enrollments, on_paths = (held.get(kind, 0) * share for kind in ("member", "enrollment", "path"))
    of_courses = _course_pages(listed.courses, max(0.0, enrollments - listed.rows))
    of_paths = max(listed.paths, _pages(on_paths or listed.rows * path_share)) if listed.paths else 0
    of_users = max(1, _pages(members or listed.rows / learner_rows)) if listed.users else 0
    return max(0, of_courses + of_paths + listed.learner - listed.kept) + of_users


def _course_pages(courses: Sequence[int], unseen: float) -> int:
    """Return the pages of courses by their counts; rows that these lack are of courses that show none, or of all."""
    blank = courses.count(0)
    if blank:
        return sum(_pages(rows) for rows in courses if rows) + blank * max(1, _pages(unseen / blank))
    grown = 1 + unseen / sum(courses) if courses else 1.0
    return sum(_pages(rows * grown) for rows in courses)


def _pages(rows: float) -> int:
    return math.ceil(rows / LISTED_ROWS)


def _parts(amount: int, size: int) -> int:
    return -(-amount // size)
