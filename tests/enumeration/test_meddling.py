"""Faults on single Board calls, each seen from the firmware's side of the port. The plant is the witness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mesoprotocol import wire
from mesosim.world import calls, meddling, trace
from mesosim.world.world import World
from tests.bench_of_one import Bench


@pytest.fixture
def world() -> World:
    return World(7, trace.Trace())


def meddled(world: World, call: str, kind: str, **figures: Any) -> Any:
    """The Board of a world, with one fault in it."""
    world.control("meddle", {"call": call, "kind": kind, **figures})
    return world.board


def test_every_call_of_the_port_has_a_form() -> None:
    from mesofirmware.boards import port

    def methods(prefix: str, protocol: type) -> set[str]:
        return {prefix + name for name, thing in vars(protocol).items() if callable(thing) and name[0] != "_"}

    axes = {"drive": {"home"}, "depth": {"park", "release"}, "plunger": {"home", "park", "release"}}
    wanted = methods("", port.Board) | methods("store.", port.Store)
    wanted |= methods("files.", port.Files) | methods("chip.", port.Chip) | methods("shelf.", port.Shelf)
    for axis, lacks in axes.items():
        wanted |= methods(axis + ".", port.Axis) - {axis + "." + name for name in lacks}
    assert {name for name, _ in calls.CALLS} == wanted


@pytest.mark.parametrize(
    ("kind", "figures", "seen"),
    [
        ("stuck", {"count": 2, "value": 5}, lambda true: [5, 5, true]),
        ("dropped", {}, lambda true: [0, true]),
        ("spike", {"first_call": 1, "value": -100}, lambda true: [true, true - 100, true]),
        ("flipped_bit", {"value": 3}, lambda true: [true ^ 8, true]),
        ("wrong_sign", {"count": 0}, lambda true: [-true, -true, -true]),
    ],
)
def test_a_reading(world: World, kind: str, figures: dict[str, int], seen: Callable[[int], list[int]]) -> None:
    expected = seen(world.board.inputs())
    board = meddled(world, "inputs", kind, **figures)
    assert [board.inputs() for _ in expected] == expected


def test_a_stale_reading_is_the_former_ones(world: World) -> None:
    board = meddled(world, "inputs", "stale", first_call=1)
    first = board.inputs()
    world.plant.set_input(board.t, wire.INPUT_CONTACT, True)
    assert board.inputs() == first
    assert board.inputs() == first | wire.INPUT_CONTACT


def test_a_slow_reading_keeps_the_processor_for_so_long(world: World) -> None:
    meddled(world, "inputs", "late", value=80_000)
    world.run(10, b"")
    assert world.board.t // 25 < world.meddle()._busy_until // 25
    assert world.app.step(world.board.t // 25) == 80_000


def test_an_output_comes_late(world: World) -> None:
    board = meddled(world, "light", "late", value=30_000)
    seen: list[int] = []
    board._on_light = seen.append
    board.light(3)
    assert not seen
    assert world.app.step(board.t // 25) <= 30_000
    board.t += 30_000 * 25
    world.app.step(board.t // 25)
    assert seen == [3]


@pytest.mark.parametrize(("kind", "powered"), [("dropped", False), ("stuck", False), ("flipped_bit", False)])
def test_an_output_is_not_made(world: World, kind: str, powered: bool) -> None:
    board = meddled(world, "enable", kind)
    board.enable(True)
    assert world.plant.powered == powered


@pytest.mark.parametrize(("kind", "n"), [("dropped", 0), ("duplicate", 2), ("flipped_bit", 1)])
def test_a_frame_on_its_way_out(world: World, kind: str, n: int) -> None:
    board = meddled(world, "send", kind)
    assert board.send(bytearray(b"abc"), 2)
    assert board.collect() == {0: b"", 1: b"`b", 2: b"abab"}[n]


def test_a_write_is_torn_by_the_reset(world: World) -> None:
    board = meddled(world, "store.write", "reset", value=2)
    with pytest.raises(meddling.BoardReset):
        board.store.write(100, bytearray(b"abcd"), 4)
    seen = bytearray(4)
    board.store.read(100, seen, 4)
    assert seen == b"ab\0\0"


def test_received_bytes_come_twice(world: World) -> None:
    board = meddled(world, "receive", "duplicate")
    board.deliver(b"xyz")
    buf = bytearray(8)
    assert [board.receive(buf), board.receive(buf), board.receive(buf)] == [3, 3, 0]


@pytest.mark.parametrize("kind", ["exception", "reset"])
def test_what_the_firmware_does_not_catch_restarts_the_board(
    make_bench: Callable[..., Bench], runtime: str, kind: str
) -> None:
    bench = make_bench(runtime)
    injector = bench.ready()
    bench.device.control("meddle", {"call": "inputs", "kind": kind, "first_call": 60})
    assert "restarted" in injector.prime(0.1).reason
    account = bench.rest()
    assert account["needle_home"] and not account["moving"]


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"call": "input", "kind": "stuck"}, "no Board call 'input'"),
        ({"call": "inputs", "kind": "broken"}, "no kind of fault 'broken'"),
        ({"call": "drive.room", "kind": "duplicate"}, "does not fit"),
        ({"call": "inputs", "kind": "stuck", "count": -1}, "at least 0"),
        ({"call": "inputs", "kind": "stuck", "often": 1}, "often"),
    ],
)
def test_what_is_no_fault_is_refused(bench: Bench, fault: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        bench.device.control("meddle", fault)  # type: ignore[arg-type]
