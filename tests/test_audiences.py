"""Audiences and the names of their channels."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.sessions.models import Session
from django.core.exceptions import ObjectDoesNotExist

from channels_progress.audiences import (
    AudienceKind,
    channel_audience,
    convert_obj_to_channel_name,
    find_audiences,
    get_channel_name_for_user,
    get_obj_from_channel_name,
)
from channels_progress.groups import name_group
from channels_progress.viewers import Viewer

ALICE = User(pk=1, username="alice")


def find_channels(viewer: Viewer) -> list[str]:
    return [audience.channel for audience in find_audiences(viewer)]


def test_renaming_a_user_does_not_move_their_channel() -> None:
    assert get_channel_name_for_user(User(pk=7, username="a")) == get_channel_name_for_user(User(pk=7, username="b"))


def test_no_two_users_share_a_channel_or_a_group() -> None:
    # md5("1" + "1bob") is md5("11" + "bob").
    users = [SimpleNamespace(pk=pk) for pk in (1, 11, "1bob", "a\n", "a", "١", uuid.UUID(int=1), "x" * 99, "x" * 98)]
    channels = [get_channel_name_for_user(user) for user in users]
    assert len(set(channels)) == len(users)
    assert len({name_group("site", channel) for channel in channels}) == len(users)


def test_a_user_needs_no_username() -> None:
    assert get_channel_name_for_user(SimpleNamespace(pk=uuid.UUID(int=5))) == f"user:{uuid.UUID(int=5)}"


@pytest.mark.parametrize("nobody", [AnonymousUser(), None, 7, "alice"])
def test_nobody_in_particular_has_no_channel(nobody: Any) -> None:
    with pytest.raises(TypeError, match="somebody who can log in"):
        get_channel_name_for_user(nobody)


def test_what_is_not_saved_has_no_channel() -> None:
    with pytest.raises(ValueError, match="not saved yet"):
        get_channel_name_for_user(User(username="new"))
    with pytest.raises(ValueError, match="not saved yet"):
        convert_obj_to_channel_name(Group(name="new"))


@pytest.mark.django_db
def test_an_object_is_found_by_its_channel() -> None:
    group = Group.objects.create(name="editors")
    session = Session.objects.create(session_key="a-b.c", session_data="", expire_date="2030-01-01T00:00Z")
    assert convert_obj_to_channel_name(group) == f"auth.group-{group.pk}"
    assert convert_obj_to_channel_name(session) == "sessions.session-a-b.c"
    for obj in (group, session):
        assert get_obj_from_channel_name(convert_obj_to_channel_name(obj)) == obj


@pytest.mark.parametrize("name", ["", "x", "auth.group", "auth.group-x", "auth.no-1", "auth-1", "a.b.c-1", "user:1"])
def test_a_name_that_is_not_of_an_object_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="that of an object"):
        get_obj_from_channel_name(name)


@pytest.mark.django_db
def test_an_object_that_is_gone_is_not_found() -> None:
    with pytest.raises(ObjectDoesNotExist):
        get_obj_from_channel_name("auth.group-99")


def test_what_is_no_object_has_no_channel() -> None:
    with pytest.raises(TypeError, match="a model instance is expected"):
        convert_obj_to_channel_name("auth.group-1")  # type: ignore[arg-type]  # the slip


@pytest.mark.parametrize("name", ["", "task:1", "tasks:1", "audience:all", "audience:x", "x" * 301, "a\0", "\ud800"])
def test_a_reserved_or_impossible_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="channel is"):
        channel_audience(name)


def test_the_name_of_a_users_channel_means_the_user() -> None:
    assert channel_audience("user:1").kind is AudienceKind.USER
    assert channel_audience("import-42").kind is AudienceKind.CHANNEL


def test_a_viewer_belongs_to_what_is_switched_on(settings: Any) -> None:
    assert find_channels(Viewer(ALICE)) == ["audience:all", "audience:authenticated", "user:1"]
    assert find_channels(Viewer(None)) == ["audience:all"]
    settings.CHANNELS_PROGRESS = {"ENABLE_ALL": False, "ENABLE_ANONYMOUS": True}
    assert find_channels(Viewer(AnonymousUser())) == ["audience:anonymous"]
    settings.CHANNELS_PROGRESS = {"ENABLE_AUTHENTICATED": False}
    assert find_channels(Viewer(ALICE)) == ["audience:all"]


def test_whoever_is_locked_out_belongs_to_nothing() -> None:
    assert find_channels(Viewer(User(pk=1, is_active=False))) == []
