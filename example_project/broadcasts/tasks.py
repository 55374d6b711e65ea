"""Sending from a worker."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from example_project.broadcasts.sending import carry_out


@shared_task
def send_later(order: dict[str, Any], exclude: str | None) -> bool | None:
    """Send what the console ordered. A plain Celery task: nothing is special about sending from one."""
    return carry_out(order, exclude=exclude)
