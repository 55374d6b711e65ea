"""The forms that start an import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    def read(cls, data: Mapping[str, str]) -> dict[str, Any]:
        """What was chosen; whoever sends something else did not use the form, and gets a 400."""
        form = cls(data)
        if not form.is_valid():
            raise BadRequest(form.errors.as_json())
        return form.cleaned_data


class LaterForm(ImportForm):
    """When to begin as well."""

    countdown_s = forms.IntegerField(
        label="Begin in",
        min_value=0,
        max_value=3600,
        initial=10,
        widget=forms.Select(choices=[(10, "10 seconds"), (30, "30 seconds"), (300, "5 minutes")]),
    )
