"""The depth stop: it limits the needle by mechanics, and is set while the needle is at home.

With the needle in skin it moves outward only, which draws the needle back with it.
"""

from mesofirmware import motion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board


class DepthStop:
    """Shared by all modes. Its position is known only while it stands where it was sent, not stopped since."""

    def __init__(self, board: "Board") -> None:
        self._axis = board.depth
        self._table = motion.Table(1)
        self._known = False
        self._steps = 0
        """Where it was sent."""

    def move(self, depth_um: int) -> None:
        """Start to set the stop; home it first if its position is not known."""
        at = 0
        if self._known:
            at = self._axis.position()
        else:
            self._axis.home()
        self._known = False
        self._steps = depth_um // motion.UM_PER_DEPTH_STEP
        steps = self._steps - at
        if steps:
            motion.straight(self._table, steps, motion.DEPTH_INTERVAL)
            self._axis.feed(self._table.words, self._table.n, 1, False)

    def home(self) -> None:
        """Start to bring it to its switch, wherever it was taken to be."""
        self._known = False
        self.move(0)

    def draw(self, depth_um: int, ticks: int) -> None:
        """Draw the stop, and the needle with it, outward to a depth, evenly within `ticks`; inward it does not go."""
        steps = self._axis.position() - depth_um // motion.UM_PER_DEPTH_STEP
        if steps > 0:
            motion.straight(self._table, -steps, ticks // steps)
            self._axis.feed(self._table.words, self._table.n, 1, False)

    def busy(self) -> bool:
        """Whether it is on its way."""
        return self._axis.busy()

    def arrived(self) -> bool:
        """Whether it, busy no more, stands where it was sent: without motor power it has not moved at all."""
        self._known = self._axis.position() == self._steps
        return self._known

    def stop(self) -> None:
        """Stop where it is; it is homed before it is set again."""
        if self._axis.busy():
            self._axis.stop()
        self._known = False
