"""An update cut at every write, torn at 16 places; and cut again at every write of what brings it to its end."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from mesoinjector import signing
from mesosim.lab import flash
from mesosim.lab.enumeration import updates
from tests.soak.parts import Soaked, Wrong, soak
from tests.summary import TOLD

TORN = 16
PARTS = 60


@functools.cache
def begun() -> tuple[updates.Play, bytes]:
    """The play, and the device's flash before; a process makes them once."""
    with TemporaryDirectory() as folder:
        signing.new_key(Path(folder) / "key")
        pem = (Path(folder) / "key").read_bytes()
    play = updates.Play.small(lambda text: signing.signature(text, pem), signing.modulus(pem))
    return play, play.device()


def cut(part: str) -> int:
    """A piece of the images: how many were held, those of the second cut among them."""
    play, before = begun()
    play.installed(device := flash.Flash(before, flash.BOARD_BLOCK))
    torn = [(story, image, False) for story, image in updates.images(before, device.writes, TORN)]
    halved = [(story, image, True) for story, image in updates.images(before, device.writes)]
    held = 0
    for story, image, again in (*torn[int(part) :: PARTS], *halved[int(part) :: PARTS]):
        where = story
        try:
            writes = play.survives(image)
            held += 1
            for later, second in updates.images(image, writes) if again else ():
                where = f"{story}, then {later}"
                play.survives(second)
                held += 1
        except Exception as error:
            raise Wrong(f"{where}: {error!r}") from error
    return held


def test_every_cut_of_an_update(
    until: float, judge: Callable[[Soaked], None], record_property: Callable[[str, object], None]
) -> None:
    soaked = soak("updates", [str(part) for part in range(PARTS)], cut, until)
    said = f"{sum(soaked.results.values()):,} images, {len(soaked.failed)} parts with a finding"
    record_property(TOLD, ["enumeration: an update cut twice", said])
    judge(soaked)
