"""The form that chooses a tree."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms
from django.core.exceptions import BadRequest

from example_project.files.trees import LABELS


class TreeForm(forms.Form):
    """Which tree."""

    tree = forms.ChoiceField(label="Every file of", choices=list(LABELS.items()))

    @classmethod
    def read(cls, data: Mapping[str, str]) -> str:
        """The chosen tree; whoever sends another one did not use the form, and gets a 400."""
        form = cls(data)
        if not form.is_valid():
            raise BadRequest(form.errors.as_json())
        return str(form.cleaned_data["tree"])
