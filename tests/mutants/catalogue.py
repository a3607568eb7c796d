"""All planted bugs, in the order of their themes; it plants none."""

from __future__ import annotations

from mutants import (
    access,
    decisions,
    guards,
    harnesses,
    mirrors,
    plans,
    reading,
    settings,
    state,
    unlisted,
    values,
    words,
    writing,
)

_THEMES = (
    *reading.MUTANTS,
    *values.MUTANTS,
    *decisions.MUTANTS,
    *unlisted.MUTANTS,
    *writing.MUTANTS,
    *access.MUTANTS,
    *guards.MUTANTS,
    *settings.MUTANTS,
    *plans.MUTANTS,
    *state.MUTANTS,
    *mirrors.MUTANTS,
    *words.MUTANTS,
)
MUTANTS = (*_THEMES, *harnesses.judged_alone(_THEMES))
