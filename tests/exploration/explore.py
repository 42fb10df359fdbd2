"""Host, line and device together: every order of events within a budget of faults, breadth first.

A state is the two components' numbers, the frames under way in each direction, the time, and what is left of the
budgets. Frames may overtake each other freely; each loss, repeat, reset, crash, STOP, Ctrl-C, long silence or foreign
program is a fault. Every new state is checked, and must lead to a final answer for every dose once the line works.
"""

from __future__ import annotations

import random
from array import array
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from mesoinjector import results
from mesoprotocol import wire
from tests.exploration import frames, host
from tests.exploration.device import OPERATOR, Device
from tests.exploration.host import Host
from tests.exploration.witness import nanolitres

CHANNEL = 3
"""Frames under way in one direction; what is sent beyond is lost."""
SILENCE_US = 2_500_000
"""A long silence: longer than a COMMIT is good for, shorter than a PREPARE is."""
RESOLVES_IN = 200
"""Steps to the final answer over a working line, at most."""
FAULTS = frozenset({"lose", "repeat", "reset", "crash", "stop", "tired", "silence", "foreign"})


class Budget(NamedTuple):
    """How much may happen in one run."""

    faults: int
    doses: int = 1
    toggles: int = 3
    """Times that the hand presses or lets go."""
    repeats: int = 2
    """Requests repeated or given up, and queries: whatever a timer of the host does."""
    beats: int = 1
    looks: int = 0
    """Times that a person clears and acknowledges."""
    kinds: frozenset[str] = FAULTS
    """Which faults."""
    keyed: bool = False
    """Whether the device has keys."""


class State(NamedTuple):
    """One state of all."""

    now: int
    device: int
    host: int
    to_device: tuple[bytes, ...]
    to_host: tuple[bytes, ...]
    faults: int
    toggles: int
    repeats: int
    beats: int
    looks: int


class Step(NamedTuple):
    """One thing that happens."""

    who: str
    what: str
    data: bytes
    after: State
    wrong: str
    """What rule it breaks."""


class Report(NamedTuple):
    """What an exploration has found."""

    states: int
    transitions: int
    resolved: int
    """Steps of the runs to a final answer."""
    finished: bool
    """Every state within the budget was seen."""
    depth: int
    """Events of the longest run that was made; breadth first, every shorter one within the budget was made too."""
    violation: str
    trace: tuple[str, ...]


class Exploration:
    """One build of the firmware and the host."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.device = Device(budget.keyed)
        self.host = Host(OPERATOR if budget.keyed else None)
        self._checked: dict[tuple, str] = {}
        self._ages: dict[tuple[bytes, int], int] = {}
        self._age_numbers: dict[tuple, int] = {}
        self._resolvable: set[int] = set()
        b = budget
        self.first = State(
            1_000_000, self.device.first, self.host.first, (), (), b.faults, b.toggles, b.repeats, b.beats, b.looks
        )

    # --- What may happen --------------------------------------------------------------------------------

    def steps(self, s: State) -> Iterator[Step]:
        """Everything that may happen next."""
        view = self.host.views[s.host]
        hand = self.device.views[s.device]
        kinds = self.budget.kinds if s.faults else frozenset()
        for data in dict.fromkeys(s.to_device):
            rest = _without(s.to_device, data)
            yield self._device(s._replace(to_device=rest), "get", data)
            if "lose" in kinds:
                yield Step("line", "lose", data, s._replace(to_device=rest, faults=s.faults - 1), "")
            if "repeat" in kinds:
                yield self._device(s._replace(faults=s.faults - 1), "get", data)
        for data in dict.fromkeys(s.to_host):
            rest = _without(s.to_host, data)
            if view.mode != host.CLOSED:
                yield self._host(s._replace(to_host=rest), "get", data)
                if "repeat" in kinds:
                    yield self._host(s._replace(faults=s.faults - 1), "get", data)
            if "lose" in kinds or view.mode == host.CLOSED:
                spent = view.mode != host.CLOSED
                yield Step("line", "lose", data, s._replace(to_host=rest, faults=s.faults - spent), "")
        if hand.busy:
            yield self._device(s, "move")
        if hand.wake_at >= 0:
            yield self._device(s._replace(now=hand.wake_at), "wake")
        if s.toggles:
            yield self._device(s._replace(toggles=s.toggles - 1), "release" if hand.pressed else "press")
        yield from self._host_steps(s, view)
        yield from self._faults(s, view, kinds)

    def _host_steps(self, s: State, view: host.View) -> Iterator[Step]:
        if view.mode == host.CLOSED:
            yield self._host(s, "open")
        if view.asks and s.repeats:
            yield self._host(s._replace(repeats=s.repeats - 1), "again")
        if view.waits and s.repeats:
            yield self._host(s._replace(repeats=s.repeats - 1), "due")
        if view.beats and s.beats:
            yield self._host(s._replace(beats=s.beats - 1), "beat")
        if view.may_dose and view.doses < self.budget.doses:
            yield self._host(s, "dose")
        if view.may_look and s.looks:
            yield self._host(s._replace(looks=s.looks - 1), "look")

    def _faults(self, s: State, view: host.View, kinds: frozenset[str]) -> Iterator[Step]:
        fewer = s._replace(faults=s.faults - 1)
        if "reset" in kinds:
            yield self._device(fewer, "reset")
        for event in ("foreign", "stranger", "forge"):
            if event in kinds:
                yield self._device(fewer, event)
        if "crash" in kinds and view.mode != host.CLOSED:
            yield self._host(fewer, "crash")
        if "stop" in kinds and view.mode == host.READY and not view.stopping:
            yield self._host(fewer, "stop")
        if "tired" in kinds and view.beats:
            yield self._host(fewer, "tired")
        wake_at = self.device.views[s.device].wake_at
        if "silence" in kinds and (wake_at < 0 or s.now + SILENCE_US < wake_at):
            yield Step("line", "silence", b"", fewer._replace(now=s.now + SILENCE_US), "")

    def _device(self, s: State, event: str, data: bytes = b"") -> Step:
        outcome = self.device.apply(s.device, s.now, event, data)
        to_host = _with(s.to_host, outcome.sent)
        after = s._replace(now=outcome.now, device=outcome.state, to_host=to_host)
        wrong = outcome.violation
        before, behind = self.device.views[s.device], self.device.views[outcome.state]
        if self.host.views[s.host].stopped and before.moved != behind.moved and event != "foreign":
            wrong = wrong or "the plunger moves after stop() has returned"
        if self.device.keyed and (event == "stranger" or (event == "get" and frames.is_hello(data))):
            alone = self.device.apply(s.device, s.now, "wake")
            if behind != self.device.views[alone.state]:
                wrong = wrong or "HELLO alone changes what is in hand"
        return Step("device", event, data, after, wrong or self._check(after))

    def _host(self, s: State, event: str, data: bytes = b"") -> Step:
        outcome = self.host.apply(s.host, s.now, event, data)
        after = s._replace(host=outcome.state, to_device=_with(s.to_device, outcome.sent))
        return Step("host", event, data, after, self._check(after))

    # --- What must hold ---------------------------------------------------------------------------------

    def _check(self, s: State) -> str:
        """What is wrong with a state; empty if nothing is."""
        hand = self.device.views[s.device]
        view = self.host.views[s.host]
        if view.stopped and hand.busy:
            return "stop() has returned, and the plunger moves"
        key = s.device, view.book
        wrong = self._checked.get(key)
        if wrong is None:
            told = self.host.journal.results(view.book)
            lies = (
                _lie(result, hand.moved.get(bytes.fromhex(dose_id), 0), hand.in_hand)
                for dose_id, all_results in told.items()
                for result in all_results
            )
            wrong = self._checked[key] = next(filter(None, lies), "")
        return wrong

    def resolves(self, s: State) -> tuple[list[Step], str]:
        """Over a working line, steps until every dose has a final answer, and what is wrong."""
        seen: list[int] = []
        way: list[Step] = []
        while len(way) < RESOLVES_IN:
            key = self.key(s)
            if key in self._resolvable or not self.host.views[s.host].unresolved:
                self._resolvable.update(seen)
                return way, ""
            seen.append(key)
            step = self._way_out(s)
            way.append(step)
            if step.wrong:
                return way, step.wrong
            s = step.after
        return way, "over a working line the dose does not come to a final answer"

    def _way_out(self, s: State) -> Step:
        hand = self.device.views[s.device]
        view = self.host.views[s.host]
        if s.to_host:
            after = s._replace(to_host=s.to_host[1:])
            return (
                Step("line", "lose", b"", after, "")
                if view.mode == host.CLOSED
                else self._host(after, "get", s.to_host[0])
            )
        if s.to_device:
            return self._device(s._replace(to_device=s.to_device[1:]), "get", s.to_device[0])
        if hand.pressed:
            return self._device(s, "release")
        if hand.busy:
            return self._device(s, "move")
        if hand.state != wire.STATE_IDLE:
            if hand.wake_at < 0:
                return Step("device", "wake", b"", s, f"{frames.STATES[hand.state]} for ever")
            return self._device(s._replace(now=hand.wake_at), "wake")
        event = "open" if view.mode == host.CLOSED else "again" if view.asks else "due"
        return self._host(s, event)

    # --- The search -------------------------------------------------------------------------------------

    def key(self, s: State) -> int:
        """The same for states that differ only in when they are, or in the order of frames that may overtake."""
        now = s.now
        return hash(
            (
                self.device.key(s.device, now),
                self.host.key(s.host, now),
                frozenset([self._age(data, now) for data in s.to_device]),
                frozenset([self._age(data, now) for data in s.to_host]),
                len(s.to_device) << 4 | len(s.to_host),
                s[5:],
            )
        )

    def _age(self, data: bytes, now: int) -> int:
        number = self._ages.get((data, now))
        if number is None:
            said = frames.timeless(data, now)
            number = self._ages[data, now] = self._age_numbers.setdefault(said, len(self._age_numbers))
        return number

    def run(self, most: int, seed: int | None = None) -> Report:
        """Explore at least `most` states, or all there are; stop at the first violation.

        Breadth first, which makes the trace one of the shortest; with a seed in random order, which goes deep.
        """
        order = None if seed is None else random.Random(seed)
        parents, choices = array("q", [-1]), array("H", [0])
        seen = {self.key(self.first)}
        frontier = deque([(0, 0, self.first)])
        transitions = resolved = deepest = 0
        while frontier and len(seen) < most:
            if order:
                i = order.randrange(len(frontier))
                frontier[0], frontier[i] = frontier[i], frontier[0]
            parent, depth, s = frontier.popleft()
            deepest = max(deepest, depth + 1)
            for choice, step in enumerate(self.steps(s)):
                transitions += 1
                way: list[Step] = []
                wrong = step.wrong
                if not wrong:
                    key = self.key(step.after)
                    if key in seen:
                        continue
                    seen.add(key)
                    way, wrong = self.resolves(step.after)
                    resolved += len(way)
                parents.append(parent)
                choices.append(choice)
                if wrong:
                    trace = self._trace(parents, choices, way)
                    return Report(len(seen), transitions, resolved, False, deepest, wrong, trace)
                frontier.append((len(parents) - 1, depth + 1, step.after))
        return Report(len(seen), transitions, resolved, not frontier, deepest, "", ())

    def endings(self) -> set[tuple[str, str]]:
        """Each kind of result that a dose came to, with its reason."""
        journal = self.host.journal
        return {
            (type(result).__name__, result.reason)
            for content in range(journal.contents)
            for told in journal.results(content).values()
            for result in told
        }

    def _trace(self, parents: array[int], choices: array[int], way: list[Step]) -> tuple[str, ...]:
        s = self.first
        lines = []
        for choice in _path(parents, choices, len(parents) - 1):
            step = list(self.steps(s))[choice]
            lines.append(self._line(s, step))
            s = step.after
        if way:
            lines.append("from here on the line works, and nothing else happens:")
        for step in way:
            lines.append(self._line(s, step))
            s = step.after
        return tuple(lines)

    def _line(self, before: State, step: Step) -> str:
        """One step for a person: time, the device's state, what the plunger has given, what happens."""
        hand = self.device.views[step.after.device]
        moved = nanolitres(sum(hand.moved.values()))
        what = WORDS.get((step.who, step.what), step.what)
        if step.data:
            what += " " + frames.name(step.data)
        for data in _more(before.to_device, step.after.to_device):
            what += f"; sent: {frames.name(data)}"
        for data in _more(before.to_host, step.after.to_host):
            what += f"; answered: {frames.name(data)}"
        return f"{step.after.now / 1e6:7.3f} s  {frames.STATES[hand.state]:8}  {moved:6} nl  {what}"


WORDS = {
    ("device", "get"): "the device gets",
    ("device", "wake"): "time passes until the firmware looks again",
    ("device", "move"): "the plunger has made the steps in hand",
    ("device", "press"): "the hand sets the handpiece to the skin and presses",
    ("device", "release"): "the hand lets go",
    ("device", "reset"): "the device is reset",
    ("device", "foreign"): "another program opens the device and gives doses",
    ("device", "stranger"): "somebody without a key greets the device",
    ("device", "forge"): "somebody without a key sends a COMMIT and a heartbeat in the host's name",
    ("host", "get"): "the host gets",
    ("host", "open"): "the program opens the device",
    ("host", "dose"): "the program gives a dose",
    ("host", "again"): "no answer in time: the request is repeated, or given up",
    ("host", "due"): "the program asks what became of the dose",
    ("host", "beat"): "the program sends a heartbeat",
    ("host", "stop"): "another thread calls stop()",
    ("host", "tired"): "Ctrl-C",
    ("host", "look"): "a person looks, clears and acknowledges",
    ("host", "crash"): "the program is killed",
    ("line", "lose"): "the line loses",
    ("line", "silence"): f"nothing happens for {SILENCE_US / 1e6} s",
}


def _lie(result: results.Result, steps: int, in_hand: bytes) -> str:
    """What is wrong with a result, the plunger having made these steps for its dose."""
    nl = nanolitres(steps)
    name = bytes.fromhex(result.dose_id).decode()
    if isinstance(result, results.NotDelivered):
        lower = upper = 0
    elif isinstance(result, results.Delivered) or result.reason == "interrupted":
        lower, upper = result.lower_nl, result.upper_nl
    else:
        return "" if nl <= result.upper_nl else f"Unknown, at most {result.upper_nl} nl: {name} has given {nl} nl"
    if not lower <= nl <= upper:
        return f"{type(result).__name__}, {lower} to {upper} nl: {name} has given {nl} nl"
    if in_hand.hex() == result.dose_id:
        return f"{type(result).__name__}: {name} is armed or moves"
    return ""


def _with(channel: tuple[bytes, ...], more: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return (channel + more)[:CHANNEL] if more else channel


def _without(channel: tuple[bytes, ...], one: bytes) -> tuple[bytes, ...]:
    at = channel.index(one)
    return channel[:at] + channel[at + 1 :]


def _path(parents: array[int], choices: array[int], at: int) -> list[int]:
    """The choices that lead to a state."""
    path = []
    while at > 0:
        path.append(choices[at])
        at = parents[at]
    return path[::-1]


def _more(before: tuple[bytes, ...], after: tuple[bytes, ...]) -> list[bytes]:
    """Frames that have come into a channel."""
    left = list(before)
    return [data for data in after if not (data in left and left.remove(data) is None)]
