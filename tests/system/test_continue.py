"""A treatment that was left, at any moment: it goes on where it stands. The plant is the witness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mesoinjector import Delivered, Injector, LinkLost, PlanError, Unknown, continuing
from mesoinjector.continuing import LONGEST
from mesoinjector.journal import Journal
from mesoinjector.plans import parse
from mesoinjector.results import Result
from mesoinjector.treatment import Progress, Treatment
from mesoprotocol import messages, wire
from mesosim.lab.link import Killed, MortalLink
from tests.bench_of_one import Bench, after_flow, after_strokes

METERED = """
[plan]
name = "Three"
mode = "metered"
points = 3
profile = "1ml-30G4-aqueous"
prime_ml = 0.1

[[zone]]
name = "cheek"
depth_mm = 1.5
volume_ml = 0.05
points = 1

[[zone]]
name = "cheekbone"
depth_mm = 1.5
volume_ml = 0.06
points = 1

[[zone]]
name = "chin"
depth_mm = 1.4
volume_ml = 0.07
points = 1
"""
FRACTIONAL = """
[plan]
name = "Two"
mode = "fractional"
strokes = 60
rate_per_min = 900
needles = 16

[[zone]]
name = "cheek"
depth_mm = 1.0
strokes = 40
area_cm2 = 40

[[zone]]
name = "cheek"
depth_mm = 0.8
strokes = 20
area_cm2 = 40
"""
MODES = {
    "metered": METERED,
    "retract = true": METERED.replace("prime_ml", "retract = true\nprime_ml"),
    "repeat": METERED.replace("metered", "repeat").replace("prime_ml", "stroke_ml = 0.02\nrate_per_min = 30\nprime_ml"),
    "perfusion": METERED.replace("metered", "perfusion").replace("prime_ml", "flow_ul_per_s = 20.0\nprime_ml"),
    "test": METERED.partition('\n\n[[zone]]\nname = "cheekbone')[0]
    .replace("metered", "test")
    .replace("points = 3", "points = 1")
    .replace("0.05", "0.02"),
}
POINTS = {50_000: 1, 60_000: 2, 70_000: 3}
"""By the volume that only one of them asks for: the device's ledger has no points.

Each is of more than the 2 s that a device finishes without its host."""


EVERY = 13
"""Of the moments of a host on the line; a sweep of each of them takes minutes."""


class CountedLink(MortalLink):
    """Its host dies at its n-th step: before, or right behind, something is sent."""

    steps = 0
    last = -1

    def write(self, data: bytes) -> None:
        """See `Link`."""
        self._step()
        super().write(data)
        self._step()

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.last:
            self.dead = True
            raise Killed


class MortalJournal(Journal):
    """Its host dies at its n-th row: before, or right behind, it is written."""

    steps = 0
    last = -1

    def _append(self, kind: str, device: str, dose_id: str | None, data: dict[str, Any]) -> int:
        self._step()
        row = super()._append(kind, device, dose_id, data)
        self._step()
        return row

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.last:
            raise Killed


def host(bench: Bench, seed: int = 2) -> tuple[Injector, CountedLink, MortalJournal]:
    link, journal = CountedLink("sim", bench.device, seed), MortalJournal(bench.journal)
    return Injector(link, journal), link, journal


def steps(make_bench: Callable[..., Bench], text: str) -> tuple[int, int]:
    """How many steps a whole treatment has on the line, and in the journal."""
    injector, link, journal = host(make_bench())
    begun = link.steps, journal.steps
    assert Treatment(injector, parse(text, "here")).run()
    return link.steps - begun[0], journal.steps - begun[1]


def uncertain(injector: Injector) -> list[int]:
    """The points that going on without a word is refused for."""
    standing = continuing.find(injector)
    if standing.uncertain:
        with pytest.raises(PlanError, match="none of it is given again"):
            Treatment.left(injector)
    return sorted(standing.uncertain)


def finished(bench: Bench) -> tuple[Injector, list[int]]:
    """Another host goes on, and leaves out what a person would; it and those points."""
    injector = bench.connect()
    for result in injector.resolved:
        if isinstance(result, Unknown):
            injector.acknowledge(result.dose_id, "mcurie-2")
    if injector.status().latches:
        injector.clear()
    skipped = uncertain(injector)
    treatment = Treatment.left(injector, skip=skipped)
    assert treatment.run() == (not skipped)
    assert treatment.ended_by == (f"left out: point {', '.join(map(str, skipped))}" if skipped else "complete")
    return injector, skipped


def judge(bench: Bench, injector: Injector, skipped: list[int], tip_nl: int) -> None:
    """Each point is given once, or is named; nothing else has left the needle, and the device's totals went on."""
    given = Counter(point_of(entry) for entry in ledger(injector) if entry.upper_nl)
    del given[0]
    assert set(given.values()) <= {1}
    whole = {point_of(entry) for entry in ledger(injector) if entry.dose_state == wire.DOSE_DONE} - {0}
    assert whole | set(skipped) == {1, 2, 3} and not whole & set(skipped)
    # the needle may have been in once more, where the line was lost before the plunger moved
    assert len(whole) <= bench.plant()["punctures"] <= sum(point_of(entry) > 0 for entry in ledger(injector))
    most_nl = sum(entry.upper_nl for entry in ledger(injector) if point_of(entry))
    assert bench.plant()["skin_nl"] <= most_nl <= sum(POINTS) * 1.05
    counted = sum(entry.delivered_nl for entry in ledger(injector))
    assert injector.status().delivered_nl == pytest.approx(counted, abs=1)
    low, high = (sum(getattr(entry, bound) for entry in ledger(injector)) for bound in ("lower_nl", "upper_nl"))
    assert low <= bench.plant()["tip_nl"] - tip_nl <= high


def point_of(entry: messages.OutcomeReply) -> int:
    """Which point; 0 for a prime."""
    return 0 if entry.mode == wire.MODE_PRIME else POINTS[entry.asked_nl]


def ledger(injector: Injector) -> list[messages.OutcomeReply]:
    return [injector.ledger(n) for n in range(1, injector.status().next_n)]


@pytest.mark.requirement("SR-25", "SR-26")
@pytest.mark.parametrize("where", ["journal", "line", "line, and the device starts anew"])
def test_a_host_that_dies_anywhere_doubles_nothing_and_loses_nothing(
    where: str, make_bench: Callable[..., Bench]
) -> None:
    """At each row of the journal, and at moments all along the line, before and behind a frame."""
    on_line, in_journal = steps(make_bench, METERED)
    for step in range(1, in_journal + 1) if where == "journal" else range(1, on_line + 1, EVERY):
        bench = make_bench()
        injector, link, journal = host(bench)
        mortal = journal if where == "journal" else link
        mortal.last = mortal.steps + step
        tip_nl = bench.plant()["tip_nl"]
        with pytest.raises(Killed):
            Treatment(injector, parse(METERED, "here")).run()
        if "anew" in where:
            bench.device.control("reset")
        bench.rest()
        if injector.journal.entries():
            judge(bench, *finished(bench), tip_nl)
        bench.device.close()


@pytest.mark.requirement("SR-25", "SR-26")
@pytest.mark.parametrize("step", range(1, 19))
def test_a_run_is_not_made_twice(step: int, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    injector, _, journal = host(bench)
    journal.last = journal.steps + step
    with pytest.raises(Killed):
        Treatment(injector, parse(FRACTIONAL, "here")).run()
    bench.rest()
    if not injector.journal.entries():
        return
    again, skipped = finished(bench)
    runs = ledger(again)
    assert sum(run.strokes for run in runs) == bench.plant()["punctures"]
    asked = [run.asked_strokes for run in runs if run.strokes]
    assert sorted(asked) == sorted(set(asked)) and set(asked) <= {40, 20}
    whole = {40: 1, 20: 2}
    done = {whole[run.asked_strokes] for run in runs if run.dose_state == wire.DOSE_DONE}
    assert done | set(skipped) == {1, 2} and not done & set(skipped)


def left(bench: Bench, text: str = METERED) -> Injector:
    """A host that has died in mid-dose at point 2: its first 10 of 60 ul are given."""
    injector = bench.connect()

    def die() -> None:
        bench.link(injector).dead = True
        bench.device.control("reset")

    forget: list[Callable[[], None]] = []

    def on_progress(progress: Progress) -> None:
        if progress.what.startswith("cheekbone"):
            forget.append(injector.listen(after_flow(10_000, die)))

    with pytest.raises(Killed):
        Treatment(injector, parse(text, "here"), on_progress).run()
    bench.rest()
    return injector


@pytest.mark.requirement("SR-25", "SR-26")
def test_what_a_restart_cut_short_is_shown_and_never_given_again(here: Bench) -> None:
    left(here)
    again = here.connect()
    (result,) = again.resolved
    before = here.plant()
    with pytest.raises(PlanError, match=r"point 2, cheekbone: .* of 60.0 ul, interrupted\nNext:.*--skip 2"):
        Treatment.left(again)
    with pytest.raises(PlanError, match="point 1: only a point of which it is uncertain"):
        Treatment.left(again, skip=[1, 2])
    again.acknowledge(result.dose_id, "mcurie-2")
    again.clear()
    with pytest.raises(PlanError, match="--skip 2"):
        Treatment.left(again)
    assert here.plant() == {**before, "t_us": here.plant()["t_us"]}
    treatment = Treatment.left(again, skip=[2])
    assert treatment.points_left == 1
    # the device has started anew: it is primed again, then goes on at point 3
    assert not treatment.run() and treatment.ended_by == "left out: point 2"
    assert [point_of(entry) for entry in ledger(again)] == [0, 1, 2, 0, 3]
    recorded = [(dose.kind, dose.point, dose.result) for dose in treatment.record.doses]
    assert recorded == [
        *(("prime", 0, "Delivered"), ("dose", 1, "Delivered"), ("dose", 2, "Delivered")),
        *(("prime", 0, "Delivered"), ("dose", 3, "Delivered")),
    ]
    # the word that point 2 is left out is kept
    assert Treatment.left(again).points_left == 0


def test_what_a_hand_ended_early_is_shown(here: Bench) -> None:
    injector = here.connect()
    let_go = at_point(1, lambda: here.device.control("release_after_us", 600_000))
    assert not Treatment(injector, parse(METERED, "here"), let_go).run()
    again = here.connect()
    with pytest.raises(PlanError, match=r"point 1, cheek: .* of 50.0 ul, trigger\nNext:.*--skip 1"):
        Treatment.left(again)


def test_where_nothing_was_given_it_is_given(here: Bench) -> None:
    injector = here.connect()
    away = at_point(1, lambda: here.device.control("present", 0))
    assert not Treatment(injector, parse(METERED, "here"), away).run()
    here.device.control("present", 1)
    again = here.connect()
    rest = Treatment.left(again)
    assert rest.points_left == 3 and rest.run()
    assert [point_of(entry) for entry in ledger(again) if entry.upper_nl] == [0, 1, 2, 3]


def test_a_run_that_ended_early_is_shown(here: Bench) -> None:
    injector = here.connect()
    injector.listen(after_strokes(24, lambda: here.device.control("cartridge", 0)))
    assert not Treatment(injector, parse(FRACTIONAL, "here")).run()
    here.device.control("cartridge", 1)
    here.rest(1_000_000)
    again = here.connect()
    with pytest.raises(PlanError, match=r"zone 1, cheek: \d+ of 40 punctures, syringe"):
        Treatment.left(again)
    assert Treatment.left(again, skip=[1]).points_left == 1


def test_another_treatment_of_the_device_is_not_gone_on_with(here: Bench) -> None:
    left(here)
    with pytest.raises(PlanError, match="this journal knows no treatment of device"):
        continuing.find(Injector(MortalLink("sim", here.device, 77), Journal(":memory:")))
    again = here.connect()
    again.acknowledge(again.resolved[0].dose_id, "mcurie-2")
    again.clear()
    # somebody else begins one of his own, in which nothing is given

    def other(seed: int) -> Injector:
        return Injector(MortalLink("sim", here.device, seed), Journal(here.journal.with_name("other.sqlite")))

    host = other(78)
    for _ in range(2):
        host.begin_treatment()
    before = here.plant()["plunger_steps"]
    with pytest.raises(PlanError, match="another program has begun one since"):
        Treatment.left(here.connect(), skip=[2]).run()
    assert "resumed" not in [row[2] for row in again.journal.entries()]
    # and then something is given
    other(79).prime(0.1)
    again = here.connect()
    with pytest.raises(PlanError, match=r"something was given since .* that this journal did not ask for"):
        Treatment.left(again, skip=[2])
    assert here.plant()["plunger_steps"] > before


BY_HAND: dict[str, Callable[[Injector], Result]] = {
    "no point": lambda it: it.dose(0.06, 1.5, "cheekbone"),
    "volume": lambda it: it.dose(0.05, 1.5, "cheekbone", 2),
    "depth": lambda it: it.dose(0.06, 1.4, "cheekbone", 2),
    "zone": lambda it: it.dose(0.06, 1.5, "cheek", 2),
    "kind": lambda it: it.dose(0.06, 1.5, "cheekbone", 2, retract=True),
    "no such point": lambda it: it.dose(0.06, 1.5, "cheekbone", 4),
    "once more": lambda it: it.dose(0.05, 1.5, "cheek", 1),
    "test": lambda it: it.test_dose(0.02, 1.5, "cheek"),
}


@pytest.mark.parametrize("what", BY_HAND)
def test_what_was_given_by_hand_is_named_and_not_gone_on_with(what: str, here: Bench) -> None:
    injector = here.connect()
    treatment = Treatment(injector, parse(METERED, "here"), at_point(1, lambda: treatment.stop()))
    treatment.run()
    injector.wait(61)  # the device itself refuses the same point for 60 s
    assert BY_HAND[what](injector).reason == "complete"
    asked = [row[5] for row in injector.journal.entries() if row[2] == "intended"][-1]
    named = f"{asked['kind']}, {asked['asked_nl'] / 1000:.1f} ul, {asked['zone']}, point {asked['point']}"
    before = here.plant()["plunger_steps"]
    with pytest.raises(PlanError, match=f"something else was given in it: {named}"):
        Treatment.left(here.connect(), skip=[2])
    assert here.plant()["plunger_steps"] == before


@pytest.mark.parametrize("text", ["metered", "retract = true", "repeat", "perfusion", "test"])
def test_what_its_plan_wants_is_gone_on_with(text: str, here: Bench) -> None:
    """Whatever its mode, what a plan has given is known again; what was primed by hand reaches nobody."""
    injector = here.connect()
    assert Treatment(injector, parse(MODES[text], "here")).run()
    injector.wait(1)
    injector.prime(0.02)
    rest = Treatment.left(injector)
    assert rest.points_left == 0
    given = [dose.point for dose in rest.record.doses if dose.kind == "dose"]
    assert given == list(range(1, len(given) + 1)) and given


def test_homing_in_between_is_no_point(here: Bench) -> None:
    injector = here.connect()
    treatment = Treatment(injector, parse(METERED, "here"), at_point(1, lambda: treatment.stop()))
    treatment.run()
    here.rest(2_000_000)  # the hand leaves the skin
    for mounted in (0, 1):
        for name in ("syringe", "cartridge"):
            here.device.control(name, mounted)
        if not mounted:
            assert injector.home().reason == "complete"
    rest = Treatment.left(here.connect())
    assert rest.run()
    assert [(dose.kind, dose.point) for dose in rest.record.doses] == [
        *(("prime", 0), ("dose", 1)),
        *(("prime", 0), ("dose", 2), ("dose", 3)),
    ]


@pytest.mark.parametrize("ago", [LONGEST + timedelta(minutes=1), -timedelta(minutes=1)])
def test_yesterdays_treatment_is_over(ago: timedelta, here: Bench) -> None:
    injector = here.connect()
    assert Treatment(injector, parse(METERED, "here")).run()
    assert continuing.find(injector).given == {1, 2, 3}
    with pytest.raises(PlanError, match="was not begun within the last 12 h"):
        continuing.find(injector, datetime.now(UTC) + ago)


def test_what_was_not_begun_from_a_plan_is_not_gone_on_with(here: Bench) -> None:
    with pytest.raises(PlanError, match="was not begun from a plan"):
        Treatment.left(here.ready())


# --- Between points --------------------------------------------------------------------------------------


def at_point(n: int, act: Callable[[], None]) -> Callable[[Progress], None]:
    """Acts as point n is begun."""

    def on_progress(progress: Progress) -> None:
        if progress.what.startswith(("cheek,", "cheekbone,", "chin,")[n - 1]):
            act()

    return on_progress


def test_a_pause_begins_no_point_until_it_ends(here: Bench) -> None:
    injector = here.connect()
    told: list[str] = []
    times: list[int] = []

    def on_progress(progress: Progress) -> None:
        told.append(progress.what)
        at_point(1, treatment.pause)(progress)
        if progress.what == "paused":
            assert treatment.is_paused and here.plant()["punctures"] == 1
            times.append(injector.link.now_us())
            here.link(injector).at(times[0] + 100_000_000, treatment.resume)
        at_point(2, lambda: times.append(injector.link.now_us()))(progress)

    treatment = Treatment(injector, parse(METERED, "here"), on_progress)
    assert treatment.run() and told.count("paused") == 1
    assert 100_000_000 <= times[1] - times[0] < 100_500_000
    assert here.plant()["punctures"] == 3


@pytest.mark.parametrize("paused", [False, True])
def test_stop_ends_between_two_points_and_what_is_left_goes_on(
    paused: bool, here: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    injector = here.connect()

    def end() -> None:
        if paused:
            treatment.pause()
        treatment.stop()

    treatment = Treatment(injector, parse(METERED, "here"), at_point(1, end))
    assert not treatment.run() and treatment.is_stopped
    assert [dose.result for dose in treatment.record.doses] == ["Delivered"] * 2
    assert here.plant()["punctures"] == 1
    again = here.connect()
    rest = Treatment.left(again)
    sent: list[object] = []
    request = again._pump.request

    def note(message: Any) -> Any:
        sent.append(message)
        return request(message)

    monkeypatch.setattr(again._pump, "request", note)
    assert rest.points_left == 2 and rest.run()
    # the treatment is the same: its totals must not begin anew
    assert not [message for message in sent if isinstance(message, messages.StartTreatment)]
    # primed once: the device was not started anew
    assert [point_of(entry) for entry in ledger(again)] == [0, 1, 2, 3]
    assert isinstance(again.resolve(rest.record.doses[-1].dose_id), Delivered)


def ends(injector: Injector) -> list[tuple[bool, str]]:
    return [(row[5]["as_asked"], row[5]["reason"]) for row in injector.journal.entries() if row[2] == "ended"]


def test_the_journal_says_how_it_ended(here: Bench) -> None:
    injector = here.connect()
    treatment = Treatment(injector, parse(METERED, "here"), at_point(1, lambda: treatment.stop()))
    treatment.run()
    rest = Treatment.left(injector, at_point(2, lambda: here.device.control("release_after_us", 600_000)))
    rest.run()
    cut = Treatment.left(injector, at_point(3, lambda: here.link(injector).cut()), skip=[2])
    with pytest.raises(LinkLost):
        cut.run()
    assert ends(injector) == [(False, "stopped between points"), (False, "trigger"), (False, "LinkLost")]
    parts = [row[2] for row in injector.journal.entries() if row[2] in ("ended", "resumed")]
    assert parts == ["ended", "resumed", "ended", "resumed", "ended"]
    again = here.connect()
    assert not Treatment.left(again).run()
    assert ends(again)[-1] == (False, "left out: point 2")
