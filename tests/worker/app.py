"""The Celery app on both sides: in the worker process, and in the test process that sends to it."""

from __future__ import annotations

import os

from celery import Celery


def configure(app: Celery, redis_url: str, namespace: str) -> None:
    """Broker and results in one Redis, apart from everybody else's by ``namespace``."""
    app.conf.update(
        broker_url=redis_url,
        result_backend=redis_url,
        broker_transport_options={"global_keyprefix": f"{namespace}:"},
        result_backend_transport_options={"global_keyprefix": f"{namespace}:"},
        broker_connection_retry_on_startup=True,
        imports=["tests.worker.tasks"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
    )


app = Celery("tests.worker", set_as_current=False)
if "TEST_REDIS_URL" in os.environ:
    configure(app, os.environ["TEST_REDIS_URL"], os.environ["TEST_NAMESPACE"])
