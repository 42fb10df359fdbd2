"""Two classic faults of a host, for a test that must find them: nothing of this is in the product.

Both give a request one try, so that one lost frame brings them to their mistake.
"""

from __future__ import annotations

from typing import Any

from mesoinjector import Injector, NotDelivered, Result, Unknown, catching_up
from tests.bench_of_one import OPERATOR


class Impatient(Injector):
    """Takes "nobody knows" for "it has failed": opens the device again and gives the dose anew, under a new id."""

    def _catch_up(self) -> list[Result]:
        catching_up.account_for(self._pump, self.journal, self.uid, self._next_n)
        return []

    def _refuse_while_unknown(self) -> None:
        pass

    def dose(self, *args: Any, **options: Any) -> Result:
        result = super().dose(*args, **options)
        if isinstance(result, Unknown):
            return type(self)(self.link, self.journal, OPERATOR).dose(*args, **options)
        return result


class Hasty(Injector):
    """Calls a dose not delivered when the line or the device has failed in it, without asking for it by its id."""

    def dose(self, *args: Any, **options: Any) -> Result:
        result = super().dose(*args, **options)
        if isinstance(result, Unknown):
            result = NotDelivered(result.dose_id, result.n, "failed", result.asked_nl)
            self.journal.close_dose(self.uid, result)
        return result
