"""Real journals, one for each content: what a host writes leads from one to the next, what it reads is read by SQL."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from mesoinjector.journal import Journal
from mesoinjector.results import Result


class Books(Journal):
    """A journal whose content can be chosen by number; 0 is empty. The file of a content is copied, then written."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.content = 0
        self._files = [self._db]
        self._next: dict[tuple, int] = {}
        self._results: list[dict[str, list[Result]]] = [{}]

    def choose(self, content: int) -> None:
        """Become the journal of this content."""
        self.content = content
        self._db = self._files[content]

    def _append(self, kind: str, device: str, dose_id: str | None, data: dict[str, Any]) -> int:
        step = self.content, kind, device, dose_id, json.dumps(data)
        after = self._next.get(step)
        if after is None:
            file = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._db.backup(file)
            before = self._results[self.content]
            after = self._next[step] = len(self._files)
            self._files.append(file)
            self._results.append(before)
            self.choose(after)
            super()._append(kind, device, dose_id, data)
            if kind == "outcome" and dose_id:
                result = self.result(dose_id)
                assert result is not None
                self._results[after] = {**before, dose_id: [*before.get(dose_id, []), result]}
        self.choose(after)
        return after

    @property
    def contents(self) -> int:
        """How many there are."""
        return len(self._files)

    def results(self, content: int) -> dict[str, list[Result]]:
        """Everything that a content has ever said of each dose."""
        return self._results[content]

    def close(self) -> None:
        """Close all of them."""
        for file in self._files:
            file.close()
