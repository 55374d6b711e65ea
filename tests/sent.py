"""Stands in for the sender of the process: what would have gone to the channel layer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


class Sent:
    """The envelopes, and ``frames``, what pages would get; ``answer`` is whether the layer takes them."""

    def __init__(self) -> None:
        self.answer = True
        self.envelopes: list[dict[str, Any]] = []

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [json.loads(envelope["text"]) for envelope in self.envelopes]

    def deliver(self, group: str, envelope: dict[str, Any]) -> bool:
        self.envelopes.append(envelope)
        return self.answer

    def deliver_each(self, messages: Iterable[tuple[str, dict[str, Any]]]) -> bool:
        self.envelopes += [envelope for _, envelope in messages]
        return self.answer
