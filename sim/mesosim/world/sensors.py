"""What the sensors say of the plant: gain, offset, drift, noise, resolution, rails. Times in ticks of 40 ns."""

from mesosim.world import parameters as p

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesosim.world import arithmetic
    from mesosim.world.symbols import Symbols

_TICKS_A_MINUTE = 1.5e9


class Sensors:
    """Errors of one device's sensors; each reading draws from `noise`."""

    def __init__(self, symbols: "Symbols", noise: "arithmetic.Random", t: int) -> None:
        self._noise = noise
        self._since = t
        self._carriage_um = 0.0
        self._counts = 0
        self._missed = 0
        self._missing = 0.0
        self.tune(symbols)

    def tune(self, symbols: "Symbols") -> None:
        """Take the symbols as they are now."""
        get = symbols.get
        self._pressure_gain = get("sensor.pressure.gain_permille") / 1000.0
        self._pressure_offset = get("sensor.pressure.offset_pa")
        self._pressure_drift = get("sensor.pressure.drift_pa_per_min")
        self._pressure_noise = int(get("sensor.pressure.noise_pa"))
        self._pressure_step = int(get("sensor.pressure.step_pa"))
        self._pressure_rail = int(get("sensor.pressure.full_scale_kpa") * 1000.0)
        self._carrier_gain = get("sensor.carrier.gain_permille") / 1000.0
        self._carrier_offset = get("sensor.carrier.offset_um")
        self._carrier_drift = get("sensor.carrier.drift_um_per_min")
        self._carrier_noise = int(get("sensor.carrier.noise_um"))
        self._encoder_gain = get("sensor.encoder.gain_permille") / 1000.0
        self._encoder_offset = int(get("sensor.encoder.offset_counts"))
        self._encoder_phase = get("sensor.encoder.phase_nm") / 1000.0
        self._encoder_missed = get("sensor.encoder.missed_ppm") / 1000000.0
        self._screw_play_um = get("screw.play_um")
        self._battery_offset = get("sensor.battery.offset_mv")
        self._battery_noise = int(get("sensor.battery.noise_mv"))
        self._index_jitter = int(get("sensor.index.jitter_ns")) // 40

    def pressure_pa(self, t: int, kpa: float) -> int:
        """Pressure at the luer."""
        pa = kpa * 1000.0 * self._pressure_gain + self._pressure_offset
        if self._pressure_drift:
            pa += self._pressure_drift * (t - self._since) / _TICKS_A_MINUTE
        value = int(pa) + self._noise.triangular(self._pressure_noise)
        value = max(-self._pressure_rail, min(value, self._pressure_rail))
        return value // self._pressure_step * self._pressure_step

    def carrier_um(self, t: int, um: float) -> int:
        """Protrusion of the needle."""
        um = um * self._carrier_gain + self._carrier_offset
        if self._carrier_drift:
            um += self._carrier_drift * (t - self._since) / _TICKS_A_MINUTE
        return int(um) + self._noise.triangular(self._carrier_noise)

    def plunger_moved(self, motor_um: float) -> None:
        """The plunger's motor is here; the carriage follows by the screw's play."""
        behind = motor_um - self._screw_play_um
        if self._carriage_um < behind:
            self._carriage_um = behind
        elif self._carriage_um > motor_um:
            self._carriage_um = motor_um

    def encoder(self, motor_um: float) -> int:
        """Counts of the carriage since the device was new, the plunger's motor being at `motor_um`."""
        self.plunger_moved(motor_um)
        counts = int((self._carriage_um * self._encoder_gain + self._encoder_phase) / p.UM_PER_COUNT + _ABOVE) - _BELOW
        if self._encoder_missed and counts != self._counts:
            way = 1 if counts > self._counts else -1
            self._missing += (counts - self._counts) * way * self._encoder_missed
            while self._missing >= 1.0:
                # the next one is missed somewhere within the next two intervals of the mean
                self._missing -= (self._noise.next() & 0xFFFF) / 32768.0
                self._missed += way
        self._counts = counts
        return counts - self._missed + self._encoder_offset

    def battery_mv(self, mv: float) -> int:
        """Supply voltage."""
        return int(mv + self._battery_offset) + self._noise.triangular(self._battery_noise)

    def index_late(self) -> int:
        """Ticks that an index pulse comes late, or early if negative."""
        return self._noise.triangular(self._index_jitter) if self._index_jitter else 0


_BELOW = 1 << 24
_ABOVE = float(_BELOW)
