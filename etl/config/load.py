"""Loading the configuration: one file in, settings out, or one `ConfigFault` that tells every fault with its place."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from etl.config.checks import cross_faults
from etl.config.models import Settings
from etl.config.references import ReadFile, References, printable, read_secret
from etl.config.source import Fault, Place, Source, parse
from etl.config.values import Rejected
from etl.errors import ConfigFault

_LARGEST = 1_000_000
_WORDS = {
    "string_type": "must be text (a number, a date, yes and no need quotes)",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must hold keys and values",
    "model_type": "must hold keys and values",
    "path_type": "must be text (a number, a date, yes and no need quotes)",
    "too_short": "must have at least one entry",
}
_LIMITS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def load(path: Path, environ: Mapping[str, str], *, read_file: ReadFile = read_secret) -> Settings:
    """Return the settings of a YAML file; `environ` and `read_file` are what its references lead to.

    ConfigFault holds every fault, one line each, sorted by line; no message holds a value that a reference stands
    for, or any value of a secret key.
    """
    source = parse(_read(path))
    references = References(source, environ, read_file)
    values = references.resolve(source.values)
    settings = None
    if values or not source.faults:
        try:
            settings = Settings.model_validate(values)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                _tell(detail, source, references)
        _tell_empty(source)
        for place, what in cross_faults(values, references):
            source.blame(place, what)
    if source.faults or settings is None:
        raise _fault(path, source.faults) from None
    return settings


def _read(path: Path) -> str:
    shown = printable(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        what = f"{shown}: the configuration cannot be read: {error.strerror or type(error).__name__}"
        if isinstance(error, FileNotFoundError):
            what += "; name it by --config or LEARNUPON_SYNC_CONFIG (config/learnupon-sync.example.yaml is a start)"
        raise ConfigFault(what, (what,)) from None
    if len(data) > _LARGEST:
        raise _fault(path, [Fault(0, (), f"is larger than {_LARGEST:,} bytes: this is no configuration")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _fault(path, [Fault(line, (), "is not UTF-8 text")]) from None


def _fault(path: Path, faults: list[Fault]) -> ConfigFault:
    lines = tuple(dict.fromkeys(_line(path, fault) for fault in sorted(faults, key=lambda fault: fault.line)))
    heading = "the configuration has a fault:" if len(lines) == 1 else f"the configuration has {len(lines)} faults:"
    return ConfigFault("\n".join((heading, *lines)), lines)


def _line(path: Path, fault: Fault) -> str:
    at = f"{printable(str(path))}:{fault.line}" if fault.line else printable(str(path))
    return f"{at}: {dotted(fault.place)}: {fault.what}" if fault.place else f"{at}: {fault.what}"


def dotted(place: Place) -> str:
    """Return a place as people write it: `portals[0].url`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{_key(part)}"
    return text.removeprefix(".")


def _key(text: str) -> str:
    # cut where no key of ours goes on: what follows may be a value that lost its blank, `{password:hunter2}`
    start = re.match(r"[A-Za-z0-9_.-]{0,60}", text)
    return text if start and start[0] == text else (start[0] if start else "") + "..."


def _tell(detail: ErrorDetails, source: Source, references: References) -> None:
    """Turn one finding of pydantic into faults in plain words; findings about unresolved references are left out."""
    place: Place = tuple(part for part in detail["loc"] if part != "[key]")
    unresolved = any(place[: len(failed)] == failed for failed in references.failed)
    entries_failed = detail["type"] == "too_short" and (*place, 0) in source.lines
    if entries_failed or (unresolved and detail["type"] != "extra_forbidden"):
        return
    about_the_key = detail["type"] in {"extra_forbidden", "missing"}
    used = () if about_the_key else references.used.get(place, ())
    origin = f" (the value of {' and '.join(printable(one) for one in used)})" if used else ""
    for what in _what(detail, place, source):
        source.blame(place, what + origin)


def _tell_empty(source: Source) -> None:
    """Blame keys without a value that are no keys at all, or that need one; others count as left out."""
    known = set(all_keys())
    for place in source.empty:
        plain = tuple(part for part in place if isinstance(part, str))
        if plain[:-1] == ("rules", "status_labels"):
            source.blame(place, "has no value")
        elif plain not in known and (len(plain) == 1 or plain[:-1] in known):
            source.blame(place, _unknown(place))


def _what(detail: ErrorDetails, place: Place, source: Source) -> Iterator[str]:
    kind, context = detail["type"], detail.get("ctx", {})
    rejected = context.get("error")
    if isinstance(rejected, Rejected):
        yield from rejected.faults
    elif kind == "missing":
        yield "has no value" if place in source.empty else "missing"
    elif kind == "extra_forbidden":
        yield _unknown(place)
    elif kind == "literal_error":
        yield "must be " + str(context.get("expected", "")).replace("'", "")
    elif kind in _LIMITS:
        words, limit = _LIMITS[kind]
        yield f"must be {words} {context.get(limit)}"
    else:
        yield _WORDS.get(kind, "is not a fitting value")


def _unknown(place: Place) -> str:
    key, known = str(place[-1]), _keys_at(place[:-1])
    near = difflib.get_close_matches(key.lower(), known, 1)
    if near:
        return f"unknown key, did you mean {near[0]}?"
    elsewhere = [full for full in all_keys() if full[-1] == key.lower()]
    if elsewhere:
        return f"unknown key here, did you mean {dotted(elsewhere[0])}?"
    near = difflib.get_close_matches(key.lower(), known, 1, cutoff=0.4)
    if near:
        return f"unknown key, did you mean {near[0]}?"
    return f"unknown key; the keys here are {', '.join(known)}"


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the settings model inside a type, if there is one: of a section, or of each entry of a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {tuple, Union, types.UnionType}:
        return next(filter(None, map(_model, get_args(annotation))), None)
    return None


def _keys_at(place: Place) -> list[str]:
    model: type[BaseModel] = Settings
    for part in place:
        if isinstance(part, str):
            model = _model(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def all_keys(model: type[BaseModel] = Settings, place: Place = ()) -> Iterator[Place]:
    """Yield the place of every key of the settings, entries of lists without their number."""
    for name, field in model.model_fields.items():
        yield (*place, name)
        inner = _model(field.annotation)
        if inner:
            yield from all_keys(inner, (*place, name))
