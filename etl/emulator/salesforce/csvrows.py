"""CSV as Bulk API 2.0 takes it (guide, "Valid CSV Record Rows" and "Prepare CSV Files"); fields are not looked up."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DELIMITERS = {"COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`"}
LINE_ENDS = {"LF": "\n", "CRLF": "\r\n"}
LONGEST_HEADER = 32_000
LONGEST_FIELD = 131_072
LONGEST_RECORD = 400_000
MOST_FIELDS = 5_000


class CsvError(Exception):
    """The whole file cannot be used: the job fails with this message."""


@dataclass
class Rows:
    """A parsed file: header, records, and for records that broke a rule of their own (by place) why."""

    header: list[str]
    records: list[list[str]]
    faulty: dict[int, str] = field(default_factory=dict)


def parse(data: bytes, delimiter: str, line_ending: str) -> Rows:
    """Parse a file; CsvError when it must fail as a whole.

    Blank lines are skipped and records of another width fail the job (both assumed); a blank beside a quote is
    an error of that row alone.
    """
    lines = _records(_text(data), line_ending)
    head = next(lines, "")
    if not head:
        raise CsvError("InvalidBatch : Unable to find object header in the CSV file")
    reader = _Cells(DELIMITERS[delimiter])
    header = reader.cells(head)
    if header is None or len(head) > LONGEST_HEADER or len(header) > MOST_FIELDS:
        raise CsvError("InvalidBatch : The header row is malformed or too long")
    made = Rows([name.strip() for name in header], [])
    for line in lines:
        if not line:
            continue
        _add(made, reader, line)
    return made


def _add(made: Rows, reader: _Cells, line: str) -> None:
    if len(line) > LONGEST_RECORD:
        raise CsvError(f"InvalidBatch : A record is longer than {LONGEST_RECORD} characters")
    cells = reader.cells(line)
    if cells is None:
        made.faulty[len(made.records)] = "There must be no space between a quote and a delimiter"
        cells = [line, *[""] * (len(made.header) - 1)]
    if len(cells) != len(made.header):
        message = f"record {len(made.records) + 1} has {len(cells)} fields, the header {len(made.header)}"
        raise CsvError(f"InvalidBatch : Failed to parse CSV: {message}")
    if len(line) > LONGEST_FIELD and any(len(cell) > LONGEST_FIELD for cell in cells):
        raise CsvError(f"InvalidBatch : A field is longer than {LONGEST_FIELD} characters")
    made.records.append(cells)


def _text(data: bytes) -> str:
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise CsvError("InvalidBatch : The file is not UTF-8") from error


def _records(text: str, line_ending: str) -> Iterator[str]:
    """Records without their line ends; a quoted value may hold any line end."""
    _check_line_ends(text, line_ending)
    end = LINE_ENDS[line_ending]
    open_parts: list[str] = []
    for line in text.split(end):
        if open_parts:
            open_parts.append(line)
            if line.count('"') % 2:
                yield end.join(open_parts)
                open_parts = []
        elif '"' in line and line.count('"') % 2:
            open_parts = [line]
        else:
            yield line
    if open_parts:
        raise CsvError("InvalidBatch : Failed to parse CSV: a quote is never closed")


def _check_line_ends(text: str, line_ending: str) -> None:
    """The file must use the line ending that the job names, wherever no quotes are around."""
    if line_ending == "LF" and "\r" not in text:
        return
    outside = "".join(text.split('"')[::2]) if '"' in text else text
    crlf = outside.count("\r\n")
    wrong = "\r" in outside if line_ending == "LF" else outside.count("\n") != crlf or outside.count("\r") != crlf
    if wrong:
        raise CsvError(
            f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {line_ending}"
        )


class _Cells:
    """Splits records; the common ones by the C reader, fed one at a time."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._feed: list[str] = []
        self._reader = csv.reader(iter(self._feed.pop, None), delimiter=delimiter, strict=True)
        self._blanks = (f'{delimiter} "', f'" {delimiter}')

    def cells(self, line: str) -> list[str] | None:
        """The cells of a record, None when a quote stands where none may."""
        if '"' not in line:
            return line.split(self._delimiter)
        if len(line) > 100_000 or line[0] == " " or any(blank in line for blank in self._blanks):
            return self._slowly(line)
        self._feed.append(line)
        try:
            return next(self._reader)
        except csv.Error:
            return self._slowly(line)

    def _slowly(self, line: str) -> list[str] | None:
        cells, at, end = [], 0, len(line)
        while True:
            if line[at : at + 1] == '"':
                close = self._closing(line, at + 1)
                cells.append(line[at + 1 : close].replace('""', '"'))
                at = close + 1
                if at < end and line[at] != self._delimiter:
                    return None
            else:
                close = line.find(self._delimiter, at)
                close = end if close < 0 else close
                if '"' in line[at:close]:
                    return None
                cells.append(line[at:close])
                at = close
            if at >= end:
                return cells
            at += 1

    @staticmethod
    def _closing(line: str, at: int) -> int:
        while True:
            at = line.find('"', at)
            if at < 0:
                return len(line)
            if line[at + 1 : at + 2] != '"':
                return at
            at += 2


def quoted(cells: list[str]) -> str:
    """A line of a result file: every value in quotes."""
    line = '"' + '","'.join(cells) + '"'
    if line.count('"') == 2 * len(cells):
        return line
    return '"' + '","'.join([cell.replace('"', '""') for cell in cells]) + '"'
