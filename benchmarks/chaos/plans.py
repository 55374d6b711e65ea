"""What each task is going to do, all from one seed."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

#: How the tasks end that nothing happens to.
ENDS = {"success": 80, "failure": 8, "retry": 8, "cancel": 4}


@dataclass(frozen=True, slots=True)
class Plan:
    """One task.

    Attributes:
        uid: Its Celery id.
        steps: How many it reports, 20 ms each.
        end: ``success``, ``failure``, ``retry`` (once, then success) or ``cancel`` (somebody asks, somewhen).
        late: Whether its message is acknowledged at the end, so that it is delivered again when its worker is killed.
    """

    uid: str
    steps: int
    end: str
    late: bool

    def as_kwargs(self) -> dict[str, Any]:
        """Arguments of the task."""
        plan = asdict(self)
        del plan["uid"], plan["late"]
        return plan


def make_plans(seed: int, count: int) -> list[Plan]:
    """So many tasks."""
    source = random.Random(seed)
    ends = source.choices(list(ENDS), list(ENDS.values()), k=count)
    return [
        Plan(f"{source.getrandbits(96):024x}", source.randrange(5, 40), end, late=source.random() < 0.7) for end in ends
    ]
