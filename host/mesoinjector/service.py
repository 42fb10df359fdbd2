"""What service does with an open device: settings, calibration, the log. Nothing here moves anything."""

from __future__ import annotations

from mesoinjector import device_log, errors
from mesoinjector.arguments import whole
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
        now = self.settings()
        wanted = messages.Calibrate(
            now.name if name is None else name,
            now.carrier_zero_um if carrier_zero_um is None else carrier_zero_um,
            now.pressure_zero_pa if pressure_zero_pa is None else pressure_zero_pa,
            now.encoder_gain_ppm if encoder_gain_ppm is None else encoder_gain_ppm,
        )
        if not wanted.name.isascii() or len(wanted.name) > 16:
            raise errors.PlanError(f"name = {wanted.name!r}: must be at most 16 ASCII letters.")
        whole("carrier_zero_um", wanted.carrier_zero_um, -1000, 1000)
        whole("pressure_zero_pa", wanted.pressure_zero_pa, -50_000, 50_000)
        whole("encoder_gain_ppm", wanted.encoder_gain_ppm, 900_000, 1_100_000)
        self._ask(wanted)
        return self.settings()

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
