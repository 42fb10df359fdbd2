"""What has left the needle: the plunger's way counted twice, less what is still stored in the syringe's compliance.

All are needed: with a blocked needle the plunger moves and nothing leaves. One count is the encoder's, by the profile's
volume a count; the other is the steps', by bore and lead. Where they disagree nobody knows which is right, or whether
the plunger binds: then the bounds hold both, and nothing. Volumes in nl.
"""

from mesoprotocol import limits, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mesofirmware.boards.port import Board

_DOUBT = 4
"""What is stored is known to a quarter."""
_SOFTEST = 2
"""How much more than its profile says a syringe may store, in the lower bound that is kept while it dispenses."""
_SIGMA_PA = 1_000
"""Pressure noise that profiles are judged by (A-23)."""
_LOW_LOOKS = 3
"""It leaks when so many looks in a row say so: one may be wrong."""
_RISEN = 4
"""Time constants of the needle alone after which the pressure has risen, by 98 %; skin lets it rise higher at once."""
_CLEAR_PA = 3_900
"""What the needle alone must need, so that a tenth of it is twice the pressure sensor's noise (205 Pa rms)."""
REVERSAL_UM = 100
"""Play, and the bend of the rod under its friction, which a plunger that turns back runs through first; estimate."""


class Volume:
    """The amounts of one dose or run. What a prime has measured outlives it: `compliance`, the mounted syringe's in
    nl/kPa, and `needle`, its needle's resistance in Pa.s/ul; 0: not known.
    """

    def __init__(self, board: "Board") -> None:
        self._board = board
        self._profile = limits.PROFILES[0]
        self.compliance = 0
        self.needle = 0
        self.delivered_nl = 0
        self.lower_nl = 0
        self.upper_nl = 0
        self.steps = 0
        self.exact = True
        """Whether the amounts were measured; otherwise only the bounds hold."""
        self._steps_at_start = 0
        self._encoder_at_start = 0
        self._counted = 0
        self._base_pa = 0
        self._encoder_at_flow = 0
        self._stored_at_flow = 0
        self._flows = True
        self.exit_nl = 0
        """Stored when the needle left, the last time."""
        self._highest_nl = 0
        self._low_looks = 0
        self._lost_nl = 0
        """The same, of all times."""
        self._rest_nl = 0

    def begin(self, profile: tuple, is_prime: bool) -> None:
        """Count from here. A prime delivers only once it `sees_flow`."""
        board = self._board
        self._profile = profile
        if is_prime or not self.compliance:
            self.compliance = profile[limits.PROFILE_COMPLIANCE_NL_PER_KPA]
            self.needle = 0
        self._steps_at_start = board.plunger.position()
        self._encoder_at_start = self._encoder_at_flow = self._counted = board.encoder()
        self._base_pa = board.pressure_pa()
        self._stored_at_flow = 0
        self._flows = not is_prime
        self._low_looks = 0
        self.exit_nl = self._lost_nl = self._rest_nl = 0

    # --- Now ------------------------------------------------------------------------------------------

    def made(self) -> int:
        """Steps made since the beginning; fewer after a relief."""
        return self._board.plunger.position() - self._steps_at_start

    def agrees(self) -> bool:
        """Hold the encoder against the steps: whether both say the same."""
        stepped_nm = self.made() * 625 // 2
        self._counted = self._board.encoder()
        counted_nm = (self._counted - self._encoder_at_start) * 500
        allowed_nm = max(limits.ENCODER_TOLERANCE_UM * 1000, abs(stepped_nm) // 1000 * limits.ENCODER_SCALE_PERMILLE)
        return abs(stepped_nm - counted_nm) <= allowed_nm

    def swept_nl(self) -> int:
        """By the encoder, as it was last held against the steps."""
        return (self._counted - self._encoder_at_start) * self._profile[limits.PROFILE_PL_PER_COUNT] // 1000

    def stored_pa(self) -> int:
        """Pressure above that at the beginning; not below 0."""
        return max(0, self._board.pressure_pa() - self._base_pa)

    def stored_nl(self) -> int:
        """What the compliance stores above what was stored at the beginning; not below 0."""
        return self.stored_pa() * self.compliance // 1000

    def flat_nl(self) -> int:
        """What a pressure stores that counts as fallen."""
        return limits.FLAT_PA * self.compliance // 1000

    def tau_us(self) -> int:
        """Time constant of the flow into skin: Pa.s/ul * nl/kPa = us."""
        return self._profile[limits.PROFILE_RESISTANCE_PA_S_PER_UL] * self.compliance

    def lowest_nl(self) -> int:
        """What has left at least, while it dispenses; a prime has no lowest."""
        if not self._flows:
            return 0
        lower = max(0, self.swept_nl() - self._lost_nl - _SOFTEST * self.stored_nl())
        return lower - self._tolerance(lower)

    def highest_nl(self, steps: int) -> int:
        """What may have left once so many steps are made; the last that was asked for bounds a leak."""
        upper = steps * self._profile[limits.PROFILE_PL_PER_STEP] // 1000
        self._highest_nl = upper + self._tolerance(upper)
        return self._highest_nl

    def leaks(self, pa: int, flow_nl_per_s: int, flows_us: int) -> bool:
        """Whether fluid flows too easily, at `pa`, since `flows_us`: skin, whatever it is, only adds to the needle."""
        needle_pa = self.needle * flow_nl_per_s // 1000
        if needle_pa < _CLEAR_PA or flows_us < _RISEN * self.needle * self.compliance:
            return False
        self._low_looks = self._low_looks + 1 if pa * 100 < needle_pa * limits.LEAK_PERCENT else 0
        return self._low_looks >= _LOW_LOOKS

    # --- Moments --------------------------------------------------------------------------------------

    def sees_flow(self, stored_nl: int, first: bool) -> None:
        """A prime's pressure shows flow: its count begins at the first of the looks that say so."""
        if first:
            self._encoder_at_flow = self._counted
            self._stored_at_flow = stored_nl
        self._stored_at_flow = min(self._stored_at_flow, stored_nl)

    def leave(self) -> None:
        """The needle leaves."""
        self.exit_nl = self.stored_nl()
        self._lost_nl += self.exit_nl

    def rest(self) -> bool:
        """Everything rests: whether the pressure does as well."""
        self._rest_nl = self.stored_nl()
        return self._rest_nl <= self.flat_nl()

    def end(self, reason: int, drips: bool, flowed: bool) -> bool:
        """Compute the amounts: the one place where a delivered volume is computed. False if the two counts disagree.

        `flowed`: whether a prime has shown flow; True for a dose.
        """
        agrees = self.agrees()
        stored = self._rest_nl
        swept = self.swept_nl()
        made = self.made()
        self.steps = max(0, made)
        occluded = reason == wire.REASON_OCCLUSION
        leaks = reason in (wire.REASON_LEAK, wire.REASON_COMPLIANCE)
        self.exact = agrees and not (occluded or leaks)
        hidden = 0
        if occluded:
            hidden = 2 * REVERSAL_UM * self._profile[limits.PROFILE_PL_PER_COUNT] // 1000
        if not flowed:
            self.delivered_nl = self.lower_nl = 0
            self.upper_nl = max(0, swept) + hidden
        else:
            since = (self._counted - self._encoder_at_flow) * self._profile[limits.PROFILE_PL_PER_COUNT] // 1000
            # a prime's count begins at flow: what was stored by then flows out as well
            self.delivered_nl = max(0, since + self._stored_at_flow - stored)
            margin = self._tolerance(self.delivered_nl) + _SIGMA_PA * self.compliance // 1000
            # what had not left when the needle did may have fallen beside the skin; the rest is an estimate
            lower = self.delivered_nl - margin - max(0, self._lost_nl - stored) - stored // _DOUBT
            # behind an occlusion the plunger's way tells what has left only once nothing is stored
            self.lower_nl = 0 if occluded and drips else max(0, lower)
            self.upper_nl = self.delivered_nl + margin + max(stored, self.exit_nl) // _DOUBT + hidden
            if drips:
                # a pressure that does not fall tells nothing: all of it may have left
                self.upper_nl = max(self.upper_nl, self.delivered_nl + stored + margin)
            if not self._flows:
                self.upper_nl = max(self.upper_nl, swept)
        if leaks:
            # any share of what was pushed may have left elsewhere: a leak that comes and goes looks like air at a prime
            self.lower_nl = 0
            self.upper_nl = max(self.upper_nl, self._highest_nl)
        if not agrees:
            # a plunger that binds bends the rod: both counts go on, and nothing may have left
            stepped = self._stepped_nl(made)
            self.lower_nl = 0
            self.upper_nl = max(self.upper_nl, stepped + self._tolerance(stepped))
        if self.steps == 0 and swept <= 0 and not hidden:
            self.delivered_nl = self.lower_nl = self.upper_nl = 0
        return agrees

    def _stepped_nl(self, steps: int) -> int:
        """The second count, from the bore and 0.3125 um a step: pi / 4 * 0.3125 = 0.24544."""
        bore_um = self._profile[limits.PROFILE_BORE_UM]
        return bore_um * bore_um // 1000 * 2454 // 10_000 * steps // 1000

    def _tolerance(self, volume_nl: int) -> int:
        return volume_nl * self._profile[limits.PROFILE_TOLERANCE_PERMILLE] // 1000
