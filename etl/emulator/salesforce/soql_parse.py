"""SOQL text to a tree (SOQL and SOSL Reference, "SOQL SELECT Syntax"); names are not looked up here."""

from __future__ import annotations

import re
from typing import NamedTuple

from etl.emulator.salesforce.errors import ApiError
from etl.emulator.salesforce.soql_tree import Compare, Condition, Item, Junction, Literal, Order, Select

LONGEST = 100_000
FUNCTIONS = ("COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG")
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>'(?:[^'\\]|\\.)*')
  | (?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
  | (?P<date>\d{4}-\d\d-\d\d)
  | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<name>[A-Za-z_][\w.]*(?::\d+)?)
  | (?P<sign><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class Token(NamedTuple):
    """A piece of the text: its kind, itself, and where it stands."""

    kind: str
    text: str
    at: int


def malformed(message: str) -> ApiError:
    """The error of a query that cannot be read."""
    return ApiError(400, "MALFORMED_QUERY", message)


def parse(text: str) -> Select:
    """The tree of a query; ApiError MALFORMED_QUERY when it is none."""
    if len(text) > LONGEST:
        raise malformed(f"SOQL statements cannot be longer than {LONGEST} characters.")
    parser = _Parser(text)
    made = parser.select()
    if parser.peek().kind != "end":
        raise parser.unexpected()
    return made


def unescape(quoted: str, *, pattern: bool = False) -> str:
    r"""The text of a quoted string, its backslashes resolved; in a LIKE pattern those before % _ \\ stay."""
    inner = quoted[1:-1]
    if "\\" not in inner:
        return inner
    kept = "%_\\" if pattern else ""

    def resolved(found: re.Match[str]) -> str:
        return found[0] if found[1] in kept else _ESCAPES.get(found[1].lower(), found[1])

    return re.sub(r"\\(.)", resolved, inner, flags=re.DOTALL)


def _tokens(text: str) -> list[Token]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise malformed(f"unexpected token: '{text[at:].strip()[:20]}'")
        kind = match.lastgroup or ""
        found.append(Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return [*found, Token("end", "", end)]


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0

    def peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._next + ahead, len(self._tokens) - 1)]

    def take(self) -> Token:
        token = self.peek()
        self._next += 1
        return token

    def is_word(self, *words: str, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token.kind == "name" and token.text.upper() in words

    def is_sign(self, sign: str, ahead: int = 0) -> bool:
        token = self.peek(ahead)
        return token.kind == "sign" and token.text == sign

    def skip_words(self, *words: str) -> bool:
        if all(self.is_word(word, ahead=place) for place, word in enumerate(words)):
            self._next += len(words)
            return True
        return False

    def skip_sign(self, sign: str) -> bool:
        if self.is_sign(sign):
            self._next += 1
            return True
        return False

    def unexpected(self) -> ApiError:
        token = self.peek()
        return malformed(f"unexpected token: '{token.text or '<EOF>'}'")

    def need(self, *, word: str = "", sign: str = "") -> None:
        if not (self.skip_words(word) if word else self.skip_sign(sign)):
            raise self.unexpected()

    def name(self) -> str:
        if self.peek().kind != "name":
            raise self.unexpected()
        return self.take().text

    def integer(self) -> int:
        token = self.take()
        if token.kind != "number" or not token.text.isdigit():
            raise malformed(f"unexpected token: '{token.text}'")
        return int(token.text)

    def select(self) -> Select:
        self.need(word="SELECT")
        items = [self.item()]
        while self.skip_sign(","):
            items.append(self.item())
        self.need(word="FROM")
        made = Select(items, self.name())
        made.alias = self.alias("WHERE", "GROUP", "ORDER", "LIMIT", "OFFSET", "FOR", "WITH", "ALL")
        if self.skip_words("WHERE"):
            made.where = self.condition()
        self._tail(made)
        return made

    def _tail(self, made: Select) -> None:
        if self.skip_words("GROUP", "BY"):
            made.group = [self.name()]
            while self.skip_sign(","):
                made.group.append(self.name())
        if self.skip_words("ORDER", "BY"):
            made.order = [self.order()]
            while self.skip_sign(","):
                made.order.append(self.order())
        if self.skip_words("LIMIT"):
            made.limit = self.integer()
        if self.skip_words("OFFSET"):
            made.offset = self.integer()

    def item(self) -> Item:
        if self.is_sign("("):
            raise malformed("child subqueries are not offered by this emulator")
        name = self.name()
        if not self.skip_sign("("):
            return Item(name, "", self._item_alias())
        if name.upper() == "FIELDS":
            made = Item(self.name().upper(), "FIELDS")
        elif name.upper() in FUNCTIONS:
            made = Item("" if self.is_sign(")") else self.name(), name.upper())
        else:
            raise malformed(f"unexpected token: '{name}'")
        self.need(sign=")")
        made.alias = self._item_alias()
        return made

    def _item_alias(self) -> str:
        return self.alias("FROM", "ASC", "DESC", "NULLS", "LIMIT", "OFFSET")

    def alias(self, *not_these: str) -> str:
        """A name that stands here by itself, unless it is one of the words that go on with the query."""
        return self.take().text if self.peek().kind == "name" and not self.is_word(*not_these) else ""

    def order(self) -> Order:
        made = Order(self.item())
        if self.skip_words("DESC"):
            made.descending = True
        else:
            self.skip_words("ASC")
        if self.skip_words("NULLS", "LAST"):
            made.nulls_last = True
        else:
            self.skip_words("NULLS", "FIRST")
        return made

    def condition(self) -> Condition:
        """AND and OR may not be mixed without parentheses (SOQL guide, "Logical Operators")."""
        first = self.factor()
        for word in ("AND", "OR"):
            if not self.is_word(word):
                continue
            parts = [first]
            while self.skip_words(word):
                parts.append(self.factor())
            if self.is_word("AND", "OR"):
                raise self.unexpected()
            return Junction(word, parts)
        return first

    def factor(self) -> Condition:
        if self.skip_words("NOT"):
            return Junction("NOT", [self.factor()])
        if self.skip_sign("("):
            made = self.condition()
            self.need(sign=")")
            return made
        return self.compare()

    def compare(self) -> Compare:
        path = self.name()
        if self.skip_words("LIKE"):
            return Compare(path, "LIKE", [self.literal(pattern=True)])
        if self.skip_words("IN"):
            return self._in(Compare(path, "IN", []))
        if self.skip_words("NOT", "IN"):
            return self._in(Compare(path, "NOT IN", []))
        token = self.take()
        if token.kind != "sign" or token.text not in ("=", "!=", "<>", "<", "<=", ">", ">="):
            raise malformed(f"unexpected token: '{token.text or '<EOF>'}'")
        return Compare(path, "!=" if token.text == "<>" else token.text, [self.literal()])

    def _in(self, made: Compare) -> Compare:
        self.need(sign="(")
        if self.is_word("SELECT"):
            made.sub = self.select()
        else:
            made.values.append(self.literal())
            while self.skip_sign(","):
                made.values.append(self.literal())
        self.need(sign=")")
        return made

    def literal(self, *, pattern: bool = False) -> Literal:
        token = self.take()
        if token.kind == "string":
            return Literal("string", unescape(token.text, pattern=pattern))
        if token.kind in ("moment", "date", "number"):
            return Literal(token.kind, token.text)
        low = token.text.lower()
        if token.kind == "name" and low in ("true", "false"):
            return Literal("boolean", low)
        if token.kind == "name" and low == "null":
            return Literal("null", low)
        if token.kind == "name":
            return Literal("range", token.text.upper())
        raise malformed(f"unexpected token: '{token.text or '<EOF>'}'")
