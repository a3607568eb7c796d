"""Checks Salesforce metadata files against the Metadata API's own definition; it knows no object of ours.

The definition is the `metadata.wsdl` that simple-salesforce carries (Metadata API 63.0). Checked are the element names,
their types and enumerations, that nothing required is missing and that nothing stands twice or torn apart, which a
deployment refuses ("duplicated at this location"). Lengths, references and an org's own rules are not in the WSDL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import groupby
from pathlib import Path

from lxml import etree

XSD = "{http://www.w3.org/2001/XMLSchema}"
NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


@dataclass(frozen=True)
class Element:
    """An element that a type allows: its own type, and how often it may and must stand."""

    type: str
    required: bool
    repeats: bool


@dataclass
class Definition:
    """The types of the Metadata API: the elements of each, the type each extends, and the enumerations."""

    elements: dict[str, dict[str, Element]] = field(default_factory=dict)
    extends: dict[str, str] = field(default_factory=dict)
    enumerations: dict[str, frozenset[str]] = field(default_factory=dict)

    def of(self, name: str) -> dict[str, Element]:
        """Return the elements of a type with those of the types it extends."""
        inherited = self.of(self.extends[name]) if name in self.extends else {}
        return inherited | self.elements[name]


def _local(qualified: str) -> str:
    return qualified.rpartition(":")[2]


def definition() -> Definition:
    """Read the WSDL inside simple-salesforce."""
    root = etree.fromstring(files("simple_salesforce").joinpath("metadata.wsdl").read_bytes(), _PARSER)
    found = Definition()
    for simple in root.iter(XSD + "simpleType"):
        found.enumerations[simple.get("name")] = frozenset(e.get("value") for e in simple.iter(XSD + "enumeration"))
    for kind in root.iter(XSD + "complexType"):
        if not (name := kind.get("name")):
            continue
        found.elements[name] = {
            e.get("name"): Element(
                _local(e.get("type", "")), e.get("minOccurs") != "0", e.get("maxOccurs") == "unbounded"
            )
            for e in kind.iter(XSD + "element")
            if e.get("name")
        }
        for extension in kind.iter(XSD + "extension"):
            found.extends[name] = _local(extension.get("base"))
    return found


def _fits(text: str, kind: str) -> bool:
    """Say whether a text is a value of an XML Schema type; texts of types not named here are not judged."""
    if kind == "boolean":
        return text in ("true", "false")
    if kind == "int":
        return text.removeprefix("-").isdigit()
    return True


def _value_faults(text: str, kind: str, known: Definition) -> Iterator[str]:
    values = known.enumerations.get(kind)
    if values and text not in values:
        yield f"{text!r} is no {kind}"
    if not _fits(text, kind):
        yield f"{text!r} is no {kind}"


def _order_faults(names: list[str], allowed: dict[str, Element]) -> Iterator[str]:
    blocks = [(name, len(list(group))) for name, group in groupby(names)]
    for name in dict.fromkeys(names):
        if name in allowed and not allowed[name].repeats and names.count(name) > 1:
            yield f"{name} stands {names.count(name)} times"
        elif sum(block == name for block, _ in blocks) > 1:
            yield f"{name} is torn apart: equal elements stand together"
    yield from (f"{name} is missing" for name, element in allowed.items() if element.required and name not in names)


def _faults(node: etree._Element, kind: str, known: Definition) -> Iterator[str]:
    allowed = known.of(kind)
    children = [child for child in node if isinstance(child.tag, str)]
    names = [etree.QName(child).localname for child in children]
    yield from (f"line {node.sourceline}: {fault} in {kind}" for fault in _order_faults(names, allowed))
    for child, name in zip(children, names, strict=True):
        if name not in allowed:
            yield f"line {child.sourceline}: {kind} has no element {name}"
        elif allowed[name].type in known.elements:
            yield from _faults(child, allowed[name].type, known)
        else:
            text = child.text or ""
            yield from (f"line {child.sourceline}: {name}: {f}" for f in _value_faults(text, allowed[name].type, known))


def _name_faults(path: Path, root: etree._Element) -> Iterator[str]:
    """Source format: the file is named after the component and its kind."""
    stem, _, suffix = path.name.partition(".")
    kind = suffix.removesuffix("-meta.xml")
    wanted = {
        "object": "CustomObject",
        "field": "CustomField",
        "permissionset": "PermissionSet",
        "listView": "ListView",
    }
    if wanted.get(kind) != etree.QName(root).localname:
        yield f"a .{kind} file holds {etree.QName(root).localname}"
    full_name = root.findtext(f"{{{NAMESPACE}}}fullName")
    if full_name not in (None, stem):
        yield f"the file is named {stem}, its component {full_name}"


def check(path: Path, known: Definition) -> list[str]:
    """Return what is wrong with one metadata file, each fault with its line; an empty list when all is well."""
    try:
        root = etree.parse(path, _PARSER).getroot()
    except etree.XMLSyntaxError as error:
        return [f"not well-formed: {error}"]
    kind = etree.QName(root).localname
    if etree.QName(root).namespace != NAMESPACE or kind not in known.elements:
        return [f"{kind} is no kind of metadata in {NAMESPACE}"]
    return [*_name_faults(path, root), *_faults(root, kind, known)]
