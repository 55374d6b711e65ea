"""Settings, URLs and entry points of the example site."""

from __future__ import annotations

from example_project.config.celery import app as celery_app

__all__ = ["celery_app"]
