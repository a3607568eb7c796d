"""One listing walked page by page to its end, every page checked against what was asked; nothing is kept of it.

Sources: LearnUpon API documentation (`page` from 1, headers LU-Current-Page, LU-Records-Per-Page, LU-Has-Next-Page)
and the field: header values are text in several cases, 499 rows were seen on a page with a next one, so only
LU-Has-Next-Page ends a listing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, NamedTuple

import pyarrow as pa

from etl.cores import ALONE, Cores
from etl.errors import SourceUntrusted
from etl.learnupon.client import Answer, LearnUpon
from etl.learnupon.pages import Row, Sheet
from etl.veil import excerpt

NEXT = "LU-Has-Next-Page"
CURRENT = "LU-Current-Page"
PAGE_ROWS = 500
_YES_NO = {"true": True, "1": True, "false": False, "0": False}


class Page(NamedTuple, Generic[Row]):
    """A page as columns, and its rows where more is read of them than columns."""

    rows: list[Row]
    batch: pa.RecordBatch
    where: str


def walk(
    client: LearnUpon, sheet: Sheet[Row], path: str, params: Mapping[str, str], cores: Cores = ALONE
) -> Iterator[Page[Row]]:
    """Give the pages of a listing; all of `params` are sent again with each; `cores` may decode them.

    Raises SourceUntrusted when a header is missing, another page than asked comes, a page comes twice, or an empty
    page says that there is a next one.
    """
    seen: set[int] = set()
    number, more = 1, True
    while more:
        answer = client.read(sheet, path, {**params, "page": str(number)}, cores=cores)
        if answer is None:  # pragma: no cover - only answers that may be missing are None
            raise AssertionError
        more = _has_next(answer)
        _right_page(answer, number)
        _new_page(answer, seen, more=more)
        if number == 1:
            client.rate.met()
        yield Page(answer.rows, answer.batch, answer.where)
        number += 1


def has_next(answer: Answer) -> bool | None:
    """Return what the header says about a next page, None when there is no such header."""
    text = answer.headers.get(NEXT)
    if text is None:
        return None
    value = _YES_NO.get(text.strip().lower())
    if value is None:
        raise SourceUntrusted(f"{answer.where}: {NEXT} is {excerpt(text)}; whether the listing ends is not known")
    return value


def _has_next(answer: Answer) -> bool:
    value = has_next(answer)
    if value is None:
        raise SourceUntrusted(f"{answer.where}: the header {NEXT} is missing; whether the listing ends is not known")
    return value


def _right_page(answer: Answer, number: int) -> None:
    text = answer.headers.get(CURRENT)
    if text is not None and text.strip() != str(number):
        raise SourceUntrusted(f"{answer.where}: page {number} was asked for, {CURRENT} is {excerpt(text)}")


def _new_page(answer: Answer, seen: set[int], *, more: bool) -> None:
    batch = answer.batch
    if not batch.num_rows:
        if more:
            raise SourceUntrusted(
                f"{answer.where}: an empty page says that there is a next one; the listing does not end"
            )
        return
    mark = hash(batch.column(0).to_numpy().tobytes())
    if mark in seen:
        raise SourceUntrusted(f"{answer.where}: the same rows came on an earlier page; the listing does not end")
    seen.add(mark)
