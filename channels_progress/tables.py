"""What Django needs to know of tasks: permissions and a place in its admin; and the tables of the database store.

Only :mod:`channels_progress.store.database` reads and writes the tables. They have no foreign keys: each row is looked
up by a key of ASCII letters, which every database compares alike. Texts of tasks are JSON in ASCII, which every one
keeps as it is. Times are integer UTC milliseconds.
"""

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


class StoredTask(models.Model):
    """One task's record.

    Attributes:
        key: Made of namespace and uid.
        space: Made of the namespace.
        owner: ``records.list_id`` of the owner, or an empty string.
        revision: Grows with each change: who changes a row names the one that was read.
        listed_at: Microseconds; a list's order.
        heard_at: See ``SilentTask.silent_ms``.
        expires_at: From then on the row counts as gone.
        logged: How many messages there are; some more than are ever read.
        data: The rest of ``rules.Entry``.
    """

    key = models.CharField(primary_key=True, max_length=64)
    space = models.CharField(max_length=32)
    owner = models.CharField(max_length=32, blank=True)
    revision = models.BigIntegerField()
    epoch = models.CharField(max_length=16)
    attempt = models.BigIntegerField()
    seq = models.BigIntegerField()
    state = models.CharField(max_length=16)
    listed_at = models.BigIntegerField()
    heartbeat_at = models.BigIntegerField()
    heard_at = models.BigIntegerField()
    expires_at = models.BigIntegerField(db_index=True)
    logged = models.BigIntegerField()
    data = models.TextField()

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["space", "owner", "listed_at"], name="channels_progress_person"),
            models.Index(fields=["space", "listed_at"], name="channels_progress_all"),
            models.Index(fields=["space", "state", "heard_at"], name="channels_progress_state"),
        )

    def __str__(self) -> str:
        return self.key


class StoredMessage(models.Model):
    """One line of a task's log. ``number`` is its offset, ``task`` the key of its row."""

    id = models.BigAutoField(primary_key=True)
    task = models.CharField(max_length=64)
    epoch = models.CharField(max_length=16)
    number = models.BigIntegerField()
    data = models.TextField()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=["task", "epoch", "number"], name="channels_progress_log"),)

    def __str__(self) -> str:
        return f"{self.task} {self.number}"


class StoredList(models.Model):
    """The version of a person's list; who is on it is said by the tasks' rows."""

    key = models.CharField(primary_key=True, max_length=64)
    epoch = models.CharField(max_length=16)
    seq = models.BigIntegerField()
    expires_at = models.BigIntegerField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.key
