from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes the tables of the database store; they stay empty where another store is used."""

    dependencies = [("channels_progress", "0001_task_permissions")]

    operations = [
        migrations.CreateModel(
            name="StoredList",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("epoch", models.CharField(max_length=16)),
                ("seq", models.BigIntegerField()),
                ("expires_at", models.BigIntegerField(db_index=True)),
            ],
            options={"default_permissions": ()},
        ),
        migrations.CreateModel(
            name="StoredMessage",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("task", models.CharField(max_length=64)),
                ("epoch", models.CharField(max_length=16)),
                ("number", models.BigIntegerField()),
                ("data", models.TextField()),
            ],
            options={
                "default_permissions": (),
                "constraints": (
                    models.UniqueConstraint(fields=["task", "epoch", "number"], name="channels_progress_log"),
                ),
            },
        ),
        migrations.CreateModel(
            name="StoredTask",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("space", models.CharField(max_length=32)),
                ("owner", models.CharField(blank=True, max_length=32)),
                ("revision", models.BigIntegerField()),
                ("epoch", models.CharField(max_length=16)),
                ("attempt", models.BigIntegerField()),
                ("seq", models.BigIntegerField()),
                ("state", models.CharField(max_length=16)),
                ("listed_at", models.BigIntegerField()),
                ("heartbeat_at", models.BigIntegerField()),
                ("heard_at", models.BigIntegerField()),
                ("expires_at", models.BigIntegerField(db_index=True)),
                ("logged", models.BigIntegerField()),
                ("data", models.TextField()),
            ],
            options={
                "default_permissions": (),
                "indexes": (
                    models.Index(fields=["space", "owner", "listed_at"], name="channels_progress_person"),
                    models.Index(fields=["space", "listed_at"], name="channels_progress_all"),
                    models.Index(fields=["space", "state", "heard_at"], name="channels_progress_state"),
                ),
            },
        ),
    ]
