"""For the tests of projects: a reporter that remembers, tasks that run at once with nothing but memory, and
:mod:`channels_progress.testing.broadcasts`, a list of what was broadcast, which needs no Celery.

    def test_rows_without_a_name_are_skipped():
        reporter = RecordingReporter()
        import_cities(reporter=reporter, upload_id=upload.id)
        assert reporter.texts == ["Skipped 3 rows without a name"]


    def test_the_page_shows_the_end(client, alice):
        with progress_in_memory() as store:
            handle = import_cities.for_user(alice).delay(upload.id)
            assert store.read(handle.id).record.state == "SUCCESS"

With pytest, ``progress_in_memory`` makes a fixture in two lines::

    @pytest.fixture
    def progress_store():
        with progress_in_memory() as store:
            yield store
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from channels_progress.testing.tasks import Recorded, RecordingReporter, progress_in_memory

__all__ = [
    "Recorded",
    "RecordingReporter",
    "progress_in_memory",
]


def __getattr__(name: str) -> Any:
    # On first use: these need Celery.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("channels_progress.testing.tasks"), name)
