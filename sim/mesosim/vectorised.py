"""`mesosim.world.fluid` for very many devices at once, in numpy: studies of a million doses.

The same equations in the same steps, every lane at its own pace; a property test holds the two equal to 1e-9. The
plant itself never uses it: numpy's exp differs from the plant's in the last bit, and traces are hashed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesosim.world import fluid, nominal
from mesosim.world import parameters as p
from mesosim.world.plunger import BLOCK_MM

Array = NDArray[np.float64]

_STATE = ("pressure", "tip", "skin", "deposit", "ahead", "high", "low", "gliding", "grip", "lost", "slips")
_CHAIN = (
    *("speed", "area_n", "break_n", "gliding", "slip_speed", "glide_n", "drag", "high", "low", "k", "ahead", "grip"),
    *("torque_n", "screw_n", "top"),
)
"""What decides when the stopper breaks loose or the motor loses."""
_COMPACT = 0.7
"""Lanes that are done are put aside once fewer than this part still run."""
_ROUNDS = 40


class Fluids:
    """Syringe, needle and tissue of n new devices, slack and all; attributes are arrays of n."""

    def __init__(self, n: int, values: Mapping[str, Array | float] | None = None) -> None:
        """`values`: symbols by name, one value or n; the rest is nominal. KeyError if there is no such symbol."""
        known = {row[0]: row[1] / nominal.SCALE for row in nominal.SYMBOLS}
        given = dict(values or {})
        for name in given:
            if name not in known:
                raise KeyError(f"{name}: no such symbol; see handpiece.toml for all of them")

        def get(name: str) -> Array:
            return np.broadcast_to(np.asarray(given.get(name, known[name]), np.float64), (n,)).copy()

        self.n = n
        self.coefficients = _coefficients(get)
        self.pressure_kpa, self.tip_ul, self.skin_ul, self.deposit_ul = (np.zeros(n) for _ in range(4))
        self.lost_blocks, self.slips = np.zeros(n), np.zeros(n)
        self._ahead, self._low, self._gliding, self._grip = (np.zeros(n) for _ in range(4))
        self._high = get("syringe.slack_um") / 1000.0
        self._speed = np.zeros(n)
        self._soft = np.ones(n)
        self._in_skin = np.zeros(n, bool)

    def set_rate(self, steps_per_s: Array | float) -> None:
        """The plungers' motors' speed from now on."""
        speed = np.broadcast_to(steps_per_s, (self.n,)) * p.UM_PER_PLUNGER_STEP / 1000.0
        self._gliding[speed != self._speed] = 0.0
        self._speed = speed

    def move(self, in_skin: NDArray[np.bool_] | bool, depth_um: Array | float = 0.0) -> None:
        """The tips are in skin from now on, at a depth, or outside. A deposit does not decay while they are outside."""
        self._in_skin = np.broadcast_to(in_skin, (self.n,)).copy()
        soft_um = self.coefficients["soft_um"]
        self._soft = soft_um / (soft_um + np.maximum(np.broadcast_to(depth_um, (self.n,)), 0.0))

    def advance(self, seconds: Array | float) -> None:
        """Go on for a time, each lane for its own."""
        names = dict(zip(_STATE, _ATTRIBUTES, strict=True))
        lanes = np.arange(self.n)
        w: dict[str, Any] = dict(self.coefficients)
        w.update({short: getattr(self, name) for short, name in names.items()})
        w.update(speed=self._speed, soft=self._soft, in_skin=self._in_skin)
        w["left"] = np.broadcast_to(seconds, (self.n,)).astype(np.float64)
        while True:
            running = w["left"] > 0.0
            share = np.count_nonzero(running) / len(running) if len(running) else 0.0
            if share < _COMPACT:
                for short, name in names.items():
                    getattr(self, name)[lanes] = w[short]
                if share == 0.0:
                    return
                lanes = lanes[running]
                w = {key: value[running] for key, value in w.items()}
            _step(w)


_ATTRIBUTES = (
    *("pressure_kpa", "tip_ul", "skin_ul", "deposit_ul", "_ahead", "_high", "_low", "_gliding", "_grip"),
    *("lost_blocks", "slips"),
)


def _coefficients(get: Any) -> dict[str, Array]:
    """What `tune` of needle, tissue, plunger and fluid compute."""
    pi = 3.141592653589793
    c: dict[str, Array] = {}
    r_um = get("needle.bore_um") / 2.0
    r_mm = r_um / 1000.0
    square = r_um * r_um
    bore = pi * r_mm * r_mm
    c["per_viscosity"] = 8000.0 * get("needle.length_um") / (pi * square * square) * get("needle.occlusion")
    c["kinetic"] = get("needle.kinetic") * get("fluid.density_kg_m3") * 0.5e-9 / (bore * bore)
    least = get("fluid.sheared_viscosity_mpa_s")
    extra = get("fluid.viscosity_mpa_s") - least
    c["power"] = (get("fluid.shear_index") - 1.0) / 2.0
    c["shear"] = 4.0 / (bore * r_mm) * get("fluid.relaxation_ms") / 1000.0
    thins = (extra > 0.0) & (c["power"] < 0.0) & (c["shear"] > 0.0)
    c["least"] = np.where(thins, least, least + extra)
    c["extra"] = np.where(thins, extra, 0.0)
    c["rest_kpa"] = get("tissue.pressure_kpa")
    c["tissue"] = get("tissue.resistance_kpa_s_per_ul")
    c["stiff_kpa"] = get("tissue.stiffness_kpa")
    c["half_ul"] = get("tissue.deposit_ul")
    c["decay_s"] = get("tissue.decay_s")
    c["soft_um"] = get("tissue.soft_depth_um")
    bore_mm = get("syringe.bore_um") / 1000.0
    c["area"] = pi / 4.0 * bore_mm * bore_mm
    c["area_n"] = c["area"] / 1000.0
    c["k"] = get("plunger.stiffness_n_per_mm")
    c["give"] = c["area"] * c["area_n"] / c["k"]
    c["break_n"] = get("plunger.break_n")
    c["glide_n"] = np.minimum(get("plunger.glide_n"), c["break_n"])
    c["slip_speed"] = get("plunger.slip_speed_mm_s")
    c["drag"] = get("plunger.drag_n_s_per_mm")
    c["play"] = (get("screw.play_um") + get("syringe.play_um")) / 1000.0
    turn = 2.0 * pi * get("screw.efficiency")
    c["torque_n"] = turn * get("plunger.torque_mnm")
    c["screw_n"] = turn * get("screw.friction_mnm")
    c["top"] = get("plunger.top_steps_per_s") * p.UM_PER_PLUNGER_STEP / 1000.0
    nl = get("syringe.compliance_nl_per_kpa") + get("seal.compliance_nl_per_kpa") + get("tube.compliance_nl_per_kpa")
    c["c"] = np.maximum(nl, 1.0) / 1000.0
    c["bubble"] = get("bubble.volume_nl") / 1000.0
    c["leak"] = get("seal.leak_nl_per_s_per_kpa") / 1000.0
    return c


def _flow(w: dict[str, Any], head: Array, more: Array) -> tuple[Array, Array]:
    """`needle.Needle.solve`: flow and its slope."""
    size = np.abs(head)
    k, c = w["kinetic"], w["per_viscosity"]
    r = c * (w["least"] + w["extra"]) + more
    flow = 2.0 * size / (r + np.sqrt(r * r + 4.0 * k * size))
    slope = 1.0 / (r + 2.0 * k * flow)
    todo = (w["extra"] > 0.0) & (size > 0.0)
    for _ in range(_ROUNDS):
        if not todo.any():
            break
        s = w["shear"] * flow
        s = s * s
        part = w["extra"] * np.exp(w["power"] * np.log(1.0 + s))
        r = c * (w["least"] + part) + more
        fresh = 1.0 / (r + 2.0 * k * flow + c * part * 2.0 * w["power"] * s / (1.0 + s))
        change = (size - (r + k * flow) * flow) * fresh
        slope = np.where(todo, fresh, slope)
        flow = np.where(todo, flow + change, flow)
        todo &= np.abs(change) > 1e-12 * flow
    return np.copysign(flow, head), slope


def _rise(rise: Array, slope: Array, h: Array) -> Array:
    x = slope * h
    safe = np.where(slope == 0.0, 1.0, slope)
    return np.where(x < 1e-6, rise * h * (1.0 - x / 2.0), rise * (1.0 - np.exp(-x)) / safe)


def _part(a: Array, b: Array, limit: Array) -> Array:
    gap = np.where(b > a, b - a, 1.0)
    return np.where((a >= limit) | (b <= a), 0.0, np.minimum((limit - a) / gap, 1.0))


def _force(w: dict[str, Any], ahead: Array) -> Array:
    pushed = np.where(ahead > w["high"], w["k"] * (ahead - w["high"]), 0.0)
    return np.where(ahead < w["low"], w["k"] * (ahead - w["low"]), pushed)


def _friction(w: dict[str, Any], speed: Array) -> Array:
    part = speed / w["slip_speed"]
    fall = np.exp(-part * part)
    return np.asarray(w["glide_n"] + (w["break_n"] - w["glide_n"]) * fall + w["drag"] * speed)


def _compliance(w: dict[str, Any], pressure: Array) -> Array:
    absolute = fluid.AIR_KPA + pressure
    return np.asarray(w["c"] + w["bubble"] * fluid.AIR_KPA / (absolute * absolute))


def _stored(w: dict[str, Any], before: Array, after: Array) -> Array:
    air = after / (fluid.AIR_KPA + after) - before / (fluid.AIR_KPA + before)
    return np.asarray(w["c"] * (after - before) + w["bubble"] * air)


def _back_kpa(w: dict[str, Any]) -> Array:
    full = w["deposit"] / (w["half_ul"] + w["deposit"])
    return np.asarray(w["soft"] * (w["rest_kpa"] + w["stiff_kpa"] * full))


def _step(w: dict[str, Any]) -> None:
    """`fluid.Fluid._step` of every lane that has time left."""
    running = w["left"] > 0.0
    speed, before, in_skin = w["speed"], w["pressure"], w["in_skin"]
    glides = w["gliding"] != 0.0
    swept = np.where(glides, w["area"] * speed, 0.0)
    c = _compliance(w, before) + np.where(glides, w["give"], 0.0)
    back = np.where(in_skin, _back_kpa(w), 0.0)
    more = np.where(in_skin, w["soft"] * w["tissue"], 0.0)
    alive = (before != 0.0) | (swept != 0.0) | in_skin
    flow, slope = _flow(w, before - back, more)
    flow = np.where(alive, flow, 0.0)
    slope = np.where(alive, (slope + w["leak"]) / c, 0.0)
    rise = np.where(alive, (swept - flow - w["leak"] * before) / c, 0.0)
    h = w["left"].copy()
    far = np.abs(rise) > 0.001 * slope
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = np.minimum(1.0 / (fluid.PARTS * slope), fluid.STEP_KPA / np.abs(rise))
    h = np.where(far, np.minimum(h, bound), h)
    h = np.where(in_skin, np.minimum(h, fluid.SKIN_S), h)
    pushes = (speed != 0.0) & ~glides
    pace = np.where(speed == 0.0, 1.0, speed)
    h = np.where(pushes & (w["grip"] > 0.0), np.minimum(h, np.maximum(w["grip"] / np.abs(pace), 1e-7)), h)
    way = (np.where(speed > 0.0, w["high"], w["low"]) - w["ahead"]) / pace
    touches = pushes & (way > 0.0) & (way <= h) & running
    h = np.where(touches, way, h)
    h = np.where(running, h, 0.0)
    after = before + _rise(rise, slope, h)
    event = np.zeros(len(h))
    lanes = np.flatnonzero(running)
    while lanes.size:
        some = w if lanes.size == len(h) else {key: w[key][lanes] for key in _CHAIN}
        part, kind = _event_part(some, before[lanes], after[lanes], h[lanes])
        event[lanes] = kind
        hit = kind != 0.0
        lanes = lanes[hit]
        shorter = h[lanes] * part[hit]
        found = (h[lanes] - shorter < fluid.EVENT_S) | (shorter < fluid.EVENT_S)
        h[lanes] = shorter
        touches[lanes] = False
        after[lanes] = before[lanes] + _rise(rise[lanes], slope[lanes], shorter)
        lanes = lanes[~found]
    _move(w, before, after, h, c, swept * h, flow, glides, running)
    forward = touches & (speed > 0.0)
    w["ahead"] = np.where(forward, w["high"], np.where(touches, w["low"], w["ahead"]))
    w["low"] = np.where(forward, w["high"] - w["play"], w["low"])
    if event.any():
        _happen(w, event)
    w["left"] = np.where(running, w["left"] - h, 0.0)


def _event_part(w: dict[str, Any], before: Array, after: Array, h: Array) -> tuple[Array, Array]:
    glides = w["gliding"] != 0.0
    speed, area, limit = w["speed"], w["area_n"], w["break_n"]
    friction = w["gliding"] * _friction(w, speed * w["gliding"])
    force0 = np.where(glides, friction + before * area, _force(w, w["ahead"]))
    force1 = np.where(glides, friction + after * area, _force(w, w["ahead"] + speed * h))
    net0, net1 = force0 - before * area, force1 - after * area
    up = ~glides & (net1 >= limit) & ((net1 > net0) | (net0 > limit))
    down = ~glides & ~up & (net1 <= -limit) & ((net1 < net0) | (net0 < -limit))
    first = np.where(up, _part(net0, net1, limit), np.where(down, _part(-net0, -net1, limit), 1.0))
    kind = np.where(up, fluid.SLIP, np.where(down, -fluid.SLIP, 0.0))
    way = np.sign(speed)
    most = np.maximum(0.0, w["torque_n"] * (1.0 - np.abs(speed) / w["top"])) - w["screw_n"]
    over = (speed != 0.0) & (w["grip"] <= 0.0) & (force1 * way > most)
    part = _part(force0 * way, force1 * way, most)
    loses = over & (part < first)
    return np.where(loses, part, first), np.where(loses, fluid.LOST * way, kind)


def _move(
    w: dict[str, Any],
    before: Array,
    after: Array,
    h: Array,
    c: Array,
    swept_ul: Array,
    flow: Array,
    glides: Any,
    running: Any,
) -> None:
    change = after - before
    left_ul = swept_ul - _stored(w, before, after) - np.where(glides, w["give"] * change, 0.0)
    moved = np.where(glides, change * w["area_n"] / w["k"], w["speed"] * h)
    w["ahead"] = w["ahead"] + np.where(running, moved, 0.0)
    w["grip"] = np.where(w["grip"] > 0.0, w["grip"] - np.abs(w["speed"]) * h, w["grip"])
    left_ul = left_ul - w["leak"] * (before + after) * 0.5 * h
    void = after < fluid.VACUUM_KPA
    left_ul = np.where(void, flow * h, left_ul)
    still = ~void & (w["speed"] == 0.0) & ~w["in_skin"] & (np.abs(after) < fluid.STILL_KPA)
    left_ul = np.where(still, left_ul + c * after, left_ul)
    w["pressure"] = np.where(running, np.where(void, fluid.VACUUM_KPA, np.where(still, 0.0, after)), before)
    _count(w, np.where(running, left_ul, 0.0), h)


def _happen(w: dict[str, Any], event: Array) -> None:
    way = np.sign(event)
    loses = np.abs(event) == fluid.LOST
    slips = np.abs(event) == fluid.SLIP
    before = w["pressure"]
    c = _compliance(w, before)
    quick = w["speed"] * way
    glides = slips & (quick >= w["slip_speed"])
    fall = np.maximum(2.0 * (w["break_n"] - w["glide_n"]), 0.01)
    drop = np.where(glides, w["break_n"] - _friction(w, quick), fall)
    jump = np.where(slips, way * drop / (w["k"] + w["area"] * w["area_n"] / c), 0.0)
    w["gliding"] = np.where(glides, way, np.where(loses, 0.0, w["gliding"]))
    w["ahead"] = w["ahead"] - jump - np.where(loses, way * BLOCK_MM, 0.0)
    w["lost"] = w["lost"] + np.where(loses, way, 0.0)
    w["slips"] = w["slips"] + slips
    w["grip"] = np.where(loses, BLOCK_MM, w["grip"])
    w["pressure"] = before + w["area"] * jump / c
    _count(w, np.where(slips, w["area"] * jump - _stored(w, before, w["pressure"]), 0.0), np.zeros(len(event)))


def _count(w: dict[str, Any], volume_ul: Array, h: Array) -> None:
    w["tip"] = w["tip"] + volume_ul
    skin = np.where(w["in_skin"], volume_ul, 0.0)
    w["skin"] = w["skin"] + skin
    part = np.where(w["in_skin"], h / w["decay_s"], 0.0)
    w["deposit"] = np.maximum((w["deposit"] + skin * (1.0 - part / 2.0)) * np.exp(-part), 0.0)
