"""Small tasks that each show one thing: an unexpected error, retries, a search whose length nobody knows."""

from __future__ import annotations

import itertools
import secrets
import time
from hashlib import sha256

from celery import Task
from django.utils.translation import ngettext_lazy

from channels_progress.tasks import TaskReporter, broadcast_task

CURRENCIES = ("CHF", "CZK", "DKK", "GBP", "HUF", "NOK", "PLN", "SEK", "TRY", "USD")
RETRY_AFTER_S = 3
RECEIPTS = ["12.50"] * 30 + ["till 3, card of J. Smith: void"] + ["8.99"] * 15
LUCKY_BITS = 22


@broadcast_task(title="Add up the receipts")
def add_receipts(reporter: TaskReporter) -> float:
    """Meet a receipt that nobody has thought of. The error quotes it, so its text is not for everybody's eyes."""
    total = 0.0
    for receipt in reporter.track(RECEIPTS, "Adding", unit=ngettext_lazy("receipt", "receipts")):
        time.sleep(0.05)
        total += float(receipt)
    return total


@broadcast_task(
    title="Fetch exchange rates",
    bind=True,
    autoretry_for=(ConnectionError,),
    max_retries=3,
    default_retry_delay=RETRY_AFTER_S,
)
def fetch_rates(self: Task, reporter: TaskReporter) -> int:
    """Ask a bank that hangs up on the first two attempts. Returns how many rates it told."""
    for currency in reporter.track(CURRENCIES, "Asking the bank", unit=ngettext_lazy("rate", "rates")):
        try:
            _ask_bank(currency, attempt=self.request.retries)
        except ConnectionError as error:
            reporter.message(str(error), level="warning")
            raise
    reporter.message(f"{len(CURRENCIES)} rates fetched", level="success")
    return len(CURRENCIES)


@broadcast_task(title="Look for a lucky number")
def find_lucky_number(reporter: TaskReporter) -> int:
    """Find a number whose SHA-256 begins with ``LUCKY_BITS`` zeros. Nobody knows how many have to be tried."""
    limit = 1 << (256 - LUCKY_BITS)
    numbers = itertools.count(secrets.randbits(40))
    for number in reporter.track(numbers, "Trying numbers", unit=ngettext_lazy("number", "numbers")):
        digest = sha256(b"%d" % number).digest()
        if int.from_bytes(digest) < limit:
            break
    reporter.message(f"The SHA-256 of {number} is {digest.hex()}", level="success")
    return number


def _ask_bank(currency: str, attempt: int) -> None:
    """Stands in for a server far away, and its bad days."""
    time.sleep(0.2)
    if (currency, attempt) in {("DKK", 0), ("NOK", 1)}:
        raise ConnectionError(f"The bank hung up when asked for {currency}")
