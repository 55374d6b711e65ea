"""The console, from which a message goes to whoever is chosen, and pages that listen to a channel."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import AccessMixin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse_lazy
from django.views.generic import FormView

from channels_progress import get_page_id, issue_subscription_token
from example_project.broadcasts.answers import describe_answer
from example_project.broadcasts.forms import TARGETS, ConsoleForm
from example_project.broadcasts.sending import carry_out, find_order_audience
from example_project.broadcasts.tasks import send_later
from example_project.cities.models import City

SESSION_KEY = "broadcast"


class Console(AccessMixin, FormView):
    """Choose who, what and how. Everybody may look; sending needs a login, and on a real site more than that."""

    template_name = "broadcasts/console.html"
    form_class = ConsoleForm
    success_url = reverse_lazy("broadcasts:console")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send, if somebody is logged in."""
        return super().post(request, *args, **kwargs) if request.user.is_authenticated else self.handle_no_permission()

    def get_initial(self) -> dict[str, Any]:
        """What a link asks for, else what was sent last."""
        asked = {name: self.request.GET[name] for name in ("audience", *TARGETS.values()) if name in self.request.GET}
        return {**self.request.session.get(SESSION_KEY, {}), **asked}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With a city to look at."""
        return super().get_context_data(**kwargs) | {"city": City.objects.first()}

    def form_valid(self, form: ConsoleForm) -> HttpResponse:
        """Send it, and come back with the answer."""
        order, exclude = form.make_order(), form.cleaned_data["exclude"]
        page_id = get_page_id(self.request) if exclude else None
        if delay_s := form.cleaned_data["sender"]:
            send_later.apply_async((order, page_id), countdown=int(delay_s))
            messages.info(self.request, "A Celery worker sends it.")
        else:
            answer = carry_out(order, exclude=page_id)
            switch = find_order_audience(order).switch
            text = describe_answer(answer, switch=switch, is_stored=order["persist"] and order["kind"] != "html")
            messages.add_message(self.request, messages.SUCCESS if answer else messages.WARNING, text)
        self.request.session[SESSION_KEY] = {**order, "exclude": exclude, "sender": delay_s}
        return super().form_valid(form)


def listen(request: HttpRequest, channel: str) -> HttpResponse:
    """A page that subscribes to a named channel. The view has decided who may: the token is its word."""
    token = issue_subscription_token(request, [channel])
    return render(request, "broadcasts/channel.html", {"channel": channel, "subscription_token": token})
