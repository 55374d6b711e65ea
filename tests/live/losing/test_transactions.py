"""A task inside a transaction: its page sees what it does at once, whatever becomes of the transaction."""

from __future__ import annotations

import pytest

from tests.live.losing import tasks
from tests.live.rig import Rig, ServerProcess, Site
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("faults")


@pytest.mark.parametrize(
    ("commits", "said"),
    [(True, ["Inside, at once", "Inside", "After it"]), (False, ["Inside, at once", "After it"])],
)
def test_progress_does_not_wait_for_the_transaction_and_a_message_may(
    commits: bool, said: list[str], rig: Rig, worker: ServerProcess, site: Site
) -> None:
    gate = f"transaction-{commits}"
    task = tasks.work_in_transaction.delay(gate, commits=commits)
    with site.open_page(task.id) as page:
        shown = page.tasks[task.id]
        wait_until(lambda: list(shown.messages.values()) == ["Inside, at once"], message=shown)
        assert (shown.state["state"], shown.state["current"], shown.state["message"]) == ("PROGRESS", 1, "Inside")
        rig.open_gate(gate)
        ended = page.wait_for(task.id, "SUCCESS")
        assert (ended["current"], ended["message"], list(shown.messages.values())) == (1, "Inside", said)
