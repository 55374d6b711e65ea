"""The Celery app on both sides: in the rig's workers, and in the test process that sends to them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

#: RabbitMQ deletes a queue that nobody has used for so long.
QUEUE_TTL_MS = 300_000
BASE: dict[str, Any] = {
    "broker_connection_retry_on_startup": True,
    "imports": ["tests.worker.tasks"],
    "worker_prefetch_multiplier": 1,
    # Seconds until a child that is gone counts as lost; ten by default.
    "worker_lost_wait": 1.0,
    "worker_hijack_root_logger": False,
}


def configure(app: Celery, settings: Mapping[str, Any], namespace: str) -> None:
    """Give it these settings, with queues and keys of its own on servers that others use, too."""
    app.conf.update({**BASE, **settings})
    for name in ("broker_transport_options", "result_backend_transport_options"):
        app.conf[name] = {"global_keyprefix": f"{namespace}:", **settings.get(name, {})}
    if not settings["broker_url"].startswith("redis"):
        app.conf.update(
            broker_transport_options=settings.get("broker_transport_options", {}),
            task_default_queue=namespace,
            task_queues=[Queue(namespace, Exchange(namespace), namespace, queue_arguments={"x-expires": QUEUE_TTL_MS})],
            control_exchange=namespace,
            event_exchange=f"{namespace}.events",
        )


app = Celery("tests.live.rig", set_as_current=False)
if "RIG" in os.environ:
    _rig = json.loads(os.environ["RIG"])
    configure(app, _rig["celery"], _rig["namespace"])
