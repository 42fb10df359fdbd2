"""The plant's numbers by name, for one device: nominal, or as given, and changed while it runs."""

from mesosim.world import nominal


class Symbols:
    """Values are floats in the unit that the name ends in, held to a thousandth of it."""

    def __init__(self, values: "tuple | None" = None) -> None:
        """`values`: thousandths of each symbol's unit, in the order of `nominal.SYMBOLS`; None: nominal ones."""
        if values is not None and len(values) != len(nominal.SYMBOLS):
            raise ValueError("%d values for %d symbols" % (len(values), len(nominal.SYMBOLS)))
        self._values: dict = {}
        for i in range(len(nominal.SYMBOLS)):
            row = nominal.SYMBOLS[i]
            self._put(row, row[1] if values is None else values[i])

    def get(self, name: str) -> float:
        """The value of a symbol; ValueError if there is none of that name."""
        if name not in self._values:
            raise ValueError("%s: no such symbol; sim/mesosim/handpiece.toml has all of them" % name)
        value: float = self._values[name]
        return value

    def thousandths(self, name: str) -> int:
        """A symbol's value as the whole number that it is kept in."""
        value = self.get(name) * nominal.SCALE
        return int(value + 0.5) if value >= 0 else -int(0.5 - value)

    def set(self, name: str, value: float) -> None:
        """Change a symbol. ValueError naming it, the value and its range, if it must not be so."""
        for row in nominal.SYMBOLS:
            if row[0] == name:
                # whole thousandths: decimals are read alike by every interpreter only up to rounding
                self._put(row, int(value * nominal.SCALE + (0.5 if value >= 0 else -0.5)))
                return
        raise ValueError("%s = %s: no such symbol; sim/mesosim/handpiece.toml has all of them" % (name, value))

    def _put(self, row: tuple, thousandths: int) -> None:
        name, _, low, high = row
        if not low <= thousandths <= high:
            scale = nominal.SCALE
            raise ValueError("%s = %s: must be %s to %s" % (name, thousandths / scale, low / scale, high / scale))
        self._values[name] = thousandths / nominal.SCALE
