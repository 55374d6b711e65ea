"""Finds who is named on a command line; a ``CommandError`` says what to write where nobody is found."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured, MultipleObjectsReturned, ObjectDoesNotExist, ValidationError
from django.core.management.base import CommandError
from django.db import DatabaseError
from django.db.models import Manager, Model

from channels_progress.audiences import channel_audience, convert_obj_to_channel_name, get_channel_name_for_user

OBJECT_FORM = "app.Model:pk, such as shop.Order:42"


def find_user(username: str) -> Any:
    """The user of this name, whatever the user model calls it. Other names are not told: they are people."""
    try:
        model: Any = get_user_model()
    except ImproperlyConfigured as error:
        raise CommandError(f"There are no users: {error}") from error
    field = model.USERNAME_FIELD
    user = find_row(model._default_manager, {field: username}, f"user whose {field} is {username!r}")
    get_channel_name_for_user(user)
    return user


def find_object(spec: str) -> Model:
    """The object that is written as ``app.Model:pk``."""
    label, colon, key = spec.partition(":")
    if not (colon and key and "." in label.strip(".")):
        raise CommandError(f"--object is {spec!r}; write {OBJECT_FORM}.")
    model = find_model(label)
    pk: Any = model._meta.pk
    try:
        value = pk.to_python(key)
    except (ValidationError, ValueError, TypeError) as error:
        raise CommandError(f"--object is {spec!r}; {key!r} cannot be a primary key of {model._meta.label}.") from error
    # What a project's own manager hides is found, too: pages may show it.
    found: Model = find_row(model._base_manager, {"pk": value}, f"{model._meta.label} whose primary key is {key!r}")
    try:
        convert_obj_to_channel_name(found)
    except ValueError as error:
        raise CommandError(str(error)) from error
    return found


def find_model(label: str) -> type[Model]:
    """The model that is written as ``app.Model``, in upper or lower case."""
    known = {model._meta.label: model for model in apps.get_models()}
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise CommandError(f"There is no model {label!r}. {suggest_model(label, known)}") from error
    if swapped := model._meta.swapped:
        raise CommandError(f"{model._meta.label} is not used: this project has {swapped} in its place. Write that.")
    return model


def suggest_model(label: str, known: Iterable[str]) -> str:
    """What to write instead: the model of that name, else the nearest ones, else those of the app, else the form."""
    wanted = label.lower()
    names = {name.lower(): name for name in known}
    near = [name for name in names if name.rpartition(".")[2] == wanted.rpartition(".")[2]]
    near = near or get_close_matches(wanted, names, n=3, cutoff=0.7)
    near = near or [name for name in names if name.startswith(f"{wanted.partition('.')[0]}.")]
    return f"Did you mean {' or '.join(names[name] for name in near)}?" if near else f"Write {OBJECT_FORM}."


def find_channel(name: str) -> str:
    """``name``, if something can be broadcast there."""
    try:
        channel_audience(name)
    except ValueError as error:
        raise CommandError(str(error)) from error
    return name


def find_row(manager: Manager[Any], wanted: dict[str, Any], described: str) -> Any:
    """The one row; a ``CommandError`` where there is none, or several, or none can be asked for."""
    try:
        return manager.get(**wanted)
    except (ObjectDoesNotExist, ValidationError, ValueError, OverflowError) as error:
        raise CommandError(f"There is no {described}. Write it exactly as it is stored.") from error
    except MultipleObjectsReturned as error:
        raise CommandError(f"There is more than one {described}, so none of them can be meant.") from error
    except (DatabaseError, ImproperlyConfigured) as error:
        raise CommandError(f"The database could not be asked ({error}). Is it migrated?") from error
