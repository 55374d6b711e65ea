"""The form that starts an import."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms
from django.core.exceptions import BadRequest

from example_project.cities.rows import TABLES


class ImportForm(forms.Form):
    """Which table to import."""

    min_population = forms.TypedChoiceField(
        label="Cities with more than",
        coerce=int,
        choices=[(size, f"{size:,} people (about {rows} rows)") for size, rows in TABLES.items()],
    )

    @classmethod
    def read(cls, data: Mapping[str, str]) -> int:
        """The chosen table; whoever sends another one did not use the form, and gets a 400."""
        form = cls(data)
        if not form.is_valid():
            raise BadRequest(form.errors.as_json())
        return int(form.cleaned_data["min_population"])
