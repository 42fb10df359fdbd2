"""Interrupts: who asks for a handler to be called, and whom that silences.

A handler that raises is switched off and its error kept, as MicroPython does: `failures`.
"""


class Interrupts:
    """All of one chip."""

    def __init__(self, pads: object) -> None:
        self._pads = pads
        self._edges: list = []
        self._waiting: list = []
        self._calling = False
        self.failures: list = []

    def on_edge(self, pin: object, number: int, trigger: int, handler: object) -> None:
        """Call `handler(pin)` at edges of a pad; `trigger` has bits 4 (falling) and 8 (rising)."""
        for edge in self._edges:
            if edge.number == number:
                edge.tune(pin, trigger, handler)
                return
        edge = _Edge(self, self._pads, number)
        edge.tune(pin, trigger, handler)
        self._edges.append(edge)
        self._pads.watch(1 << number, edge.seen)  # type: ignore[attr-defined]

    def ask(self, handler: object, argument: object) -> None:
        """Call `handler(argument)` as soon as may be."""
        self._waiting.append((handler, argument))

    def pending(self) -> bool:
        """Whether any handler waits to be called."""
        return bool(self._waiting)

    def call(self) -> None:
        """Call what waits."""
        if self._calling:
            return
        self._calling = True
        while self._waiting:
            handler, argument = self._waiting.pop(0)
            try:
                handler(argument)
            except Exception as error:
                self.failures.append(error)
                self._silence(handler)
        self._calling = False

    def _silence(self, handler: object) -> None:
        for edge in self._edges:
            if edge.handler is handler:
                edge.handler = None


class _Edge:
    """One pad's interrupt."""

    def __init__(self, interrupts: Interrupts, pads: object, number: int) -> None:
        self.number = number
        self.handler: object = None
        self._interrupts = interrupts
        self._pads = pads
        self._pin: object = None
        self._trigger = 0

    def tune(self, pin: object, trigger: int, handler: object) -> None:
        self._pin = pin
        self._trigger = trigger
        self.handler = handler

    def seen(self, _: int) -> None:
        high = self._pads.levels >> self.number & 1  # type: ignore[attr-defined]
        if self.handler is not None and self._trigger & (8 if high else 4):
            self._interrupts.ask(self.handler, self._pin)
