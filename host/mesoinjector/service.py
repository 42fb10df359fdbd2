"""What service does with an open device: settings, calibration, the log. Nothing here moves anything."""

from __future__ import annotations

from mesoinjector import device_log, errors
from mesoinjector.arguments import whole
from mesoinjector.calibrating import CARRIER_ZERO_UM, ENCODER_GAIN_PPM, PRESSURE_ZERO_PA
from mesoinjector.injector import Injector
from mesoprotocol import messages


class Service:
    """The service side of one `Injector`. What writes wants the service key, on a device that has keys."""

    def __init__(self, injector: Injector) -> None:
        # not for a program, which could commit past the journal by it
        self._ask = injector._ask  # pyright: ignore[reportPrivateUsage]

    def settings(self) -> messages.SettingsReply:
        """What is set for this device and lasts. Raises as `Injector.status` does."""
        reply: messages.SettingsReply = self._ask(messages.Settings())
        return reply

    def calibrate(
        self,
        name: str | None = None,
        carrier_zero_um: int | None = None,
        pressure_zero_pa: int | None = None,
        encoder_gain_ppm: int | None = None,
    ) -> messages.SettingsReply:
        """Write the settings; what is None stays. Returns them as they are in force now.

        name: at most 16 ASCII letters; carrier_zero_um: -1000 .. 1000, what the carrier sensor says at the nose plane;
        pressure_zero_pa: -50,000 .. 50,000, what the pressure sensor says without pressure; encoder_gain_ppm: 900,000
        .. 1,100,000. Refused, with `DeviceError`, unless nothing is prepared, armed or moving, and if what is there is
        damaged. Raises `PlanError`, `AuthError`.
        """
        self.check(name, carrier_zero_um, pressure_zero_pa, encoder_gain_ppm)
        now = self.settings()
        wanted = messages.Calibrate(
            now.name if name is None else name,
            now.carrier_zero_um if carrier_zero_um is None else carrier_zero_um,
            now.pressure_zero_pa if pressure_zero_pa is None else pressure_zero_pa,
            now.encoder_gain_ppm if encoder_gain_ppm is None else encoder_gain_ppm,
        )
        self._ask(wanted)
        return self.settings()

    @staticmethod
    def check(
        name: str | None = None,
        carrier_zero_um: int | None = None,
        pressure_zero_pa: int | None = None,
        encoder_gain_ppm: int | None = None,
    ) -> None:
        """Whether `calibrate` would take these. Raises `PlanError`; nothing is sent."""
        if name is not None and (not name.isascii() or len(name) > 16):
            raise errors.PlanError(f"name = {name!r}: must be at most 16 ASCII letters.")
        if carrier_zero_um is not None:
            whole("carrier_zero_um", carrier_zero_um, *CARRIER_ZERO_UM)
        if pressure_zero_pa is not None:
            whole("pressure_zero_pa", pressure_zero_pa, *PRESSURE_ZERO_PA)
        if encoder_gain_ppm is not None:
            whole("encoder_gain_ppm", encoder_gain_ppm, *ENCODER_GAIN_PPM)

    def entry(self, n: int) -> messages.LogReply:
        """Entry n of the device's log, from 1; kind NONE if it is not kept."""
        whole("n", n, 1, 0xFFFFFF)
        reply: messages.LogReply = self._ask(messages.Log(n))
        return reply

    def log(self) -> device_log.DeviceLog:
        """The device's log, the last 143 entries, verified. Any role may read it."""
        return device_log.read(self._ask)

    def cartridge(self) -> messages.CartridgeReply:
        """What is mounted, and why a run would be refused (`judged`). Raises `DeviceBusy` while a dose is in hand."""
        reply: messages.CartridgeReply = self._ask(messages.Cartridge())
        return reply

    def update(self) -> messages.UpdateReply:
        """Which application runs, and whether it is on trial."""
        reply: messages.UpdateReply = self._ask(messages.Update())
        return reply

    def confirm(self) -> messages.UpdateReply:
        """Keep the application that is on trial, which works. Raises `DeviceError`, `AuthError`."""
        self._ask(messages.Confirm())
        return self.update()
