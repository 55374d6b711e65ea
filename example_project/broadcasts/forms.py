"""The form of the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.auth.models import User

from channels_progress.broadcast_events import message_event, progress_event, redirect_event
from example_project.broadcasts.sending import CONTENT
from example_project.cities.models import City

AUDIENCES = {
    "all": "Everybody",
    "authenticated": "Everybody who is logged in",
    "anonymous": "Everybody who is not",
    "user": "One person",
    "object": "Who looks at a city",
    "channel": "Who listens to a channel",
}
KINDS = {"message": "A message", "redirect": "A redirect", "progress": "Progress", "html": "HTML"}
LEVELS = {"info": "Information", "success": "Success", "warning": "Warning", "error": "Error"}
SENDERS = {"": "this site, now", "0": "a Celery worker, now", "10": "a Celery worker, in 10 seconds"}
WHOLE_AUDIENCES = {"all", "authenticated", "anonymous"}
TARGETS = {"user": "username", "object": "city", "channel": "channel"}
CITIES_OFFERED = 10


class ConsoleForm(forms.Form):
    """Who should see what, and how. What is not for the chosen audience or kind is not looked at."""

    audience = forms.ChoiceField(label="Who", choices=AUDIENCES, widget=forms.RadioSelect, initial="all")
    username = forms.ModelChoiceField(
        User.objects.order_by("pk"), to_field_name="username", label="Person", required=False, empty_label=None
    )
    city = forms.ModelChoiceField(City.objects.all(), label="City", required=False)
    channel = forms.SlugField(label="Channel", required=False, initial="news")
    kind = forms.ChoiceField(label="What", choices=KINDS, widget=forms.RadioSelect, initial="message")
    text = forms.CharField(
        label="Text", required=False, initial="Back in 5 minutes", widget=forms.Textarea(attrs={"rows": 2})
    )
    level = forms.ChoiceField(label="Level", choices=LEVELS, required=False)
    click_url = forms.CharField(label="A click leads to", required=False, widget=forms.TextInput)
    url = forms.CharField(label="Lead them to", required=False, initial="/cities/")
    percent = forms.CharField(label="Per cent done", required=False, initial="42%")
    persist = forms.BooleanField(label="Store it for those who are away", required=False)
    exclude = forms.BooleanField(label="Not on this page", required=False)
    sender = forms.ChoiceField(label="Sent by", choices=SENDERS, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["city"].widget.choices = [(city.pk, str(city)) for city in self._find_cities()]

    def clean(self) -> dict[str, Any]:
        """Refuses what the send functions would."""
        audience, kind = self.cleaned_data.get("audience", ""), self.cleaned_data.get("kind", "")
        if kind in {"redirect", "progress"} and audience in WHOLE_AUDIENCES:
            self.add_error("kind", "Not to a whole audience: choose one person, a city or a channel.")
        needed = {TARGETS.get(audience), CONTENT.get(kind)} - {None}
        self._forget_errors({*TARGETS.values(), *CONTENT.values()} - needed)
        for name in needed:
            if not self.cleaned_data.get(name) and name not in self.errors:
                self.add_error(name, "This field is required.")
        self._check_content(kind)
        return self.cleaned_data

    def make_order(self) -> dict[str, Any]:
        """What ``sending.carry_out`` takes; JSON can say it."""
        order = {name: value for name, value in self.cleaned_data.items() if name not in {"exclude", "sender"}}
        user, city = order["username"], order["city"]
        return {**order, "username": user.username if user else "", "city": city.pk if city else None}

    def _forget_errors(self, names: set[str]) -> None:
        """Of fields that the choice has hidden from whoever made it."""
        for name in names:
            self.errors.pop(name, None)
            self.cleaned_data.setdefault(name, None)

    def _check_content(self, kind: str) -> None:
        values = self.cleaned_data
        match kind:
            case "message":
                self._check("click_url", lambda: message_event("", click_url=values["click_url"] or None))
            case "redirect" if values.get("url"):
                self._check("url", lambda: redirect_event(values["url"]))
            case "progress" if values.get("percent"):
                self._check("percent", lambda: progress_event(values["percent"]))

    def _check(self, name: str, build: Callable[[], object]) -> None:
        try:
            build()
        except ValueError as error:
            self.add_error(name, str(error))

    def _find_cities(self) -> list[City]:
        """The biggest, and the one that is asked for."""
        cities = list(City.objects.defer("search_text", "alternate_names")[:CITIES_OFFERED])
        chosen = self["city"].value()
        if chosen and str(chosen) not in {str(city.pk) for city in cities}:
            cities += City.objects.filter(pk=chosen) if str(chosen).isdecimal() else []
        return cities
