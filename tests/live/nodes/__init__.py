"""Whole workers and brokers killed and started again, with pytest-celery's ``celery_setup`` and without Docker."""
