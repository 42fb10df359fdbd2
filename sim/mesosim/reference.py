"""The fluid's equations once more, in SI units and fixed steps of 100 us: what the closed form is held against.

For clarity, not for speed: explicit Euler, every branch looked at in every step. Of `mesosim.world` it shares the
symbols' values, and no line of physics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from mesosim.world.symbols import Symbols

STEP_S = 100e-6
ATMOSPHERE_PA = 101_325.0
MOTOR_STEP_M = 0.3125e-6
BLOCK_M = 64 * MOTOR_STEP_M


@dataclass(frozen=True)
class Phase:
    """A time in which the motor keeps its speed and the tip its place."""

    duration_s: float
    steps_per_s: float = 0.0
    depth_um: float | None = None
    """None: outside the skin."""


@dataclass
class Account:
    """What has come of it. Times in seconds since the begin."""

    tip_ul: float = 0.0
    skin_ul: float = 0.0
    pressure_kpa: float = 0.0
    lost_blocks: int = 0
    slips_s: list[float] = field(default_factory=list)
    losses_s: list[float] = field(default_factory=list)
    pressures_kpa: list[float] = field(default_factory=list)
    """At the end of each step."""


def run(symbols: Symbols, phases: list[Phase]) -> Account:
    """A new syringe through the phases, in one place of the skin."""
    device = _Device(symbols)
    account = Account()
    now = 0
    for phase in phases:
        for _ in range(round(phase.duration_s / STEP_S)):
            now += 1
            device.step(phase, account, now * STEP_S)
            account.pressures_kpa.append(device.pressure / 1000)
    account.pressure_kpa = device.pressure / 1000
    return account


class _Device:
    """State and coefficients in m, s, N, Pa, m3."""

    def __init__(self, symbols: Symbols) -> None:
        get = symbols.get
        self.get = get
        self.area = math.pi / 4 * (get("syringe.bore_um") * 1e-6) ** 2
        self.stiffness = get("plunger.stiffness_n_per_mm") * 1e3
        self.breaks = get("plunger.break_n")
        self.glides = min(get("plunger.glide_n"), self.breaks)
        self.slip_speed = get("plunger.slip_speed_mm_s") * 1e-3
        self.radius = get("needle.bore_um") / 2 * 1e-6
        self.compliance = 1e-15 * max(
            1.0, sum(get(f"{part}.compliance_nl_per_kpa") for part in ("syringe", "seal", "tube"))
        )
        self.bubble = get("bubble.volume_nl") * 1e-12
        self.leak = get("seal.leak_nl_per_s_per_kpa") * 1e-15
        self.front = get("syringe.slack_um") * 1e-6
        self.back = 0.0
        self.ahead = 0.0
        self.pressure = 0.0
        self.deposit = 0.0
        self.flow = 0.0
        self.moving = 0
        self.speed = 0.0
        self.grip = 0.0

    def step(self, phase: Phase, account: Account, now: float) -> None:
        dt = STEP_S
        speed = phase.steps_per_s * MOTOR_STEP_M
        if speed != self.speed:
            self.speed, self.moving = speed, 0
        absolute = ATMOSPHERE_PA + self.pressure
        stiff = self.compliance + self.bubble * ATMOSPHERE_PA / absolute**2
        self.flow = self._flow(phase)
        out = self.flow + self.leak * self.pressure
        if self.moving:
            change = (self.area * speed - out) / (stiff + self.area**2 / self.stiffness) * dt
            self.ahead += change * self.area / self.stiffness
        else:
            change = -out / stiff * dt
            self.ahead += speed * dt
        self.pressure += change
        self.grip -= abs(speed) * dt
        if speed > 0 and self.ahead >= self.front and self.back < self.front - self._play() - 1e-15:
            self.back = self.front - self._play()
        for volume in self._events(stiff, account, now):
            self._count(phase, account, volume)
        self._count(phase, account, self.flow * dt)
        self.deposit = max(0.0, self.deposit * (1 - dt / self.get("tissue.decay_s")))

    def _events(self, stiff: float, account: Account, now: float) -> Iterator[float]:
        """Slips and losses; what a jump of the stopper presses out at once (nothing: it is stored)."""
        net = self._force() - self.pressure * self.area
        if not self.moving and abs(net) >= self.breaks:
            way = 1 if net > 0 else -1
            if self.speed * way >= self.slip_speed:
                self.moving = way
                drop = abs(net) - self._friction()
            else:
                drop = abs(net) - min(2 * self.glides - self.breaks, self.breaks - 0.01)
            jump = way * drop / (self.stiffness + self.area**2 / stiff)
            self.ahead -= jump
            self.pressure += jump * self.area / stiff
            account.slips_s.append(now)
            yield 0.0
        if self.speed and self.grip <= 0:
            way = 1 if self.speed > 0 else -1
            force = self._force()
            if self.moving:
                force = self.moving * self._friction() + self.pressure * self.area
            if force * way > self._limit():
                self.ahead -= way * BLOCK_M
                self.moving = 0
                self.grip = BLOCK_M + max(self.grip, -abs(self.speed) * STEP_S)
                account.lost_blocks += way
                account.losses_s.append(now)

    def _count(self, phase: Phase, account: Account, volume: float) -> None:
        account.tip_ul += volume * 1e9
        if phase.depth_um is not None:
            account.skin_ul += volume * 1e9
            self.deposit += volume

    def _force(self) -> float:
        return self.stiffness * (max(0.0, self.ahead - self.front) + min(0.0, self.ahead - self.back))

    def _play(self) -> float:
        return (self.get("screw.play_um") + self.get("syringe.play_um")) * 1e-6

    def _friction(self) -> float:
        """Stribeck, at the motor's speed."""
        v = abs(self.speed)
        fall = math.exp(-((v / self.slip_speed) ** 2))
        return self.glides + (self.breaks - self.glides) * fall + self.get("plunger.drag_n_s_per_mm") * 1e3 * v

    def _limit(self) -> float:
        """Linear pull-out of the motor through a screw of 1 mm lead."""
        top = self.get("plunger.top_steps_per_s") * MOTOR_STEP_M
        torque = max(0.0, self.get("plunger.torque_mnm") * (1 - abs(self.speed) / top)) - self.get("screw.friction_mnm")
        return torque * 1e-3 * 2 * math.pi * self.get("screw.efficiency") / 1e-3

    def _flow(self, phase: Phase) -> float:
        """Through the needle, at the viscosity of the step before."""
        get = self.get
        wall = 4 * abs(self.flow) / (math.pi * self.radius**3)
        low = get("fluid.sheared_viscosity_mpa_s")
        thick = get("fluid.viscosity_mpa_s")
        if thick > low:
            part = (1 + (get("fluid.relaxation_ms") * 1e-3 * wall) ** 2) ** ((get("fluid.shear_index") - 1) / 2)
            thick = low + (thick - low) * part
        resistance = 8 * thick * 1e-3 * get("needle.length_um") * 1e-6 / (math.pi * self.radius**4)
        resistance *= get("needle.occlusion")
        outside = 0.0
        if phase.depth_um is not None:
            soft = 1 / (1 + max(0.0, phase.depth_um) / get("tissue.soft_depth_um"))
            full = self.deposit / (get("tissue.deposit_ul") * 1e-9 + self.deposit)
            outside = soft * (get("tissue.pressure_kpa") + get("tissue.stiffness_kpa") * full) * 1e3
            resistance += soft * get("tissue.resistance_kpa_s_per_ul") * 1e12
        bore = math.pi * self.radius**2
        kinetic = get("needle.kinetic") * get("fluid.density_kg_m3") / 2 / bore**2
        head = self.pressure - outside
        if kinetic == 0:
            return head / resistance
        root = math.sqrt(resistance**2 + 4 * kinetic * abs(head))
        return math.copysign((root - resistance) / (2 * kinetic), head)
