"""Asking who is there: in virtual time, beside somebody's dose, session and keys. The plant is the witness."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mesoinjector import Delivered, Injector, VersionMismatch, probing
from mesoinjector.links import VIRTUAL_DAY
from mesoprotocol import limits
from mesosim.lab.link import Killed, MortalLink
from tests.bench_of_one import Bench, after_flow
from tests.host.ports import reply

UID = "4d53494d01000000"


def test_a_device_that_nobody_uses_says_who_it_is(bench: Bench) -> None:
    answer = probing.ask(MortalLink("sim", bench.device, 5))
    assert (answer.state, answer.uid) == ("idle", UID)
    assert answer.hello and answer.hello.session == 0
    assert probing.judge("sim", answer) is None


@pytest.mark.parametrize("keyed", [False, True])
def test_a_dose_under_way_is_given_as_if_nobody_had_asked(bench: Bench, keyed: bool) -> None:
    injector = bench.keyed() if keyed else bench.ready()
    if keyed:
        injector.begin_treatment()
        injector.prime(0.1)
    before = bench.plant()["tip_nl"]
    _, question = probing.write_question(injector.link)
    injector.listen(after_flow(10_000, lambda: [injector.link.write(question) for _ in range(3)]))
    result = injector.dose(volume_ml=0.05, depth_mm=1.0, zone="cheek")
    assert isinstance(result, Delivered) and result.complete and bench.plant()["needle_home"]
    assert abs(bench.plant()["tip_nl"] - before - 50_000) < 2_500
    assert injector.losses().dropped == 3  # answers to a stranger
    assert injector.status().next_n == result.n + 1


def test_who_asks_beside_a_dose_is_told_its_state_and_no_name(bench: Bench) -> None:
    injector = bench.ready()
    asked: list[probing.Answer] = []
    stranger = MortalLink("sim", bench.device, 5)
    injector.listen(after_flow(5_000, lambda: asked.append(probing.ask(stranger))))
    result = injector.dose(volume_ml=0.1, depth_mm=1.0, zone="cheek")
    assert asked == [("running", None)]
    assert isinstance(result, Delivered) and result.complete


def test_a_session_outlives_being_asked_beside(bench: Bench) -> None:
    injector = bench.ready()
    answer = probing.ask(MortalLink("sim", bench.device, 5))
    assert answer.uid == injector.uid
    result = injector.dose(volume_ml=0.02, depth_mm=1.0, zone="cheek")
    assert isinstance(result, Delivered) and result.complete


def test_a_dose_whose_host_has_died_is_waited_for(here: Bench) -> None:
    injector = here.ready()
    link = here.link(injector)
    injector.listen(after_flow(5_000, lambda: setattr(link, "dead", True)))
    with pytest.raises(Killed):
        injector.dose(volume_ml=0.1, depth_mm=1.0, zone="cheek")
    answer = probing.ask(MortalLink("sim", here.device, 5), 15_000_000)
    assert (answer.state, answer.uid) == ("idle", UID)


class Peer:
    """A line in virtual time, and what answers on it: what `answer` makes of each write."""

    url, virtual = "peer", True

    def __init__(self, answer: Any, seed: int = 1) -> None:
        self._answer, self._random = answer, random.Random(seed)
        self._t, self._coming = 0, b""

    def now_us(self) -> int:
        return self._t

    def token(self, n: int) -> bytes:
        return self._random.randbytes(n)

    def today(self) -> Any:
        return VIRTUAL_DAY

    def write(self, data: bytes) -> None:
        self._coming += self._answer(data)

    def read(self, deadline_us: int) -> bytes:
        """One byte at a time, a millisecond each."""
        self._t = min(self._t + 1000, deadline_us)
        piece, self._coming = self._coming[:1], self._coming[1:]
        return piece

    def control(self, name: str, value: Any = 0) -> Any:
        return None

    def reopen(self, deadline_us: int) -> None:
        raise AssertionError

    def close(self) -> None:
        pass


TRACEBACK = b'Traceback (most recent call last):\r\n  File "main.py", line 1\r\nImportError: no module\r\n>>> '


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (lambda data: b"", "DeviceNotFound", "does not answer as a mesoinjector. Next"),
        (lambda data: data, "DeviceNotFound", "does not answer as a mesoinjector; it sent"),
        (lambda data: TRACEBACK, "FirmwareNotRunning", "ImportError: no module"),
        (lambda data: b"MicroPython v1.28.0\r\n>>> ", "FirmwareNotRunning", "flash the firmware again"),
        (lambda data: b"AT+GCAP\r\n\0\xff\0\0\x05\0", "DeviceNotFound", "it sent"),
    ],
)
def test_what_is_no_mesoinjector_is_an_error_in_time(answer: Any, error: str, said: str) -> None:
    peer = Peer(answer)
    with pytest.raises(Exception, match="Next") as raised:
        probing.ask(peer)
    assert type(raised.value).__name__ == error and said in str(raised.value)
    assert probing.SILENT_US <= peer.now_us() < probing.SILENT_US + 1_000_000


def test_old_bytes_that_dribble_and_a_lost_answer_do_no_harm(here: Bench) -> None:
    told = here.connect().hello
    lost = [b"", b"\0\x07old bytes of before"]

    def answer(data: bytes) -> bytes:
        return lost.pop() if lost else reply(data, told)

    assert probing.ask(Peer(answer)).uid == UID


@pytest.mark.parametrize(
    ("changed", "side"),
    [
        ({"major_min": 2, "major_max": 3}, "update this host"),
        ({"major_min": 0, "major_max": 0}, "update the device's firmware"),
        ({"limits_crc": b"\1\2\3\4"}, "the same release"),
    ],
)
def test_both_directions_of_skew_say_which_side_to_update(here: Bench, changed: dict[str, Any], side: str) -> None:
    told = here.connect().hello._replace(**changed)
    skew = probing.judge("port", probing.ask(Peer(lambda data: reply(data, told))))
    assert isinstance(skew, VersionMismatch) and side in str(skew)
    assert limits.fingerprint() != b"\1\2\3\4"


def test_what_is_sent_spares_another_micropython_board() -> None:
    for seed in range(50):
        _, question = probing.write_question(Peer(lambda data: b"", seed))
        assert not {3, 4, 5}.intersection(question)


def test_opening_says_the_same(here: Bench) -> None:
    told = here.connect().hello._replace(major_min=2, major_max=3)
    with pytest.raises(VersionMismatch, match="update this host"):
        Injector(Peer(lambda data: reply(data, told)), here.connect().journal)
