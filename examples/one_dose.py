"""One dose: `one_dose.py [DEVICE]`, by default a simulated one, the same each time."""

import sys

from mesoinjector import Delivered, Injector, NotDelivered, Result, Unknown


def told(result: Result) -> str:
    match result:
        case Delivered(complete=True):
            return f"given: {result.delivered_nl / 1000:.1f} ul"
        case Delivered():
            return f"ended early ({result.reason}): {result.lower_nl} to {result.upper_nl} nl"
        case NotDelivered():
            return f"nothing given: {result.reason}"
        case Unknown():
            return f"not known, up to {result.upper_nl} nl: open the device again"


def main(device: str) -> None:
    with Injector.open(device) as injector:
        injector.begin_treatment()
        primed = injector.prime(volume_ml=0.1)  # away from the skin, with the trigger
        print("primed:", primed.reason)
        if isinstance(primed, Delivered) and primed.complete:
            print(told(injector.dose(volume_ml=0.02, depth_mm=1.0, zone="forehead", point=1)))


if __name__ == "__main__":
    main(*sys.argv[1:] or ["sim://?seed=1"])
