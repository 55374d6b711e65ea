from django.db import migrations, models


class Migration(migrations.Migration):
    """Makes no table: with the model come the permissions ``view_task`` and ``cancel_task``."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Task",
            fields=[
                ("uid", models.CharField(max_length=255, primary_key=True, serialize=False, verbose_name="task id")),
            ],
            options={
                "verbose_name": "task",
                "verbose_name_plural": "tasks",
                "managed": False,
                "default_permissions": ("view", "cancel"),
                "base_manager_name": "objects",
            },
        ),
    ]
