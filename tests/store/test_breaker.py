"""The circuit breaker, on a clock of its own."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from channels_progress.exceptions import StoreUnavailable
from channels_progress.store.breaker import CircuitBreaker


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(clock=clock)


def fail() -> None:
    raise StoreUnavailable("it is down")


def tries(breaker: CircuitBreaker) -> bool:
    """Whether a call, which fails, is tried at all."""
    called = []
    with pytest.raises(StoreUnavailable, match="it is down"):
        breaker.call(lambda: (called.append(True), fail()))
    return bool(called)


def test_answers_pass_through(breaker: CircuitBreaker) -> None:
    assert (breaker.call(max, 1, 2), breaker.closed) == (2, True)


def test_failures_stop_calls_for_a_second_and_up_to_five(breaker: CircuitBreaker, clock: Clock) -> None:
    tried_at = []
    for _ in range(100):
        if tries(breaker):
            tried_at.append(clock.now - 1000)
        clock.now += 0.25
    assert tried_at == [0, 1, 3, 7, 12, 17, 22]


def test_success_lets_all_calls_through_again(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(3):
        assert tries(breaker)
        clock.now += 5
    assert not breaker.closed
    assert breaker.call(max, 1, 2) == 2
    assert breaker.closed
    assert tries(breaker)
    clock.now += 1
    assert tries(breaker)


def test_one_call_at_a_time_tries_again(breaker: CircuitBreaker, clock: Clock) -> None:
    tries(breaker)
    clock.now += 1
    started, go_on = threading.Event(), threading.Event()
    probe = threading.Thread(target=lambda: breaker.call(lambda: (started.set(), go_on.wait(5))))
    probe.start()
    assert started.wait(5)
    assert not tries(breaker)
    go_on.set()
    probe.join()
    assert breaker.closed


def test_slip_or_interruption_of_a_probe_is_no_verdict(breaker: CircuitBreaker, clock: Clock) -> None:
    tries(breaker)
    clock.now += 1
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            breaker.call(raise_it, error)
        assert not breaker.closed
    assert tries(breaker)


def raise_it(error: type[BaseException]) -> None:
    raise error


def test_late_failure_of_an_older_call_does_not_prolong_the_pause(breaker: CircuitBreaker, clock: Clock) -> None:
    def fail_late() -> None:
        tries(breaker)
        clock.now += 0.9
        fail()

    with pytest.raises(StoreUnavailable):
        breaker.call(fail_late)
    clock.now += 0.1
    assert tries(breaker)


def test_opening_and_closing_is_logged_once(breaker: CircuitBreaker, clock: Clock, caplog: Any) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            tries(breaker)
            clock.now += 0.25
        clock.now += 5
        for _ in range(10):
            breaker.call(max, 1, 2)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "Progress is not stored for now. it is down"),
        ("INFO", "Progress is stored again."),
    ]


def test_reopening_soon_is_not_told_and_lasting_is_told_later(
    breaker: CircuitBreaker, clock: Clock, caplog: Any
) -> None:
    def flap() -> None:
        tries(breaker)
        clock.now += 5
        breaker.call(max, 1, 2)

    with caplog.at_level(logging.INFO):
        for _ in range(3):
            flap()
        assert len(caplog.records) == 2
        for _ in range(100):
            tries(breaker)
            clock.now += 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]


def test_other_failures_than_its_own_are_no_verdict(clock: Clock) -> None:
    breaker = CircuitBreaker(Refused, clock=clock)
    assert tries(breaker)
    assert breaker.closed
    with pytest.raises(Refused):
        breaker.call(raise_it, Refused)
    assert not breaker.closed


class Refused(StoreUnavailable):
    pass
