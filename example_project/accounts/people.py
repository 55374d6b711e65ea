"""The two people of the demo."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to log in as; the site listens on this machine only, so the password is no secret."""

    username: str
    name: str
    is_staff: bool

    @property
    def password(self) -> str:
        return f"{self.username}-demo"


PEOPLE = (Person("ada", "Ada", is_staff=True), Person("ben", "Ben", is_staff=False))


def seed_people() -> None:
    """Make the accounts, or put them back to what they were."""
    for person in PEOPLE:
        flags = {
            "is_staff": person.is_staff,
            "is_superuser": person.is_staff,
            "first_name": person.name,
            "email": f"{person.username}@example.com",
        }
        user, _created = User.objects.update_or_create(username=person.username, defaults=flags)
        if not user.check_password(person.password):
            user.set_password(person.password)
            user.save(update_fields=["password"])
