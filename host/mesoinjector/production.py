"""The production line: many boards at once, each in a thread of its own, from flashing to its label.

A board that fails, dies or hangs disturbs no other. Its serial number is on disk before anybody is told it, its keys
are kept before they are set, its label is written last: run again, it gets the same number and keys, whatever has
happened. Nothing moves but with a person's hand at the trigger, one board at a time.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mesoinjector import errors, logs, production_tests
from mesoinjector.flashing import Order
from mesoinjector.injector import Injector
from mesoinjector.key_keeping import Keeper, Keys
from mesoinjector.links import is_simulated
from mesoinjector.production_record import Accuracy, Board, Made, Step
from mesoinjector.production_register import Label, Register
from mesoinjector.production_weighing import Bench
from mesoinjector.report.production import write_device_report
from mesoinjector.service import Service
from mesoprotocol import wire

MOST = 64
"""Boards at once; choice."""

_LOOK_S = 1.0
"""Between two looks of a board that waits for an answer, whether the line has ended; wall time."""
_NOT_OURS = "it has keys from before, and they are not those of this line"
Flash = Callable[[Board], Injector]
"""Writes a board's firmware, if need be, and opens it; raises `MesoError`."""
Weigh = Callable[[Injector, Callable[[str], bool]], Accuracy]
"""Gives doses onto the bench scale, with the operator's trigger, and judges them; raises `MesoError`.

Its second argument asks the person a question, in the thread that called `make`.
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is the same for all boards of a line."""

    folder: Path
    """For `labels.csv` and `reports/`."""
    register: Register
    keeper: Keeper
    dry: production_tests.Dry | None = None
    """What moves in the test of the axes; None: they are left out."""
    again: frozenset[str] = frozenset()
    """Serial numbers of boards that have lost their keys and are made anew."""
    firmware: Order | None = None
    """What boards without firmware are given; None: they are not the line's."""
    bench: Bench | None = None
    """The scale; None: there is none."""

    def keys(self, serial: str, uid: str) -> Keys:
        """Those that were kept for a board that has some. Raises `ProductionError`."""
        try:
            return self.keeper.recall(serial, uid)
        except (errors.KeyFileError, errors.ProductionError) as error:
            raise errors.ProductionError(f"{_NOT_OURS}: {error}") from None


class Line:
    """`flash` gives an open board; `hand` asks a person, to take one in hand say, in the thread that called `make`.

    `hand(made, question)` returns whether to go on; `told(made, step)` says what a board has come to, from any thread.
    """

    def __init__(
        self,
        settings: Settings,
        flash: Flash,
        hand: Callable[[Made, str], bool],
        told: Callable[[Made, str], object] = lambda made, step: None,
        weigh: Weigh | None = None,
    ) -> None:
        self._settings, self._flash, self._weigh = settings, flash, weigh
        self._hand, self._told = hand, told
        self._turn, self._drawing, self._lock = threading.Lock(), threading.Lock(), threading.Lock()
        self._asked: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._open: dict[str, Injector] = {}
        """By uid: those that have come to the line; who is through stays, closed, so that no other takes its place."""
        self._is_ended = False

    def make(self, boards: Sequence[Board]) -> list[Made]:
        """Make all of them; what became of each, in order. Ctrl-C sends STOP to each first, then ends every way.

        Raises `PlanError` for no boards or too many, `ProductionError` if the folder and the register do not fit.
        """
        if not 1 <= len(boards) <= MOST:
            raise errors.PlanError(f"{len(boards)} boards: must be 1 to {MOST}. Next: connect others later.")
        self._settings.register.check(self._labels)
        try:
            self._reports.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise errors.PlanError(
                f"{self._reports} cannot be made: {error.strerror or error}. Nothing was sent. Next: name another "
                "folder in the line's file."
            ) from None
        made = [Made(board, datetime.now(UTC)) for board in boards]
        with ThreadPoolExecutor(len(boards), "board") as pool:
            ways = [pool.submit(self._make, each) for each in made]
            for way in ways:
                way.add_done_callback(lambda _: self._asked.put(None))
            try:
                self._attend(ways)
            except BaseException:
                self._end(ways)
                raise
        for way in ways:
            way.result()
        return made

    def stop(self) -> None:
        """STOP to every board that is open; no step begins after it."""
        self._is_ended = True
        for injector in list(self._open.values()):
            with contextlib.suppress(errors.MesoError):
                injector.stop()

    @property
    def _labels(self) -> Path:
        return self._settings.folder / "labels.csv"

    @property
    def _reports(self) -> Path:
        return self._settings.folder / "reports"

    def _end(self, ways: list[Future[None]]) -> None:
        """STOP to all, and wait for their ends; nobody is asked any more. Another Ctrl-C says STOP to all again."""
        while True:
            try:
                self.stop()
                self._attend(ways)
                return
            except KeyboardInterrupt:
                continue

    def _attend(self, ways: list[Future[None]]) -> None:
        """Ask a person what boards want asked, until all have come to their end."""
        while not all(way.done() for way in ways):
            ask = self._asked.get()
            if ask is not None:
                ask()

    # --- One board's way, in its thread -----------------------------------------------------------------

    def _make(self, made: Made) -> None:
        try:
            self._begin(made, "open")
            with contextlib.closing(self._flash(made.board)) as injector:
                self._pass(made, injector)
        except (errors.MesoError, OSError) as error:
            self._fail(made, str(error))
        except Exception as error:
            logs.LOGGER.exception("a board's way ended by an error of this program")
            self._fail(made, f"an error of this program: {type(error).__name__}: {error}. Next: report it.")
        finally:
            self._told(made, "passed" if made.passed else "failed")

    def _pass(self, made: Made, injector: Injector) -> None:
        made.uid, made.firmware, made.runtime = injector.uid, injector.hello.firmware, injector.runtime
        made.simulated = is_simulated(injector.link)
        with self._lock:
            if made.uid in self._open:
                twin, made.uid = made.uid, ""
                raise errors.ProductionError(
                    f"another board on this line has the same uid, {twin}. Nothing was done to this one. Next: "
                    "make one after the other; if they do have the same, one of them is no good."
                )
            self._open[made.uid] = injector
        self._begin(made, "number")
        made.serial = self._settings.register.claim(made.uid)
        self._add(made, Step("number", "passed", made.serial))
        try:
            keys = self._let_in(made, injector)
            if self._test(made, injector):
                self._key(made, injector, keys)
        except (errors.MesoError, OSError) as error:
            self._fail(made, str(error))
        finally:
            self._keep(made)

    def _let_in(self, made: Made, injector: Injector) -> Keys | None:
        """The keys of a board that has some from before, and the session that they open; None of a fresh one."""
        before = self._settings.register.label(made.uid)
        if injector.hello.capabilities & wire.CAPABILITY_KEYED:
            keys = self._settings.keys(made.serial, made.uid)
            try:
                injector.authenticate(keys.service)
            except errors.AuthError as error:
                raise errors.ProductionError(f"{_NOT_OURS}: {error}") from None
            return keys
        if before is not None and made.serial not in self._settings.again:
            raise errors.ProductionError(
                f"a board with this uid was made as {made.serial} on {before.made}, and had keys; this one has none: "
                f"it was erased, or is another. Nothing was done to it. Next: if it was erased, --again {made.serial}."
            )
        return None

    def _test(self, made: Made, injector: Injector) -> bool:
        self._begin(made, "self-test")
        if not self._add(made, production_tests.self_test(injector)):
            return False
        self._begin(made, "sensors")
        if not self._add(made, production_tests.sensors(injector)):
            return False
        self._begin(made, "axes")
        if self._settings.dry is None:
            self._add(made, Step("axes", "left out", "not asked for"))
        else:
            with self._in_hand(made, "away from skin, with neither syringe nor cartridge; press and hold the trigger"):
                step, made.run = production_tests.axes(injector, self._settings.dry)
            if not self._add(made, step):
                return False
        self._begin(made, "accuracy")
        if self._weigh is None:
            return self._add(made, Step("accuracy", "left out", "no scale is connected"))
        with self._in_hand(made, "over the scale's beaker, with a full syringe; press and hold the trigger"):
            made.accuracy = self._weigh(injector, lambda question: self._answered(made, question))
        doses = tuple(
            (f"dose {i} of {each.asked_nl / 1000:g} µl", f"{each.weighed_nl / 1000:.2f} µl")
            for i, each in enumerate(made.accuracy.doses, 1)
        )
        verdict = made.accuracy
        return self._add(made, Step("accuracy", "passed" if verdict.passed else "failed", verdict.said, doses))

    @contextlib.contextmanager
    def _in_hand(self, made: Made, what: str) -> Generator[None]:
        """One board at a time: a person has but one pair of hands."""
        with self._turn:
            self._told(made, "hand")
            if not self._answered(made, f"hold it {what}. Begin?"):
                raise errors.ProductionError("nobody took it in hand: nothing moved. Next: run it again.")
            self._told(made, "moving")
            yield

    def _answered(self, made: Made, question: str) -> bool:
        answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._asked.put(lambda: self._ask(made, question, answers))
        while True:
            try:
                return answers.get(timeout=_LOOK_S)
            except queue.Empty:
                if self._is_ended:  # Ctrl-C may have come between the question and whoever asks it
                    return False

    def _ask(self, made: Made, question: str, answers: queue.SimpleQueue[bool]) -> None:
        answer = False  # also of a person who types Ctrl-C
        try:
            answer = not self._is_ended and self._hand(made, question)
        finally:
            answers.put(answer)

    def _key(self, made: Made, injector: Injector, had: Keys | None) -> None:
        """Name and keys. The keys are kept when the first of them is set, and proven by opening with each."""
        self._begin(made, "keys")
        Service(injector).calibrate(name=made.serial)
        keys = had or self._settings.keeper.keep(made.serial, made.uid)
        if had is None:
            injector.provision(keys.service)
            injector.authenticate(keys.service)
        injector.provision(keys.operator)
        injector.authenticate(keys.operator)
        facts = tuple((f"{key.role_name} key", key.fingerprint) for key in keys)
        self._add(made, Step("keys", "passed", "kept, set and proven", facts))
        made.label = Label(
            made.serial, made.uid, made.board.kind, made.firmware, f"{made.begun:%Y-%m-%d}",
            keys.service.fingerprint, keys.operator.fingerprint,
        )  # fmt: skip

    def _keep(self, made: Made) -> None:
        """The report, of whatever has become of it; then the label, of a board that has passed."""
        try:
            made.at = "report"
            self._told(made, made.at)
            with self._drawing:
                write_device_report(made, self._reports / f"{made.serial}-{made.begun:%Y%m%dT%H%M%S%fZ}.html")
            if made.label is not None and made.failure is None:
                made.at = "label"
                self._told(made, made.at)
                with self._lock:
                    self._settings.register.passed(made.label)
                    self._settings.register.write_labels(self._labels)
        except (errors.MesoError, OSError) as error:
            said = str(error) if isinstance(error, errors.MesoError) else f"its report cannot be written ({error})"
            self._fail(made, f"{said} Next: free space there, and run it again.")

    def _begin(self, made: Made, step: str) -> None:
        if self._is_ended:
            raise errors.ProductionError("it was ended before it was done. Next: run it again.")
        made.at = step
        logs.note(logging.INFO, "production", board=made.board.name, serial=made.serial, step=step)
        self._told(made, step)

    def _add(self, made: Made, step: Step) -> bool:
        made.steps.append(step)
        return step.verdict != "failed"

    def _fail(self, made: Made, said: str) -> None:
        made.label = None
        made.steps.append(Step(made.at, "failed", said))
