"""Battery and heat: one cell behind two resistances, a driver and a winding that warm up while motors are enabled.

Closed form between changes of the load. Times are in ticks of 40 ns.
"""

from mesosim.world import arithmetic, axis

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.world.symbols import Symbols

NEVER = axis.NEVER
_TICKS = 25000000.0
_LOOK = 250000000
"""Charge and voltage are looked at this often while motors are enabled: 10 s."""
_COPPER = 0.0039
_COOL_C = 120.0
"""The driver works again below its pre-warning."""
_CELL_MV = ((0.0, 3000.0), (50.0, 3450.0), (100.0, 3600.0), (500.0, 3780.0), (800.0, 4000.0), (1000.0, 4180.0))
"""Open circuit of a Li-ion cell by charge in permille; estimate."""


class Supply:
    """`hot`: the driver has shut down. Call `load` when motor power changes, `due` at `next_at`."""

    def __init__(self, symbols: "Symbols", t: int) -> None:
        self._t = t
        self._on = False
        self.hot = False
        self.next_at = NEVER
        self._low_at = NEVER
        self.charge = symbols.get("battery.charge_permille")
        self._slow_mv = 0.0
        self.driver_c = self.winding_c = symbols.get("ambient.temperature_c")
        self._charge_set = self.charge
        self.tune(symbols, t)

    def tune(self, symbols: "Symbols", t: int) -> None:
        """Take the symbols as they are now, at time t."""
        get = symbols.get
        if get("battery.charge_permille") != self._charge_set:
            self._charge_set = self.charge = get("battery.charge_permille")
        self._ohm = get("battery.resistance_mohm") / 1000.0
        self._slow_ohm = get("battery.slow_resistance_mohm") / 1000.0
        self._slow_s = get("battery.slow_s")
        self._idle_ma = get("battery.idle_ma")
        self._motor_ma = get("battery.motor_ma")
        self._permille_a_mas = 1.0 / (get("battery.capacity_mah") * 3.6)
        self._floor_mv = get("battery.brown_out_mv")
        self._floor_ticks = int(get("battery.brown_out_ms") * 25000.0)
        self._ambient = get("ambient.temperature_c")
        self._driver_w = get("driver.heat_mw") / 1000.0
        self._driver_r = get("driver.k_per_w")
        self._driver_s = get("driver.j_per_k") * self._driver_r
        self._shutdown_c = get("driver.shutdown_c")
        self._winding_w = get("winding.heat_mw") / 1000.0
        self._winding_r = get("winding.k_per_w")
        self._winding_s = get("winding.j_per_k") * self._winding_r
        self._plan(t)

    def load(self, t: int, on: bool) -> None:
        """Motors are enabled, or no longer."""
        if on != self._on:
            self.advance(t)
            self._on = on
            self._plan(t)

    def advance(self, t: int) -> None:
        """Bring charge and temperatures to time t."""
        dt = (t - self._t) / _TICKS
        if dt <= 0.0:
            return
        self._t = t
        self.charge = self._charge_after(dt)
        self._slow_mv = self._slow_after(dt)
        self.driver_c = _towards(self.driver_c, self._driver_end(), dt, self._driver_s)
        end, tau = self._winding_end()
        self.winding_c = _towards(self.winding_c, end, dt, tau)

    def mv(self) -> float:
        """Voltage at the board's terminals, as of the last `advance`."""
        return self._mv_after(0.0)

    def due(self, t: int) -> bool:
        """What is planned for now happens; whether the board has lost its supply."""
        self.advance(t)
        dead = self._low_at <= t
        if dead:
            self._low_at = NEVER
        if self.hot:
            self.hot = self.driver_c > _COOL_C
        else:
            # reached by its own closed form: the last digits decide nothing
            self.hot = self.driver_c >= self._shutdown_c - 1e-6
        self._plan(t)
        return dead

    # --- Closed forms ---------------------------------------------------------------------------------

    def _ma(self) -> float:
        return self._idle_ma + (self._motor_ma if self._on else 0.0)

    def _charge_after(self, dt: float) -> float:
        return max(0.0, self.charge - self._ma() * dt * self._permille_a_mas)

    def _slow_after(self, dt: float) -> float:
        return _towards(self._slow_mv, self._ma() * self._slow_ohm, dt, self._slow_s)

    def _mv_after(self, dt: float) -> float:
        return _open_mv(self._charge_after(dt)) - self._ma() * self._ohm - self._slow_after(dt)

    def _driver_end(self) -> float:
        return self._ambient + (self._driver_w * self._driver_r if self._on and not self.hot else 0.0)

    def _winding_end(self) -> "tuple[float, float]":
        """Where the winding's temperature goes, and its time constant: warm copper heats itself the more."""
        if not self._on or self.hot:
            return self._ambient, self._winding_s
        k = self._winding_w * self._winding_r
        gain = min(k * _COPPER, 0.9)
        return (self._ambient + k * (1.0 - 20.0 * _COPPER)) / (1.0 - gain), self._winding_s / (1.0 - gain)

    def _plan(self, t: int) -> None:
        """When to look next: the driver's heat, a supply too low for too long, or in a while."""
        self.advance(t)
        self.next_at = t + _LOOK if self._on or self.hot else NEVER
        border = _COOL_C if self.hot else self._shutdown_c
        end = self._driver_end()
        if (end < border < self.driver_c) if self.hot else (self.driver_c < border < end):
            s = self._driver_s * arithmetic.log((end - self.driver_c) / (end - border))
            self._soon(t + int(s * _TICKS) + 1)
        elif not self.hot and self.driver_c >= border:
            self._soon(t + 1)
        if self._low_at == NEVER or self._mv_after(0.0) >= self._floor_mv:
            self._low_at = NEVER
            seconds = _LOOK / _TICKS
            if self._on and self._mv_after(seconds) < self._floor_mv:
                self._low_at = t + int(self._falls(seconds) * _TICKS) + self._floor_ticks
        self._soon(self._low_at)

    def _soon(self, t: int) -> None:
        if t < self.next_at:
            self.next_at = t

    def _falls(self, seconds: float) -> float:
        """When within that time the voltage falls below the floor."""
        low, high = 0.0, seconds
        if self._mv_after(0.0) < self._floor_mv:
            return 0.0
        for _ in range(30):
            middle = (low + high) / 2.0
            if self._mv_after(middle) < self._floor_mv:
                high = middle
            else:
                low = middle
        return high


def _towards(value: float, end: float, dt: float, tau: float) -> float:
    return end + (value - end) * arithmetic.exp(-dt / tau)


def _open_mv(charge: float) -> float:
    for i in range(1, len(_CELL_MV)):
        low, high = _CELL_MV[i - 1], _CELL_MV[i]
        if charge <= high[0]:
            return low[1] + (high[1] - low[1]) * (charge - low[0]) / (high[0] - low[0])
    return _CELL_MV[-1][1]
