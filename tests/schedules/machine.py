"""The state machine that Hypothesis drives: faults are armed, somebody acts, and everything is checked each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from mesoinjector import Injector
from mesosim.lab.frames import KINDS, MESSAGES, Fault
from mesosim.lab.schedules.cover import DURING
from mesosim.lab.schedules.play import Play, Wrong
from mesosim.lab.schedules.primed import copied
from mesosim.lab.schedules.words import Do
from tests.schedules.tally import Tally

REST_MS = st.sampled_from((10, 300, 1_000, 5_000, 20_000))


def faults(messages: Sequence[str], most: int, k: int) -> st.SearchStrategy[list[Fault]]:
    """At most so many faults, each of the first k frames of one of these messages."""
    at = st.one_of(st.integers(0, 7), st.integers(0, 400), st.integers(0, 5_000))
    fault = st.builds(Fault, st.sampled_from(messages), st.integers(1, k), st.sampled_from(KINDS), at)
    return st.lists(fault, min_size=1, max_size=most)


IN_DOSE = faults(DURING, 3, 12)
IN_RUN = faults(("PrepareRun", "StrokeRecordsEvent", *DURING), 3, 3)
ANYWHERE = faults(MESSAGES, 2, 2)


class Schedules(RuleBasedStateMachine):
    """One device and its hosts; each example is one schedule."""

    tally: ClassVar[Tally]
    host_type: ClassVar[type[Injector]] = Injector

    def __init__(self) -> None:
        super().__init__()
        self.play = Play(copied(1), self.host_type)
        self._broken = False

    def _do(self, item: Fault | Do) -> None:
        try:
            self.play.do(item)
        except Wrong:
            self._broken = True
            raise

    def _all(self, *items: Fault | Do) -> None:
        for item in items:
            self._do(item)

    @rule(nl=st.integers(20_000, 30_000), faults=IN_DOSE)
    def dose(self, nl: int, faults: list[Fault]) -> None:
        self._all(*faults, Do("dose", nl))

    @rule(ms=st.integers(0, 2_500), faults=st.one_of(IN_DOSE, ANYWHERE))
    def dose_with_stop(self, ms: int, faults: list[Fault]) -> None:
        self._all(*faults, Do("stop later", ms), Do("dose", 20_000))

    @rule(strokes=st.integers(1, 30), faults=IN_RUN)
    def run(self, strokes: int, faults: list[Fault]) -> None:
        self._all(*faults, Do("run", strokes), Do("strokes"))

    @rule(faults=ANYWHERE)
    def new_treatment(self, faults: list[Fault]) -> None:
        self._all(*faults, Do("treatment"), Do("prime", 50_000))

    @rule(faults=ANYWHERE)
    def look_after_it(self, faults: list[Fault]) -> None:
        self._all(*faults, Do("connect"), Do("acknowledge"), Do("clear"))

    @rule(what=st.sampled_from(("connect", "stop", "clear", "acknowledge", "status", "ledger")), faults=ANYWHERE)
    def act(self, what: str, faults: list[Fault]) -> None:
        self._all(*faults, Do(what, 1))

    @rule(ms=REST_MS)
    def rest(self, ms: int) -> None:
        self._do(Do("rest", ms))

    def teardown(self) -> None:
        note(f"schedule = {self.play.schedule!r}")
        if not self._broken:
            # one dose more, so that what is still on its way can do harm
            self._all(Do("connect"), Do("acknowledge"), Do("clear"), Do("dose", 20_000))
            self.play.finish()
            self.tally.take(self.play)
