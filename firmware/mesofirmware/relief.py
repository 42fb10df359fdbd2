"""The relief of an occlusion: the plunger goes back until what is stored is gone, so that it is not given later.

In parts, each by three quarters of what the pressure still says is stored: what the play and the rod's bend take up is
not known before. Never further back than was pushed, nor by more than may be stored, whatever the sensor says.
"""

from mesofirmware import motion
from mesofirmware.volume import REVERSAL_UM
from mesoprotocol import limits, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board
    from mesofirmware.volume import Volume


class Relief:
    """Goes on while `step` says so; the needle is out, and the permit stands."""

    def __init__(self, board: "Board", volume: "Volume") -> None:
        self._board = board
        self._volume = volume
        self._table = motion.Table(1)
        self._left = 0

    def clear(self) -> None:
        """Nothing is to be relieved."""
        self._left = 0

    def begin(self, profile: tuple) -> None:
        """The needle leaves an occlusion: see how far the plunger may go back."""
        volume = self._volume
        hidden = 2 * REVERSAL_UM * profile[limits.PROFILE_PL_PER_COUNT] // 1000
        nl = min(volume.exit_nl + volume.exit_nl // 4 + hidden, max(0, volume.swept_nl()))
        self._left = motion.plunger_steps(nl, profile)

    def step(self, profile: tuple, interval: int) -> bool:
        """Whether the plunger has still to go back; it was told to."""
        board = self._board
        if board.plunger.busy():
            return True
        if not self._left or not board.inputs() & wire.INPUT_PERMIT_PLUNGER:
            return False
        stored = self._volume.stored_nl()
        if stored <= self._volume.flat_nl():
            return False
        steps = max(1, min(motion.plunger_steps(stored * 3 // 4, profile), self._left))
        self._left -= steps
        motion.straight(self._table, -steps, interval)
        board.plunger.feed(self._table.words, self._table.n, 1, False)
        return True
