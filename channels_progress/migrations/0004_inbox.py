import uuid

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes the tables of the inbox; they stay empty where nobody is notified."""

    dependencies = [
        ("channels_progress", "0003_notifications"),
    ]

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("space", models.CharField(max_length=32)),
                ("namespace", models.TextField()),
                ("text", models.TextField(verbose_name="text")),
                ("level", models.CharField(max_length=16, verbose_name="level")),
                ("kind", models.CharField(blank=True, max_length=64, verbose_name="kind")),
                ("action", models.CharField(blank=True, max_length=64, verbose_name="action")),
                ("url", models.TextField(blank=True, verbose_name="URL")),
                ("actor_pk", models.CharField(blank=True, max_length=255)),
                ("model", models.CharField(blank=True, max_length=200, verbose_name="model")),
                ("object_pk", models.CharField(blank=True, max_length=255)),
                ("instance", models.JSONField(null=True)),
                ("changed", models.JSONField(default=dict)),
                ("data", models.JSONField(null=True)),
                ("recipients", models.PositiveIntegerField(default=0, verbose_name="recipients")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("expires_at", models.DateTimeField(db_index=True, verbose_name="expires")),
            ],
            options={
                "verbose_name": "inbox notification",
                "verbose_name_plural": "inbox notifications",
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["space", "id"], name="channels_progress_said")],
            },
        ),
        migrations.CreateModel(
            name="InboxItem",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("uid", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("owner", models.CharField(max_length=64)),
                ("user_pk", models.CharField(max_length=255)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("ACTIVE", "Active"),
                            ("INACTIVE", "Not listed"),
                            ("DRAFT", "Draft"),
                            ("REMOVED", "Removed"),
                            ("DELETED", "Deleted"),
                        ],
                        default="ACTIVE",
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                ("read_at", models.DateTimeField(null=True, verbose_name="read")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("updated_at", models.DateTimeField(verbose_name="changed")),
                ("expires_at", models.DateTimeField(db_index=True, verbose_name="expires")),
                (
                    "notice",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="items",
                        to="channels_progress.notice",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="NotificationPreference",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("owner", models.CharField(max_length=64)),
                ("user_pk", models.CharField(max_length=255)),
                ("delivery", models.CharField(blank=True, max_length=64)),
                ("kind", models.CharField(blank=True, max_length=64)),
                ("is_enabled", models.BooleanField(default=True)),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("owner", "delivery", "kind"), name="channels_progress_preference")
                ],
            },
        ),
        migrations.CreateModel(
            name="DeliveryRecord",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("owner", models.CharField(max_length=64)),
                ("delivery", models.CharField(max_length=64, verbose_name="delivery")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("WAITING", "Waiting"),
                            ("SENDING", "Being sent"),
                            ("SUCCEEDED", "Sent"),
                            ("FAILED", "Failed"),
                            ("CANCELLED", "Not needed"),
                            ("UNKNOWN", "Unknown"),
                        ],
                        default="WAITING",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                ("condition", models.CharField(blank=True, max_length=255, verbose_name="condition")),
                ("due_at", models.DateTimeField(verbose_name="due")),
                ("look_at", models.DateTimeField()),
                ("attempts", models.PositiveIntegerField(default=0, verbose_name="attempts")),
                ("claim", models.CharField(blank=True, max_length=32)),
                ("claimed_at", models.DateTimeField(null=True)),
                ("done_at", models.DateTimeField(null=True, verbose_name="done")),
                ("error", models.TextField(blank=True, verbose_name="error")),
                ("expires_at", models.DateTimeField(db_index=True)),
                (
                    "item",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="deliveries",
                        to="channels_progress.inboxitem",
                    ),
                ),
            ],
            options={
                "verbose_name": "delivery",
                "verbose_name_plural": "deliveries",
                "default_permissions": ("view", "resend"),
                "indexes": [
                    models.Index(fields=["state", "look_at"], name="channels_progress_due"),
                    models.Index(fields=["owner", "delivery", "state"], name="channels_progress_pending"),
                ],
                "constraints": [models.UniqueConstraint(fields=("item", "delivery"), name="channels_progress_one_way")],
            },
        ),
        migrations.AddIndex(
            model_name="inboxitem",
            index=models.Index(fields=["owner", "status", "id"], name="channels_progress_inbox"),
        ),
        migrations.AddIndex(
            model_name="inboxitem",
            index=models.Index(fields=["owner", "status", "read_at", "updated_at"], name="channels_progress_counts"),
        ),
    ]
