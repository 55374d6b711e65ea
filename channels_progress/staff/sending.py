"""The form with which staff send something: to whom, what, and how long it waits for those who are away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.apps import apps
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.contrib.auth import get_user_model
from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist, ValidationError
from django.core.validators import MaxLengthValidator
from django.db import DatabaseError, transaction
from django.db.models import Manager, Model
from django.utils.translation import gettext_lazy as _

from channels_progress.addresses import clean_url
from channels_progress.audiences import (
    ALL,
    ANONYMOUS,
    AUTHENTICATED,
    CHANNEL_MAX_CHARS,
    Audience,
    channel_audience,
    object_audience,
    user_audience,
)
from channels_progress.broadcast_events import Event, message_event, progress_event, redirect_event
from channels_progress.conf import get_settings
from channels_progress.models import AUDIENCES, KINDS, Notification

LEVELS = {
    "debug": _("Debug"),
    "info": _("Info"),
    "success": _("Success"),
    "warning": _("Warning"),
    "error": _("Error"),
}
LIFETIMES = {
    0: _("Not at all"),
    3_600: _("An hour"),
    86_400: _("A day"),
    604_800: _("A week"),
    2_592_000: _("30 days"),
}
#: The field that each audience needs; the others have no use for it.
_TARGETS = {"user": "user", "object": "obj", "channel": "channel"}
#: The field that each kind needs, and those that it has a use for.
_NEEDED = {"message": "text", "redirect": "url", "progress": "percent"}
_USED = {"message": {"text", "url"}, "redirect": {"url"}, "progress": {"percent"}}


def _text_field(label: Any, **options: Any) -> forms.CharField:
    widget = options.pop("widget", AdminTextInputWidget)
    return forms.CharField(label=label, required=False, widget=widget, **options)


class SendingForm(forms.Form):
    """What to send. Once it is valid, ``make_notification`` makes it."""

    audience = forms.ChoiceField(label=_("Audience"), choices=list(AUDIENCES.items()))
    user = _text_field(_("User"), help_text=_("The name this person logs in with."), max_length=300)
    obj = _text_field(_("Object"), help_text=_("app.Model:key, such as shop.Order:42."), max_length=600)
    channel = _text_field(_("Channel"), help_text=_("The name that pages subscribe to."), max_length=CHANNEL_MAX_CHARS)
    kind = forms.ChoiceField(label=_("Kind"), choices=list(KINDS.items()))
    level = forms.ChoiceField(label=_("Level"), choices=list(LEVELS.items()), initial="info")
    text = _text_field(_("Text"), widget=AdminTextareaWidget(attrs={"rows": 3}))
    url = _text_field(
        _("Address"), help_text=_("Where a redirect, or a click on the message, leads: a path such as /reports/.")
    )
    percent = _text_field(_("Percent"), help_text=_("Of progress: 0 to 100."), max_length=20)
    lifetime = forms.TypedChoiceField(
        label=_("Keep for those who are away"), choices=list(LIFETIMES.items()), coerce=int, initial=604_800
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # What is sent by code is cut; a person can still shorten it well.
        self.fields["text"].validators.append(MaxLengthValidator(get_settings().MESSAGE_MAX_CHARS))

    @property
    def is_kept(self) -> bool:
        """Whether it is to be stored."""
        return bool(self.cleaned_data["lifetime"])

    def clean_user(self) -> Any:
        """The user with this name, or None."""
        name, model = self.cleaned_data["user"], get_user_model()
        return name and _find(model._default_manager, {model.USERNAME_FIELD: name}, _("There is no such user."))

    def clean_obj(self) -> Model | None:
        """The object, or None."""
        if not (named := self.cleaned_data["obj"]):
            return None
        label, _colon, key = named.partition(":")
        try:
            model = apps.get_model(label)
            found: Model = _find(model._base_manager, {"pk": key}, _("There is no such object."))
            object_audience(found)
        except (AttributeError, LookupError, ValueError) as error:
            raise ValidationError(_("Write app.Model:key, such as shop.Order:42.")) from error
        return found

    def clean_channel(self) -> str:
        """A name that can be broadcast to, or an empty string."""
        name: str = self.cleaned_data["channel"]
        try:
            if name:
                channel_audience(name)
        except ValueError as error:
            raise ValidationError(_("This name is reserved.")) from error
        return name

    def clean_url(self) -> str:
        """An address that pages may be led to, or an empty string."""
        url: str = self.cleaned_data["url"]
        try:
            return url and clean_url(url)
        except ValueError as error:
            raise ValidationError(_("A path of this site is expected, or an address of an allowed host.")) from error

    def clean_percent(self) -> str:
        """What can be read as a percentage, or an empty string."""
        percent: str = self.cleaned_data["percent"]
        try:
            if percent:
                progress_event(percent)
        except ValueError as error:
            raise ValidationError(_("A number from 0 to 100 is expected.")) from error
        return percent

    def clean(self) -> dict[str, Any]:
        """Whether what was given fits together: nothing is sent to more people than somebody meant."""
        given = super().clean() or self.cleaned_data
        kind, audience = given.get("kind"), given.get("audience")
        if audience:
            needed = _TARGETS.get(audience, "")
            self._compare(_TARGETS.values(), needed, {needed}, _("Not for this audience."))
        if kind:
            self._compare(_NEEDED.values(), _NEEDED[kind], _USED[kind], _("Not for this kind."))
        if kind and audience and kind != "message" and audience not in _TARGETS:
            self.add_error("kind", _("Only messages can be sent to so many people at once."))
        if not self.errors and not (found := self._make_audience()).is_enabled:
            self.add_error("audience", _("Switched off by the setting %(name)s.") % {"name": found.switch})
        return given

    def make_notification(self) -> Notification:
        """What is to be sent, not stored yet."""
        lifetime = timedelta(seconds=self.cleaned_data["lifetime"])
        return Notification.objects.make(self._make_audience(), self._make_event(), lifetime)

    def _compare(self, fields: Iterable[str], needed: str, used: set[str], unused: Any) -> None:
        for name in fields:
            if name in self.errors:
                continue
            if name == needed and not self.cleaned_data[name]:
                self.add_error(name, self.fields[name].error_messages["required"])
            elif name not in used and self.cleaned_data[name]:
                self.add_error(name, unused)

    def _make_audience(self) -> Audience:
        given = self.cleaned_data
        if given["audience"] == "user":
            return user_audience(given["user"])
        if given["audience"] == "object":
            return object_audience(given["obj"])
        if given["audience"] == "channel":
            return channel_audience(given["channel"])
        return {str(audience.kind): audience for audience in (ALL, AUTHENTICATED, ANONYMOUS)}[given["audience"]]

    def _make_event(self) -> Event:
        given = self.cleaned_data
        if given["kind"] == "redirect":
            return redirect_event(given["url"])
        if given["kind"] == "progress":
            return progress_event(given["percent"])
        return message_event(given["text"], level=given["level"], click_url=given["url"] or None)


#: What a key that cannot be one raises, by the kind of key and by the database; or a model without a table.
_NOT_FOUND = (
    ObjectDoesNotExist, MultipleObjectsReturned, OverflowError, TypeError, ValueError, ValidationError, DatabaseError,
)  # fmt: skip


def _find(manager: Manager[Any], wanted: Mapping[str, Any], missing: Any) -> Any:
    try:
        # An error of the database must not spoil the request's own transaction.
        with transaction.atomic(manager.db):
            return manager.get(**wanted)
    except _NOT_FOUND as error:
        raise ValidationError(missing) from error
