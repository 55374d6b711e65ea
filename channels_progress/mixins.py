"""For class-based views whose pages show objects and hear what is sent to those: ``send_to_object(article, …)``."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.utils.functional import SimpleLazyObject

from channels_progress.audiences import convert_obj_to_channel_name
from channels_progress.tokens import issue_subscription_token

__all__ = ["ChannelSubscriberMixin", "ChannelSubscriberSingleObjectMixin"]


class ChannelSubscriberMixin:
    """Puts into the context what a page needs to subscribe to objects: the names of their channels, and a token.

    The token is the view's word that whoever it showed the page to may hear what is sent to these objects;
    ``{% page_messages %}`` uses it. It is made when it is first read.

    Attributes:
        channels_template_variable_name: Of the list of channel names, in the context.
        token_template_variable_name: Of the token; an empty string where there is nothing to subscribe to.
        issues_token: False leaves it to ``SUBSCRIPTION_AUTHORIZER`` who may subscribe.
    """

    channels_template_variable_name = "extraChannels"
    token_template_variable_name = "subscription_token"  # noqa: S105  a name
    issues_token = True
    _subscribed_to: list[str]

    def subscribe_to(self, obj: Model) -> str:
        """Have the page subscribe to an object's channel, whose name is returned."""
        channel = convert_obj_to_channel_name(obj)
        self._subscribed_to = list(dict.fromkeys([*getattr(self, "_subscribed_to", []), channel]))
        return channel

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """See the class."""
        context: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]  # a view's
        context[self.channels_template_variable_name] = getattr(self, "_subscribed_to", [])
        if self.issues_token:
            context[self.token_template_variable_name] = SimpleLazyObject(self._issue_token)
        return context

    def _issue_token(self) -> str:
        channels = getattr(self, "_subscribed_to", [])
        return issue_subscription_token(self.request, channels) if channels else ""  # type: ignore[attr-defined]


class ChannelSubscriberSingleObjectMixin(ChannelSubscriberMixin):
    """The same for a view of one object, such as a ``DetailView``: its page subscribes to what ``get_object`` gives."""

    def get_object(self, *args: Any, **kwargs: Any) -> Any:
        """The object of the view."""
        obj = super().get_object(*args, **kwargs)  # type: ignore[misc]  # a view's
        self.subscribe_to(obj)
        return obj
