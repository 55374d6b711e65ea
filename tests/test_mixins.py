"""Views whose pages subscribe to objects."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.test import RequestFactory
from django.views.generic import DetailView, TemplateView

from channels_progress import ChannelSubscriberMixin, ChannelSubscriberSingleObjectMixin, verify_subscription_token

ALICE = User(pk=1, username="alice")
EDITORS, READERS = Group(pk=7, name="editors"), Group(pk=8, name="readers")


class GroupView(ChannelSubscriberSingleObjectMixin, DetailView):  # type: ignore[type-arg]
    model = Group


class GroupsView(ChannelSubscriberMixin, TemplateView):
    template_name = "x.html"
    groups: tuple[Group, ...] = ()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        for group in self.groups:
            self.subscribe_to(group)
        return super().get_context_data(**kwargs)


def make_context(view: type[TemplateView], user: Any = ALICE, **attributes: Any) -> tuple[Any, dict[str, Any]]:
    request = RequestFactory().get("/")
    request.user, request.session = user, SessionStore()
    made = view(**attributes)
    made.setup(request)
    return request, made.get_context_data()


@pytest.mark.django_db
def test_a_page_subscribes_to_the_object_that_it_shows() -> None:
    EDITORS.save()
    request = RequestFactory().get("/")
    request.user = ALICE
    context = GroupView.as_view()(request, pk=7).context_data
    assert context["object"] == EDITORS
    assert context["extraChannels"] == ["auth.group-7"]
    assert verify_subscription_token(str(context["subscription_token"]), ALICE).channels == ("auth.group-7",)


def test_a_page_subscribes_to_any_number_of_objects_once_each() -> None:
    _, context = make_context(GroupsView, groups=(EDITORS, READERS, EDITORS))
    assert context["extraChannels"] == ["auth.group-7", "auth.group-8"]
    granted = verify_subscription_token(str(context["subscription_token"]), ALICE)
    assert granted.channels == ("auth.group-7", "auth.group-8")


def test_a_page_that_subscribes_to_nothing_has_no_token() -> None:
    _, context = make_context(GroupsView)
    assert (context["extraChannels"], str(context["subscription_token"])) == ([], "")


def test_a_token_is_only_made_for_who_reads_it() -> None:
    request, context = make_context(GroupsView, AnonymousUser(), groups=(EDITORS,))
    assert not request.session.modified
    token = str(context["subscription_token"])
    assert request.session.modified
    assert verify_subscription_token(token, request).channels == ("auth.group-7",)


def test_a_view_can_leave_it_to_the_authorizer() -> None:
    class Authorized(GroupsView):
        issues_token = False

    _, context = make_context(Authorized, groups=(EDITORS,))
    assert "subscription_token" not in context


def test_the_names_in_the_context_can_be_others() -> None:
    class Renamed(GroupsView):
        channels_template_variable_name = "channels"
        token_template_variable_name = "token"

    _, context = make_context(Renamed, groups=(EDITORS,))
    assert context["channels"] == ["auth.group-7"]
    assert str(context["token"])
