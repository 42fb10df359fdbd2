"""The safety channel: it alone raises the permit, gives motor power and feeds the dead-man; the control path asks.

Apart from the control path by its logic alone: both run on one core, one after the other (A-31). What no program on
that core can prevent, hardware does: the permit circuit and the dead-man of the Board port.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board


class Safety:
    """What the control path may do is asked for here, and is not given when something stands against it."""

    def __init__(self, board: "Board") -> None:
        self._board = board
        self.rest()

    # --- What the control path asks for ---------------------------------------------------------------

    def power(self) -> None:
        """Motor power, for what was armed."""
        self._board.enable(True)

    def permit(self, away: bool) -> None:
        """Plunger steps, towards skin or `away` from it."""
        self._board.permit(True, away)

    def forbid(self) -> None:
        """No plunger steps any more; the needle's way out starts."""
        self._board.permit(False, False)

    def rest(self) -> None:
        """Nothing is to move: no permit, no motor power."""
        self._board.permit(False, False)
        self._board.enable(False)

    def alive(self) -> None:
        """The loop turns: the dead-man is fed."""
        self._board.feed_deadman()
