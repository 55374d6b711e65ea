"""URLs to include: ``path("tasks/", include("channels_progress.urls"))``."""

from __future__ import annotations

from urllib.parse import unquote

from django.urls import path, register_converter

from channels_progress import inbox_views, list_views, views

# What would be another route, or what browsers resolve before they ask (RFC 3986, 5.2.4).
_TAKEN = frozenset({"inbox", "mine", "token", ".", ".."})


class TaskUidConverter:
    """A task uid as one segment of a path. Celery takes any text, so ``reports/42`` is one, too.

    What a segment cannot carry is percent-encoded here, and the percent sign by Django again: servers decode once.
    """

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        """The uid in a path."""
        return unquote(value)

    def to_url(self, value: str) -> str:
        """The segment for a uid; most stand there as they are."""
        segment = value.replace("%", "%25").replace("/", "%2F")
        return f"%{ord(segment[0]):02X}{segment[1:]}" if segment in _TAKEN else segment


register_converter(TaskUidConverter, "channels_progress_task_uid")

app_name = "channels_progress"
urlpatterns = [
    path("", list_views.my_tasks, name="my-tasks"),
    path("mine/", list_views.my_tasks_rows, name="my-tasks-rows"),
    path("inbox/", inbox_views.inbox, name="inbox"),
    path("inbox/rows/", inbox_views.inbox_rows, name="inbox-rows"),
    path("inbox/<uuid:uid>/", inbox_views.inbox_item, name="inbox-item"),
    path("token/", views.token, name="token"),
    path("<channels_progress_task_uid:uid>/", views.task, name="task"),
    path("<channels_progress_task_uid:uid>/cancel/", views.cancel, name="cancel"),
]
