"""``manage.py send_notification``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from channels_progress.management.dispatch import dispatch, find_switch
from channels_progress.management.orders import AUDIENCES, KINDS, LEVELS_OFFERED, Order, read_order
from channels_progress.management.questions import Questions, is_answering
from channels_progress.status_line import clean_line
from channels_progress.transport import has_shared_layer

UNHEARD = "The channel layer is process-local: no page of a running server has heard it (channels_progress.W011)."


class Command(BaseCommand):
    """Sends a message, a redirect or a percentage to the open pages of an audience."""

    help = (
        "Sends a message, a redirect or progress to the open pages of an audience. "
        "On a terminal it asks for what is missing; q, Ctrl-D or Ctrl-C cancel."
    )
    # Tests hand one in, as to createsuperuser.
    stealth_options = ("stdin",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ours. Choices are checked later, where a near miss is told."""
        parser.add_argument("payload", nargs="?", help="The text, the URL or the percentage.")
        parser.add_argument("--kind", metavar="|".join(KINDS), help="What to send; a message.")
        parser.add_argument("--audience", metavar="|".join(AUDIENCES), help="Who gets it.")
        parser.add_argument("--username", help="With --audience=user: who, as the user model calls it.")
        parser.add_argument("--object", metavar="APP.MODEL:PK", help="With --audience=object: which.")
        parser.add_argument("--channel", help="With --audience=channel: its name.")
        parser.add_argument("--level", metavar="|".join(LEVELS_OFFERED), help="Of a message; info.")
        parser.add_argument("--click-url", metavar="URL", help="Where a click on a message leads.")
        parser.add_argument("--close-url", metavar="URL", help="Told by a POST once somebody has closed a message.")
        parser.add_argument("--hide-close-option", action="store_true", help="A message cannot be closed.")
        parser.add_argument("--persist", action="store_true", help="Store it for those who are away.")
        parser.add_argument(
            "--no-input", "--noinput", action="store_false", dest="interactive", help="Never ask, even on a terminal."
        )

    def handle(self, *args: Any, interactive: bool, **options: Any) -> None:
        """Send it, and say so."""
        order = read_order(options, self._find_questions(options.pop("stdin", None) or sys.stdin, interactive))
        try:
            taken = dispatch(order)
        except (TypeError, ValueError) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(
                f"It could not be stored ({error}), and was not sent. Is the database migrated?"
            ) from error
        whom = clean_line(f"{order.audience} {order.named}".strip())
        if taken:
            self.stdout.write(self.style.SUCCESS(f"Sent: {order.kind} to {whom}."))
            if not has_shared_layer():
                self.stderr.write(UNHEARD, style_func=self.style.WARNING)
        elif taken is None:
            off = f'CHANNELS_PROGRESS["{find_switch(order)}"] is False'
            self.stdout.write(self.style.WARNING(f"No-op: no {order.kind} to {whom}, because {off}."))
        else:
            raise CommandError(self._explain(order))

    def _find_questions(self, stdin: TextIO | None, interactive: bool) -> Questions | None:
        if not interactive or stdin is None or not is_answering(stdin, cast("TextIO", self.stderr)):
            return None
        return Questions(stdin, self._say)

    def _say(self, text: str) -> None:
        # Not in red, as errors are.
        self.stderr.write(text, style_func=str, ending="")
        self.stderr.flush()

    def _explain(self, order: Order) -> str:
        stored = " It is stored, and shown when they are back." if order.options.get("persist") else ""
        return f"The channel layer did not take it; `manage.py progress_doctor` may tell why.{stored}"
