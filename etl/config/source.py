"""YAML text to plain values with the line of each; it knows no key of the settings and reads no file.

Faults are collected, never raised, except that text which is no YAML at all has one fault and no values. No message
repeats a value of the file: a parser that quotes the line it stumbled over would quote passwords.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

Place = tuple[str | int, ...]
"""Where a value is: `("portals", 0, "url")`; the empty tuple is the whole file."""
_DEEPEST = 20
_MOST_NODES = 100_000
_MERGE = "tag:yaml.org,2002:merge"
_QUOTE = "put the text in quotes"


class Fault(NamedTuple):
    """One thing wrong: the line (0: the file as a whole), the place, what it is."""

    line: int
    place: Place
    what: str


@dataclass
class Source:
    """What a file says: its values, the line of every place, the places left empty, and what is wrong so far."""

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)
    empty: set[Place] = field(default_factory=set)
    """Keys written without a value; they count as left out."""
    faults: list[Fault] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """Return the line of a place, or of the nearest place around it that the file has."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 0)

    def blame(self, place: Place, what: str) -> None:
        """Add a fault at a place."""
        self.faults.append(Fault(self.line(place), place, what))


def parse(text: str) -> Source:
    """Return the values of YAML text with the line of every place; what cannot be read is a fault in the result."""
    source = Source()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        source.faults.append(Fault(mark.line + 1 if mark else 0, (), _syntax(error)))
    except yaml.YAMLError:
        source.faults.append(Fault(0, (), "is not YAML: it holds a character that no YAML text may hold"))
    except RecursionError:
        source.faults.append(Fault(0, (), "is nested too deeply"))
    else:
        if isinstance(node, yaml.MappingNode):
            source.values = _Walk(source).mapping(node, ())
        else:
            what = "is empty" if node is None else "must hold keys and values, such as `portals:`"
            source.faults.append(Fault(0 if node is None else node.start_mark.line + 1, (), what))
    return source


def _syntax(error: yaml.MarkedYAMLError) -> str:
    problem = re.sub(r"(['\"]).*\1", "...", error.problem or "", flags=re.DOTALL)
    return f"is not YAML: {problem}; a text with special characters needs quotes"


class _Walk:
    """One walk over the nodes: plain values out, lines and faults into the source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.read = yaml.constructor.SafeConstructor()
        self.nodes = 0
        self.merged: set[int] = set()

    def value(self, node: yaml.Node, place: Place) -> Any:
        self.nodes += 1
        if len(place) > _DEEPEST or self.nodes > _MOST_NODES:  # also ends an alias that holds itself
            if not any(fault.what == "is nested too deeply" for fault in self.source.faults):
                self.source.blame(place[:1], "is nested too deeply")
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.item(item, (*place, i)) for i, item in enumerate(node.value)]
        return self.scalar(node, place)

    def item(self, node: yaml.Node, place: Place) -> Any:
        self.source.lines[place] = node.start_mark.line + 1
        return self.value(node, place)

    def scalar(self, node: yaml.Node, place: Place) -> Any:
        try:
            return self.read.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError):
            self.source.blame(place, f"cannot be read: {_QUOTE}")
            return ""

    def mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        self.source.lines.setdefault(place, node.start_mark.line + 1)
        if id(node) not in self.merged:
            self.duplicates(node, place)
            self.merge(node, place)
        values: dict[str, Any] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            inner = (*place, key.value)
            self.source.lines[inner] = key.start_mark.line + 1
            value = self.value(child, inner)
            if value is None:
                self.source.empty.add(inner)
            else:
                self.source.empty.discard(inner)
                values[key.value] = value
        return values

    def merge(self, node: yaml.MappingNode, place: Place) -> None:
        # `<<: *defaults`: PyYAML puts the merged pairs in front, so that own ones win; it changes the node
        self.merged.add(id(node))
        lines = [key.start_mark.line + 1 for key, _ in node.value if key.tag == _MERGE]
        try:
            self.read.flatten_mapping(node)
        except (yaml.YAMLError, RecursionError):
            node.value = [pair for pair in node.value if pair[0].tag != _MERGE]
            self.source.faults.append(Fault(lines[0] if lines else 0, place, "`<<` must name a mapping"))

    def duplicates(self, node: yaml.MappingNode, place: Place) -> None:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.source.faults.append(Fault(line, place, "a key must be plain text"))
            elif key.value in seen:
                what = f"is given twice, first on line {seen[key.value]}"
                self.source.faults.append(Fault(line, (*place, key.value), what))
            else:
                seen[key.value] = line
