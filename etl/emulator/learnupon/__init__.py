"""LearnUpon's REST API v1 as documented and measured, served from rows in memory; read side only."""

from etl.emulator.learnupon.api import LearnUponApp
from etl.emulator.learnupon.knobs import Knobs
from etl.emulator.learnupon.portal import Portal
from etl.emulator.learnupon.store import LearnUponStore

__all__ = ["Knobs", "LearnUponApp", "LearnUponStore", "Portal"]
