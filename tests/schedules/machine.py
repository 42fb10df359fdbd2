"""The state machine that Hypothesis drives: faults are armed, somebody acts, and everything is checked each time."""

from __future__ import annotations

from typing import ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from mesoinjector import Injector
from tests.schedules.cover import DURING
from tests.schedules.faults import KINDS, MESSAGES, Do, Fault
from tests.schedules.play import Play, Wrong
from tests.schedules.primed import copied
from tests.schedules.tally import Tally

AT = st.one_of(st.integers(0, 7), st.integers(0, 400), st.integers(0, 5_000))
REST_MS = st.sampled_from((10, 300, 1_000, 5_000, 20_000))


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

    @rule(message=st.sampled_from(DURING), k=st.integers(1, 20), kind=st.sampled_from(KINDS), at=AT)
    def fault_in_a_dose(self, message: str, k: int, kind: str, at: int) -> None:
        self._do(Fault(message, k, kind, at))

    @rule(message=st.sampled_from(MESSAGES), k=st.integers(1, 3), kind=st.sampled_from(KINDS), at=AT)
    def fault(self, message: str, k: int, kind: str, at: int) -> None:
        self._do(Fault(message, k, kind, at))

    @rule(nl=st.integers(20_000, 30_000))
    def dose(self, nl: int) -> None:
        self._do(Do("dose", nl))

    @rule(ms=st.integers(0, 2_500))
    def dose_with_stop(self, ms: int) -> None:
        self._do(Do("stop later", ms))
        self._do(Do("dose", 20_000))

    @rule(strokes=st.integers(1, 30))
    def run(self, strokes: int) -> None:
        self._do(Do("run", strokes))
        self._do(Do("strokes"))

    @rule()
    def new_treatment(self) -> None:
        self._do(Do("treatment"))
        self._do(Do("prime", 50_000))

    @rule()
    def look_after_it(self) -> None:
        for what in ("connect", "acknowledge", "clear"):
            self._do(Do(what))

    @rule(what=st.sampled_from(("connect", "stop", "clear", "acknowledge", "status")))
    def act(self, what: str) -> None:
        self._do(Do(what))

    @rule(n=st.integers(1, 3))
    def read_the_ledger(self, n: int) -> None:
        self._do(Do("ledger", n))

    @rule(ms=REST_MS)
    def rest(self, ms: int) -> None:
        self._do(Do("rest", ms))

    def teardown(self) -> None:
        note(f"schedule = {self.play.schedule!r}")
        if not self._broken:
            self.play.finish()
            self.tally.take(self.play)
