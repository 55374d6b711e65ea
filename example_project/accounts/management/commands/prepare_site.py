"""Everything a fresh checkout needs before its first page."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from example_project.accounts.people import seed_people
from example_project.cities.seeds import seed_cities


class Command(BaseCommand):
    help = "Migrate, make the demo's people and first cities, collect the static files."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        seed_people()
        seed_cities()
        call_command("collectstatic", interactive=False, verbosity=0)
