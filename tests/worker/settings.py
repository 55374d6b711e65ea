"""Settings of the worker process that the tests here start."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403

CHANNELS_PROGRESS = {
    "STORE": os.environ["TEST_REDIS_URL"],
    "NAMESPACE": os.environ["TEST_NAMESPACE"],
    "HEARTBEAT_S": 0.2,
    "REPORT_INTERVAL_S": 0.02,
}
