"""The stages of a task and what each is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from channels_progress.values import clean_number, clean_text

NAME_MAX_CHARS = 100

StageWeights = Mapping[str, float] | Sequence[str]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage being worked on.

    Attributes:
        name: Clean text.
        index: Its place, from 1.
        count: How many there are; None where they were not declared.
        declared: Whether the fraction of the task is that over all stages.
        weight: What it is worth.
        base: What the stages done before it are worth.
        total: What all stages are worth.
    """

    name: str
    index: int
    count: int | None
    declared: bool
    weight: float
    base: float
    total: float


class Plan:
    """The declared stages, and how much of them is done. Without declared ones each stage stands for itself."""

    def __init__(self, stages: StageWeights | None = None) -> None:
        self._weights = read_stages(stages)
        self._places = {name: place for place, name in enumerate(self._weights, 1)}
        self._opened = len(self._weights)
        self.total: float = sum(self._weights.values())
        self.done: float = 0

    @property
    def declared(self) -> bool:
        return bool(self._places)

    def open(self, name: Any, weight: Any, *, inside: Stage | None = None, base: float = 0) -> Stage:
        """The stage ``name``. One that was not declared extends the total, unless it is part of another stage.

        A declared stage counts once: opened again after it was done, it adds nothing.

        Args:
            inside: The stage around it.
            base: What was done when it began.
        """
        name = clean_text(name, "stage name", NAME_MAX_CHARS)
        weight = clean_number(weight, "weight")
        base = max(self.done, base)
        if name in self._places:
            return Stage(name, self._places[name], self._count, self.declared, self._weights[name], base, self.total)
        if inside:
            return replace(inside, name=name, weight=0, base=base)
        self._opened += 1
        self.total += weight
        return Stage(name, self._opened, self._count, self.declared, weight, base, self.total)

    @property
    def _count(self) -> int | None:
        return self._opened if self.declared else None

    def close(self, stage: Stage) -> None:
        """``stage`` is done."""
        self.done += self._weights.get(stage.name, stage.weight)
        if stage.name in self._weights:
            self._weights[stage.name] = 0


def read_stages(stages: StageWeights | None) -> dict[str, float]:
    """Declared stages as ``{name: weight}``.

    Raises:
        TypeError: ``stages`` is neither a sequence of names nor a mapping of names to numbers.
        ValueError: A name stands twice, a weight is negative, or all weights are zero.
    """
    if not stages:
        return {}
    if isinstance(stages, str | bytes) or not isinstance(stages, Mapping | Sequence):
        raise TypeError(f"stages is {stages!r}; a sequence of names or a mapping of names to weights is expected.")
    pairs = stages.items() if isinstance(stages, Mapping) else [(name, 1) for name in stages]
    weights = {clean_text(name, "stage name", NAME_MAX_CHARS): clean_number(weight, "weight") for name, weight in pairs}
    if len(weights) < len(stages):
        raise ValueError(f"stages is {stages!r}; each name may stand there once.")
    if not any(weights.values()):
        raise ValueError(f"stages is {stages!r}; at least one weight must be more than zero.")
    return dict(weights)
