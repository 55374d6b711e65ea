"""What the send functions answer, for people. Needs no database."""

from __future__ import annotations


def describe_answer(answer: bool | None, *, switch: str, is_stored: bool) -> str:
    """One of three things, in words; ``switch`` is the setting that turns the audience off."""
    match answer:
        case True:
            later = " It is stored, too, for those who are away." if is_stored else ""
            return f"Sent: the channel layer has taken it, for every open page that should show it.{later}"
        case None:
            return f"Nothing was sent: the setting {switch} has turned this audience off."
    later = " It is stored: pages get it when they connect next." if is_stored else ""
    return f"Not sent: the channel layer did not take it. The site's log says why.{later}"
