"""Bench scales: what each protocol says, golden byte by byte, and what is wrong with one, by name."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesoinjector import errors, scale
from mesosim.scale import FAULTS, BenchScale


class Told:
    """A line on which each request is answered by the next of a list; its clock goes on as it is waited for."""

    def __init__(self, *answers: bytes, clock_us: int = 0) -> None:
        """`clock_us`: how long each request takes."""
        self.answers = list(answers)
        self._clock_us = clock_us
        self.asked: list[bytes] = []
        self._coming = b""
        self._t = 0

    def now_us(self) -> int:
        return self._t

    def write(self, data: bytes) -> None:
        self.asked.append(data)
        self._t += self._clock_us
        self._coming += self.answers.pop(0) if self.answers else b""

    def read(self, deadline_us: int) -> bytes:
        came, self._coming = self._coming[:3], self._coming[3:]
        if not came:
            self._t = max(self._t, deadline_us)
        return came

    def close(self) -> None:
        pass


class Bench:
    """A simulated scale, the volume that lies on it, and the time there."""

    def __init__(self, protocol: str) -> None:
        self.t = 1_000_000
        self.nl = 0.0
        self.line = BenchScale(protocol, lambda: self.t, self._wait, lambda: self.nl)
        self.line.noise_ug = self.line.drift_ug_per_s = self.line.evaporation_ug_per_s = 0.0
        self.scale = scale.PROTOCOLS[protocol](self.line, "bench")

    def _wait(self, until_us: int) -> None:
        self.t = until_us


# --- Golden answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "ug"),
    [
        (b"S S     100.00 g\r\n", 100_000_000),
        (b"S S   0.020050 g\r\n", 20_050),
        (b"S S     -20.05 mg\r\n", -20_050),
        (b"S S  1.5 kg\r\n", 1_500_000_000),
    ],
)
def test_a_stable_mass_by_sics(said: bytes, ug: int) -> None:
    line = Told(said)
    assert scale.Sics(line, "it").weigh() == ug
    assert line.asked == [b"S\r\n"]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"S I\r\n", errors.ScaleUnstable),
        (b"S D     1.00 g\r\n", errors.ScaleUnstable),
        (b"S +\r\n", errors.ScaleOverload),
        (b"S -\r\n", errors.ScaleOverload),
        (b"ES\r\n", errors.ScaleGarbled),
        (b"ET\r\n", errors.ScaleGarbled),
        (b"EL\r\n", errors.ScaleGarbled),
        (b"S S 1.00 ct\r\n", errors.ScaleUnit),
        (b"S S 1.00\r\n", errors.ScaleUnit),
        (b"T S 1.00 g\r\n", errors.ScaleGarbled),
        (b"\r\n", errors.ScaleGarbled),
        (b"x" * 200, errors.ScaleGarbled),
        (b"", errors.ScaleSilent),
    ],
)
def test_what_sics_refuses(said: bytes, error: type[errors.ScaleError]) -> None:
    with pytest.raises(error, match=r"it: .*Next: "):
        scale.Sics(Told(said), "it").weigh()


def test_sics_tells_unstable_from_silent() -> None:
    line = Told(b"", b"S D    1.00 g\r\n")
    with pytest.raises(errors.ScaleUnstable):
        scale.Sics(line, "it").weigh()
    assert line.asked == [b"S\r\n", b"SI\r\n"]


def test_sics_tares_and_names_itself() -> None:
    line = Told(b"T S   12.34567 g\r\n", b'I4 A "B021002593"\r\n')
    it = scale.Sics(line, "it")
    it.tare()
    assert it.identity() == "B021002593"
    assert line.asked == [b"T\r\n", b"I4\r\n"]


@pytest.mark.parametrize(
    ("said", "ug"),
    [
        (b"+   20.050 mg \r\n", 20_050),
        (b"-  1.25570 g  \r\n", -1_255_700),
        (b"N     +  1.25570 g  \r\n", 1_255_700),
        (b"+  0,02005 g  \r\n", 20_050),
    ],
)
def test_a_stable_mass_by_sbi(said: bytes, ug: int) -> None:
    assert len(said) in (16, 22)
    line = Told(b"+  0.01000    \r\n", said)  # no unit: not stable yet
    assert scale.Sbi(line, "it").weigh() == ug
    assert line.asked == [b"\x1bP\r\n"] * 2


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"      H       \r\n", errors.ScaleOverload),
        (b"      L       \r\n", errors.ScaleOverload),
        (b"   Err 54     \r\n", errors.ScaleGarbled),
        (b"+  1.25570 ct \r\n", errors.ScaleUnit),
        (b"S S   1.00 g\r\n", errors.ScaleGarbled),
        (b"#!*           \r\n", errors.ScaleGarbled),
        (b"", errors.ScaleSilent),
    ],
)
def test_what_sbi_refuses(said: bytes, error: type[errors.ScaleError]) -> None:
    with pytest.raises(error, match=r"it: .*Next: "):
        scale.Sbi(Told(said), "it").weigh()


def test_sbi_is_tared_once_it_shows_nothing() -> None:
    old, new = b"+   10.0000 g \r\n", b"+    0.0001 g \r\n"
    scale.Sbi(Told(old, b"", old, old, new), "it").tare()
    with pytest.raises(errors.ScaleUnstable, match="Next: "):
        scale.Sbi(Told(old, b"", *[old] * 9, clock_us=5_000_000), "it").tare()


# --- The simulated ones ---------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["sics", "sbi"])
def test_what_falls_on_a_scale_is_weighed_in_air(protocol: str) -> None:
    bench = Bench(protocol)
    bench.scale.tare()
    bench.nl = 20_000.0
    before_us = bench.t
    assert bench.scale.weigh() == pytest.approx(20_000 / 1.0029, abs=10)  # Z at 20 C: ISO/TR 20461
    assert bench.t - before_us >= 2_000_000  # it had to come to rest


WRONG = {
    "never_stable": errors.ScaleUnstable,
    "overload": errors.ScaleOverload,
    "silent": errors.ScaleSilent,
    "garbage": errors.ScaleGarbled,
    "unit": errors.ScaleUnit,
}


@pytest.mark.parametrize("protocol", ["sics", "sbi"])
@pytest.mark.parametrize("fault", FAULTS[1:])
def test_each_fault_has_its_name_and_its_end(fault: str, protocol: str) -> None:
    bench = Bench(protocol)
    bench.line.fault = fault
    before_us = bench.t
    with pytest.raises(WRONG[fault]):
        bench.scale.weigh()
    assert bench.t - before_us <= (scale.STABLE_S + 2 * scale.ANSWER_S) * 1e6
    bench.line.fault = ""
    assert bench.scale.weigh() == 8_000_000  # what came late answers nothing


def test_a_scale_at_a_port() -> None:
    """Over a pty, in wall time; whoever waits reads."""
    near, far = os.openpty()
    bench = Bench("sics")

    def serve() -> None:
        asked = b""
        while not asked.endswith(b"\r\n"):
            asked += os.read(near, 16)
        bench.line.write(asked)
        os.write(near, bench.line.read(bench.t + 10_000_000))

    serving = threading.Thread(target=serve)
    serving.start()
    line = scale.SerialLine(os.ttyname(far))
    try:
        assert scale.Sics(line, "port").weigh() == 8_000_000
    finally:
        serving.join()
        line.close()
        os.close(near)
        os.close(far)


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(errors.ScaleSilent, match=r"/dev/nowhere.*Next: "):
        scale.open_scale("sics:/dev/nowhere", str)


@pytest.mark.parametrize(
    "spec", ["", "sics", "sics:", "mettler:/dev/x", "sbi:/dev/x?baud=x", "sbi:/dev/x?bits=9", "sics:/dev/x?stop=2"]
)
def test_what_is_no_scale_is_refused(spec: str) -> None:
    with pytest.raises(errors.PlanError, match="--scale"):
        scale.open_scale(spec, str)


# --- Values that are typed ------------------------------------------------------------------------------


def says(answer: str) -> Callable[[str], str]:
    return lambda _: answer


@pytest.mark.parametrize(
    ("said", "ug"), [("20.05", 20_050), (" 20,05 mg", 20_050), ("0.02005 g", 20_050), ("-1", -1_000)]
)
def test_what_is_typed(said: str, ug: int) -> None:
    assert scale.open_scale("typed", says(said)).weigh() == ug


@pytest.mark.parametrize("wrong", ["", "twenty", "20.0.5", "1 oz"])
def test_what_is_typed_wrong_is_asked_again(wrong: str) -> None:
    """A slip of the hand must not cost the doses before it."""
    answers, asked = [wrong, "20.05"], []

    def ask(question: str) -> str:
        asked.append(question)
        return answers.pop(0)

    assert scale.open_scale("typed", ask).weigh() == 20_050
    assert len(asked) == 2 and asked[1].startswith(f"{wrong!r} is no mass as in 20.05")


@given(st.binary(max_size=60), st.sampled_from(["sics", "sbi"]))
def test_no_bytes_are_a_mass_by_accident_or_an_error_without_a_name(said: bytes, protocol: str) -> None:
    try:
        scale.PROTOCOLS[protocol](Told(*[said + b"\r\n"] * 2), "it").weigh()
    except errors.ScaleError:
        return
    assert any(unit in said for unit in (b"g", b"\xb5"))
