"""Django settings of the rig's processes: the tests' own, and what the rig says."""

from __future__ import annotations

import json
import os

import pymysql

from tests.settings import *  # noqa: F403

# Django asks for a driver that calls itself mysqlclient, of this release.
pymysql.version_info = (2, 2, 8, "final", 0)
pymysql.install_as_MySQLdb()

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"channels_progress": {"handlers": ["console"], "level": "INFO"}},
}
globals().update(json.loads(os.environ["RIG"])["django"])

# Django asks for a driver that calls itself mysqlclient, of this release.
pymysql.version_info = (2, 2, 8, "final", 0)
pymysql.install_as_MySQLdb()
