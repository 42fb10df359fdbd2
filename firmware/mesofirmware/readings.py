"""What a board's readings pass through: the device's calibration, applied here and nowhere else.

Until `calibrate` is called readings are the sensors' own. Integers below 2^30 for |counts| below 10,000,000 (5 m).
"""

_PPM = 1_000_000


class Readings:
    """The calibration of one board's sensors."""

    def __init__(self) -> None:
        self._carrier_zero_um = 0
        self._pressure_zero_pa = 0
        self._gain_ppm = 0
        """Above 1."""

    def calibrate(self, carrier_zero_um: int, pressure_zero_pa: int, encoder_gain_ppm: int) -> None:
        """From now on. `*_zero`: what the sensor says where there is nothing; gain: 900,000 .. 1,100,000 ppm."""
        self._carrier_zero_um = carrier_zero_um
        self._pressure_zero_pa = pressure_zero_pa
        self._gain_ppm = encoder_gain_ppm - _PPM

    def carrier_um(self, um: int) -> int:
        """Protrusion of the needle, of what the carrier sensor says."""
        return um - self._carrier_zero_um

    def pressure_pa(self, pa: int) -> int:
        """Pressure at the luer, of what its sensor says."""
        return pa - self._pressure_zero_pa

    def encoder(self, counts: int) -> int:
        """Counts of 0.5 um, of those that the encoder gives."""
        if self._gain_ppm == 0:
            return counts
        return counts + (counts // 1000 * self._gain_ppm + counts % 1000 * self._gain_ppm // 1000) // 1000
