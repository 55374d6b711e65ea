"""How many cities there are."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from example_project.cities.models import City


class Command(BaseCommand):
    help = "Print the number of rows in the table of cities."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(str(City.objects.count()))
