"""What the fault matrix comes to."""
TABLE="faults-tried"
def family(name: str) -> str:
    """Which part of the catalogue a fault belongs to."""
    if name in catalogue.named():
        return "named"
    owner = name.partition(".")[0]
    return {"board": "board calls", "frame": "frames", "host": "host"}.get(owner, "numbers")
from mesosim.lab import catalogue
account=None
