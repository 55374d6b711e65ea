"""What Django needs to know of tasks to have permissions for them, and a place in its admin."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class NoRows(models.Manager["Task"]):
    """Finds nothing, without asking: what walks over all models (``dumpdata``) must not look for a table."""

    def get_queryset(self) -> models.QuerySet[Task]:
        """An empty one."""
        return super().get_queryset().none()


class Task(models.Model):
    """A task, for the admin. It has no table: the store has the record, this one the permissions.

    Permissions: ``view_task`` (look at everybody's tasks, in the admin) and ``cancel_task`` (end them there).

    Attributes:
        uid: Celery's task id.
        title: The task's own title, or an empty string.
    """

    uid = models.CharField(_("task id"), primary_key=True, max_length=255)
    title = ""

    objects = NoRows()

    class Meta:
        managed = False
        base_manager_name = "objects"
        default_permissions = ("view", "cancel")
        verbose_name = _("task")
        verbose_name_plural = _("tasks")

    def __str__(self) -> str:
        return self.title or self.uid
