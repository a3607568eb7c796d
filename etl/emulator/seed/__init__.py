"""Invented portals and the Salesforce people who go with them, the same for a seed; no server, no rule of a sync."""

from etl.emulator.seed.generate import World, generate
from etl.emulator.seed.load import load
from etl.emulator.seed.night import night
from etl.emulator.seed.shape import Shape

__all__ = ["Shape", "World", "generate", "load", "night"]
