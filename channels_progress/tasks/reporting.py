"""The calls of every reporter: what a task, or a helper deep inside it, calls to say how far it is.

The calls store values; somebody else samples them (the flusher, a terminal). So the fast paths take no lock and
read no clock: an ``int`` from ``Bar.least`` on is stored, everything else goes the slow path, which checks it. Whoever
wants the task's attention (a cancel) or the reporter's (a stage that was left) bars that way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import transaction
from django.utils.translation import get_language

from channels_progress.addresses import clean_url
from channels_progress.conf import get_settings
from channels_progress.exceptions import TaskCancelled
from channels_progress.records import Message
from channels_progress.tasks.bar import BARRED, Bar, Number, Run, find_length, find_outermost
from channels_progress.tasks.sampler import Facts, Sampler, measure_done
from channels_progress.tasks.stages import Plan, StageWeights
from channels_progress.units import Noun, read_unit
from channels_progress.values import MAX_NUMBER, clean_level, clean_number, clean_text

TITLE_MAX_CHARS = 200
COUNTERS_MAX = 20
COUNTER_NAME_MAX_CHARS = 60

Item = TypeVar("Item")


class Reporter:
    """Says how far a piece of work is. By itself it is silent: it checks what it is given, and tells nobody.

    All calls may be made from any thread, and none of them undoes another one's: ``bar.current += n`` and setting an
    item of a dict are one step to CPython's threads. Only ``stage`` and ``track`` move what is shown, so they are for
    one thread at a time.
    """

    def __init__(self, *, title: str = "", stages: StageWeights | None = None) -> None:
        self._plan = Plan(stages)
        self._facts = Facts(title=clean_text(title, "title", TITLE_MAX_CHARS))
        self._bar = Bar(Run())
        self._resumed: Bar | None = None
        self._sampler = Sampler(self._plan, time.monotonic(), get_language())
        # Whether ``_look_up`` has something to do: a flag of its own, because ``track`` asks with every item.
        self._alert = False
        self._cancelling = False
        self._cancelled = False
        self._reason = ""
        self.thread = threading.get_ident()

    # The hooks of reporters that do tell somebody.

    def _say(self, message: Message) -> None:
        """A message was logged."""

    def _wake(self) -> None:
        """Something other than the bar changed."""

    def flush(self) -> None:
        """Send what is pending now. Waits a short time at most, and does not tell whether the store took it."""
        self._raise_if_cancelled()

    # What a task calls.

    def progress(self, current: Any, total: Any = None, message: Any = None, *, unit: Any = None) -> None:
        """The work stands at ``current`` of ``total``.

        Args:
            current: From 0; any real number, or a ``Decimal``. More than ``total`` is shown as all, and marked.
            total: None keeps the former one; 0 is an empty input.
            message: One line on what is being done now; None keeps the former one. Kept: only the newest.
            unit: What is counted: a common one in English, singular (``"row"``, see ``units.COMMON_UNITS``), which is
                translated and put in the plural; ``ngettext_lazy("town", "towns")``; any other text, as it is;
                ``"bytes"``, shown as 1.2 MB. None keeps the former one.

        Raises:
            TypeError: A number is not a number, or a text not a text.
            ValueError: A number is negative, NaN or infinite.
            TaskCancelled: Somebody cancelled the task.
        """
        bar = self._bar
        if (
            type(current) is int
            and current >= bar.least
            and (total == bar.total or total is None)
            and message is None
            and unit is None
        ):
            bar.current = current
        else:
            self._report(current, total, message, unit)

    def advance(self, n: Any = 1) -> None:
        """``n`` more are done. Raises as ``progress`` does."""
        bar = self._bar
        if type(n) is int and n >= bar.least:
            bar.current += n
        else:
            step = clean_number(n, "n")
            bar = self._look_up()
            # Not their sum, which may be too large for a float.
            if bar.current > MAX_NUMBER - step:
                self._report(MAX_NUMBER + 1, None, None, None)
            else:
                bar.current += step

    def track(
        self, iterable: Iterable[Item], message: Any = None, *, total: Any = None, unit: Any = None
    ) -> Iterator[Item]:
        """Iterate over ``iterable``, and count the items that are done.

        Nothing is taken out of ``iterable`` beforehand. The total is ``len()`` where there is one, else
        ``__length_hint__``, else it is unknown until the end. An item counts once its turn of the loop is over;
        ``break`` and exceptions leave the bar where it is. A ``track`` inside another one divides a step of the
        outer one. ``progress`` and ``advance`` inside the loop move the very same bar.

        Args:
            total: Overrides the total found.
            message, unit: As in ``progress``.

        Raises as ``progress`` does; ``TaskCancelled`` also from the loop.
        """
        self._look_up()
        iterator = iter(iterable)
        message, unit = as_text(message, "message"), read_unit(unit)
        if total is None:
            length, exact = find_length(iterable)
            return self._iterate(iterator, length, exact, message, unit)
        return self._iterate(iterator, clean_number(total, "total"), True, message, unit)

    def _iterate(
        self, iterator: Iterator[Item], total: Number | None, exact: bool, message: str | None, unit: str | Noun | None
    ) -> Iterator[Item]:
        bar = self._enter_track(total, message, unit)
        try:
            for item in iterator:
                yield item
                bar.current += 1
                if self._alert:
                    self._look_up()
            if not exact and self._bar is bar:
                self._report(bar.current, bar.current, None, None)
        finally:
            self._leave_track(bar)

    @contextmanager
    def stage(self, name: Any, *, weight: Any = 1) -> Iterator[None]:
        """A named part of the work, with a bar of its own.

        Where stages were declared, the page shows one bar over all of them, and a stage that was not declared
        extends it by ``weight``. Where none were, each stage starts a new bar. A stage inside another one is shown
        while it lasts; it only counts by itself where it was declared. A stage that was left stays on display until
        the bar moves again; one that was left by an exception does not count as done.

        Raises:
            TypeError: ``name`` is not a text or ``weight`` not a number.
            ValueError: ``weight`` is negative, NaN or infinite.
            TaskCancelled: Somebody cancelled the task.
        """
        before = self._look_up()
        done, _ = measure_done(before, self._plan)
        stage = self._plan.open(name, weight, inside=before.run.stage, base=done)
        self._show(Bar(Run(stage)))
        self._wake()
        try:
            yield
            self._resume()
            self._plan.close(stage)
            find_outermost(self._bar).run.done = True
        finally:
            self._resumed = before
            self._bar.least = BARRED
            self._alert = True

    def message(self, text: Any, *, level: Any = "info", on_commit: bool = False) -> None:
        """Add a line to the task's log. The newest ``MESSAGES_KEPT`` are kept, and replayed to every page.

        Args:
            text: Longer ones than ``MESSAGE_MAX_CHARS`` are cut. A lazy translation is resolved now.
            level: ``"debug"``, ``"info"``, ``"success"``, ``"warning"``, ``"error"``, or the constant of
                ``django.contrib.messages``.
            on_commit: Wait until the current transaction is committed; drop it when it is rolled back.

        Raises:
            TypeError: ``text`` is not a text.
            ValueError: There is no such level.
            TaskCancelled: Somebody cancelled the task.
        """
        line = Message(clean_level(level), clean_text(text, "text", get_settings().MESSAGE_MAX_CHARS))
        self._raise_if_cancelled()
        if on_commit:
            transaction.on_commit(lambda: self._say(line))
        else:
            self._say(line)

    def redirect(self, url: Any) -> None:
        """Where a watching page goes once the task has really succeeded.

        Args:
            url: A path of this site, or an http(s) URL of one of ``ALLOWED_REDIRECT_HOSTS``; may be lazy.

        Raises:
            TypeError: ``url`` is not a text.
            ValueError: It leads elsewhere.
            TaskCancelled: Somebody cancelled the task.
        """
        target = clean_url(url)
        self._raise_if_cancelled()
        self._facts.redirect = target

    def set(self, **counters: Any) -> None:
        """Show ``counters`` beside the bar: ``reporter.set(skipped=3)``. Other counters stay as they are.

        There may be 20; further ones are left out, and the report is marked.

        Raises as ``progress`` does.
        """
        new = {
            clean_text(name, "name", COUNTER_NAME_MAX_CHARS): clean_number(counters[name], name) for name in counters
        }
        self._raise_if_cancelled()
        shown = self._facts.counters
        for name, value in new.items():
            if name in shown or len(shown) < COUNTERS_MAX:
                shown[name] = value
            else:
                self._facts.clamped = True
        if any(value > MAX_NUMBER for value in counters.values()):
            self._facts.clamped = True

    def check_cancelled(self) -> None:
        """Raise ``TaskCancelled`` if somebody cancelled the task.

        Every other call does so too, but only once, so that what cleans up may report, and only in the task's own
        thread. This one always does, also in a thread that the task has started: in a pool of threads the exception
        comes out of the future.
        """
        self._raise_if_cancelled()
        if self._cancelling or self._cancelled:
            raise TaskCancelled(self._reason)

    # What the sender calls, from its own thread.

    def sample(self, now: float) -> dict[str, Any] | None:
        """The body at ``now`` (``time.monotonic()`` seconds); None where nothing changed since the last sample."""
        return self._sampler.sample(self._bar, self._facts, now)

    def cancel(self, reason: str = "") -> None:
        """Make the next call in the task's own thread raise ``TaskCancelled``. Only the first time counts."""
        if not (self._cancelling or self._cancelled):
            self._reason = reason
            self._cancelling = self._alert = True
            # After the flags: a bar that is put up at this moment has seen them, or is found here.
            self._bar.least = BARRED

    # The slow path.

    def _look_up(self) -> Bar:
        """Attend to a cancel and to a stage that was left, and return the bar to move."""
        if self._alert:
            # Before the other flag is read: a cancel that comes from here on raises it again.
            self._alert = False
            self._raise_if_cancelled()
            self._resume()
            if self._cancelling:
                self._alert = True
            self._show(self._bar)
        return self._bar

    def _raise_if_cancelled(self) -> None:
        if self._cancelling and threading.get_ident() == self.thread:
            self._cancelled, self._cancelling = True, False
            raise TaskCancelled(self._reason)

    def _resume(self) -> None:
        """Go back from a stage that was left to what was shown around it."""
        if self._resumed is not None:
            self._bar, self._resumed = self._resumed, None

    def _show(self, bar: Bar) -> None:
        bar.least = 0
        self._bar = bar
        # Last: a cancel that comes in between has either set the flag or finds this bar.
        if self._cancelling:
            bar.least = BARRED

    def _report(self, current: Any, total: Any, message: Any, unit: Any) -> None:
        number = clean_number(current, "current")
        message, unit = as_text(message, "message"), read_unit(unit)
        whole = None if total is None else clean_number(total, "total")
        bar = self._look_up()
        clamped = bar.clamped or current > MAX_NUMBER or (total is not None and total > MAX_NUMBER)
        if whole is None or whole == bar.total:
            bar.current, bar.clamped = number, clamped
            bar.message, bar.unit = message or bar.message, unit or bar.unit
        else:
            new = Bar(bar.run, whole, current=number, message=message or bar.message, unit=unit or bar.unit)
            new.clamped = clamped
            self._show(new)

    def _enter_track(self, total: Number | None, message: str | None, unit: str | Noun | None) -> Bar:
        outer: Bar | None = self._look_up()
        stage = self._bar.run.stage
        while outer and not outer.run.active:
            outer = outer.run.parent
        bar = Bar(Run(stage, outer), total, message=message, unit=unit)
        bar.run.active = True
        self._show(bar)
        return bar

    def _leave_track(self, bar: Bar) -> None:
        bar.run.active = False
        if self._bar.run is bar.run and bar.run.parent:
            self._show(bar.run.parent)


def as_text(value: Any, name: str) -> str | None:
    """A text, to be cut and cleaned when it is sampled; a lazy one is resolved now. None stays None."""
    if value is None or type(value) is str:
        return value
    return clean_text(value, name, get_settings().MESSAGE_MAX_CHARS)
