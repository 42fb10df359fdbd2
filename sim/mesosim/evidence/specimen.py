"""Drawn devices with their hosts, in this process: what the studies' cases play on. The plant is the witness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mesoinjector import Delivered, DeviceError, Injector, MesoError
from mesoinjector.journal import Journal
from mesosim import handpiece
from mesosim.lab.link import MortalLink
from mesosim.runtime import Device, InProcess
from mesosim.world import parameters as p
from mesosim.world.trace import Trace

PRIME_ML = 0.1


class Specimen:
    """One device of a seed, within its tolerances, with a journal of its own."""

    def __init__(
        self,
        seed: int,
        spread: float = 1.0,
        settings: dict[str, float] | None = None,
        watch: Callable[[Device], Device] = lambda device: device,
        log: Trace | None = None,
    ) -> None:
        """`spread` multiplies all tolerances; `settings`: symbols of the plant with a value of their own, in their
        unit; `watch` wraps the device, for who looks at it while it runs; `log` is told what happens in the plant.
        """
        self.inner = InProcess(seed, values=drawn(seed, spread, settings or {}), log=log)
        self.device = watch(self.inner)
        self.injector = Injector(MortalLink("sim", self.device, seed), Journal(":memory:"))

    def ready(self) -> Injector:
        """The host, with a treatment begun and the syringe primed. Raises what these two do."""
        self.injector.begin_treatment()
        self.injector.prime(PRIME_ML)
        return self.injector

    def unprimed(self) -> str:
        """Begin a treatment and prime, and say what came in between; "" if it is primed."""
        try:
            self.injector.begin_treatment()
            primed = self.injector.prime(PRIME_ML)
        except MesoError as error:
            return f"prime: {called(error)}"
        if isinstance(primed, Delivered) and primed.complete:
            return ""
        return f"prime: {primed.reason}"

    def plant(self) -> dict[str, Any]:
        """The plant's account."""
        account: dict[str, Any] = self.device.control("account")
        return account

    def set(self, symbol: str, value: float) -> None:
        """A symbol of the plant, from now on."""
        self.device.control("set", [symbol, round(value * handpiece.SCALE)])

    def rest(self, us: int) -> dict[str, Any]:
        """Run the device on, without its host; the plant's account then."""
        t = self.plant()["t_us"]
        end = t + us
        while t < end:
            t, _ = self.device.run(end, b"")
        return self.plant()

    def protrusion_um(self) -> float:
        """How far the needle protrudes at bottom dead centre, the depth stop being where it is."""
        protrusion: float = self.inner.world.plant.carriage.needle_um(p.STEPS_PER_TURN // 2)
        return protrusion


def called(error: MesoError) -> str:
    """An error's name: the device's status, or what kind of error it is."""
    return error.name.lower() if isinstance(error, DeviceError) else type(error).__name__


def drawn(seed: int, spread: float, settings: dict[str, float]) -> handpiece.Values:
    """The values of one specimen. Raises KeyError for what is no symbol."""
    symbols = dict(handpiece.load().symbols)
    wider = {name: one.model_copy(update={"tolerance": one.tolerance * spread}) for name, one in symbols.items()}
    for name, value in settings.items():
        wider[name] = wider[name].model_copy(update={"nominal": value, "tolerance": 0.0})
    return handpiece.Handpiece(symbols=wider).drawn(seed)
