"""pytest plugin: an injector on any runtime or port, faults, virtual time, the plant's account.

    pytest --mesoinjector=sim://micropython --mesoinjector-seed=7

`--mesoinjector` takes what `Injector.open` takes, and `sim`, `micropython`, `wasm` for short. A simulated device is new
in each test; one on a port is the same throughout, and so is the journal. Nothing moves unless a test asks for it.
Loaded by every pytest where this package is installed: it imports nothing more until a fixture is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mesoinjector import Injector
    from mesoinjector.links import Link
    from mesosim.lab.catalogue import Fault

SHORT = {"sim": "sim://cpython", "cpython": "sim://cpython", "micropython": "sim://micropython", "wasm": "sim://wasm"}
MARKER = "requirement(*ids): requirements that this test holds; properties of its JUnit XML"
OPERATOR = "operator: somebody presses the trigger; skipped on a real device unless --mesoinjector-operator is given"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("mesoinjector", "an injector for tests")
    group.addoption(
        "--mesoinjector",
        metavar="DEVICE",
        default="sim",
        help="sim, micropython, wasm, sim://..., socket://host:port or a port such as /dev/ttyACM0 (default: sim)",
    )
    group.addoption("--mesoinjector-seed", metavar="N", type=int, default=1, help="seed of a simulated device")
    group.addoption("--mesoinjector-key", metavar="FILE", help="the operator's key, of a device that has keys")
    group.addoption(
        "--mesoinjector-operator",
        action="store_true",
        help="a person stands by a real device and does what the tests say: it will move",
    )
    group.addoption(
        "--mesoinjector-board",
        metavar="MODULE:FUNCTION",
        default="mesosim.lab.board_conformance.rigs:simulated",
        help="makes a rig for mesosim.lab.board_conformance (default: the simulator's board)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The markers."""
    config.addinivalue_line("markers", MARKER)
    config.addinivalue_line("markers", OPERATOR)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Requirements' ids into the JUnit XML."""
    for item in items:
        for marker in item.iter_markers("requirement"):
            item.user_properties += [("requirement", name) for name in marker.args]


@pytest.fixture(scope="session")
def mesoinjector_url(request: pytest.FixtureRequest) -> str:
    """Where the device is, as `Injector.open` takes it."""
    named: str = request.config.getoption("--mesoinjector")
    url = SHORT.get(named, named)
    if url.startswith("sim:") and "seed=" not in url:
        url += f"{'&' if '?' in url else '?'}seed={request.config.getoption('--mesoinjector-seed')}"
    return url


@pytest.fixture(scope="session")
def mesoinjector_journal(mesoinjector_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The journal: of a device on a port one file for all tests, of a simulated one new each time."""
    if mesoinjector_url.startswith("sim:"):
        return ":memory:"
    return str(tmp_path_factory.mktemp("mesoinjector") / "journal.sqlite")


@contextlib.contextmanager
def _said_plainly(url: str) -> Iterator[None]:
    """What is wrong with a device, without the traceback. A runtime that this machine does not have is skipped."""
    from mesoinjector.errors import DeviceNotFound, MesoError

    try:
        yield
    except MesoError as error:
        if isinstance(error, DeviceNotFound) and url.startswith("sim:") and "not installed" in str(error):
            pytest.skip(str(error))
        raise pytest.fail.Exception(str(error), pytrace=False) from None


@pytest.fixture
def link(mesoinjector_url: str) -> Iterator[Link]:
    """The line to the device, opened, with nobody on it yet."""
    from mesoinjector.links import open_link

    with _said_plainly(mesoinjector_url):
        line = open_link(mesoinjector_url)
    yield line
    line.close()


@pytest.fixture
def injector(link: Link, mesoinjector_journal: str, request: pytest.FixtureRequest) -> Iterator[Injector]:
    """The device, connected; no treatment begun, nothing primed."""
    from mesoinjector import Injector, Key
    from mesoinjector.journal import Journal

    key = request.config.getoption("--mesoinjector-key")
    with _said_plainly(link.url):
        opened = Injector(link, Journal(Path(mesoinjector_journal)), Key.load(key) if key else None)
    with opened:  # closed here, not by `link`: a thread that still reads would hold the port for a moment
        yield opened


@pytest.fixture
def device(link: Link) -> Link:
    """The simulated world: `device.control(name, value)`. Skips where there is none to ask."""
    if link.control("account") is None:
        pytest.skip(f"{link.url} has no world to ask: a device on a port")
    return link


@pytest.fixture
def plant(device: Link) -> Plant:
    """What the plant itself knows: `plant()["tip_nl"]`."""
    return Plant(device)


@pytest.fixture
def faults(device: Link) -> Iterator[Faults]:
    """Faults of the catalogue by name: `faults.inject("occlusion")`. They end with the test."""
    found = Faults(device)
    yield found
    found.clear()


@pytest.fixture
def virtual_time(link: Link, injector: Injector) -> VirtualTime:
    """The simulator's clock: `virtual_time.advance(2.5)`. Skips where time is the wall's."""
    if not link.virtual:
        pytest.skip(f"{link.url} runs in real time")
    return VirtualTime(injector)


class Plant:
    """The plant's own account."""

    def __init__(self, device: Link) -> None:
        self._device = device

    def __call__(self) -> dict[str, Any]:
        """Volumes in nl, times in us; see `World.control`."""
        account: dict[str, Any] = self._device.control("account")
        return account


class Faults:
    """See `mesosim.lab.inject`."""

    def __init__(self, device: Link) -> None:
        self._device = device

    def inject(
        self, name: str, kind: str | None = None, value: float | None = None, duration_s: float | None = None
    ) -> Fault:
        """Bring a fault about now, until it is cleared or for a time. Raises `UnknownFault`."""
        from mesosim.lab import inject

        return inject.inject(self._device, name, kind, value, duration_s)

    def clear(self, name: str = "") -> None:
        """End a fault, or all of them. Raises `UnknownFault`."""
        from mesosim.lab import inject

        inject.clear(self._device, name)


class VirtualTime:
    """The clock of a device in virtual time."""

    def __init__(self, injector: Injector) -> None:
        self._injector = injector

    @property
    def now_us(self) -> int:
        """Microseconds since the world began."""
        return self._injector.link.now_us()

    def advance(self, seconds: float) -> int:
        """Let time pass while the host listens and asks for nothing; the time then, us."""
        self._injector.wait(seconds)
        return self.now_us
