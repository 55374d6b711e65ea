import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes the tables of stored messages; they stay empty where nothing is sent with ``persist``."""

    dependencies = [("channels_progress", "0002_store_tables")]

    operations = [
        migrations.CreateModel(
            name="Notification",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=64)),
                ("space", models.CharField(max_length=32)),
                (
                    "audience",
                    models.CharField(
                        choices=[
                            ("all", "Everybody"),
                            ("authenticated", "Everybody who is logged in"),
                            ("anonymous", "Everybody who is not logged in"),
                            ("user", "One user"),
                            ("object", "Pages of an object"),
                            ("channel", "Pages of a channel"),
                        ],
                        max_length=16,
                        verbose_name="audience",
                    ),
                ),
                ("channel", models.CharField(max_length=300, verbose_name="channel")),
                (
                    "kind",
                    models.CharField(
                        choices=[("message", "Message"), ("redirect", "Redirect"), ("progress", "Progress")],
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                ("values", models.JSONField(verbose_name="content")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("expires_at", models.DateTimeField(db_index=True, verbose_name="expires")),
            ],
            options={
                "verbose_name": "notification",
                "verbose_name_plural": "notifications",
                "default_permissions": ("view", "add", "expire"),
                "indexes": (
                    models.Index(fields=["key", "id"], name="channels_progress_waiting"),
                    models.Index(fields=["space", "id"], name="channels_progress_tenant"),
                ),
            },
        ),
        migrations.CreateModel(
            name="Receipt",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("recipient", models.CharField(max_length=64)),
                ("acknowledged_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(db_index=True)),
                (
                    "notification",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="receipts",
                        to="channels_progress.notification",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": (
                    models.UniqueConstraint(fields=("notification", "recipient"), name="channels_progress_once"),
                ),
            },
        ),
    ]
