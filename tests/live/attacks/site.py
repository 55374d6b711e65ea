"""The rig's pages, and some more, all with the strictest policy; reports against it are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import engines
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from channels_progress.tokens import issue_subscription_token
from tests.live.attacks.texts import ATTACKS
from tests.live.rig import pages

POLICY = "default-src 'self'; report-uri /csp-report/"
NAME = ATTACKS[0]
BEGIN = '{% load channels_progress %}<!doctype html><html lang="en"><meta charset="utf-8"><title>{{ title }}</title>'
TASKS = """{% my_tasks %}{% for uid in uids %}{% task_progress uid redirect=False %}
{% task_progress uid compact=True redirect=False %}{% endfor %}"""
OWN = """<template data-channels-progress-message><b data-message="level"></b> <span data-message="text"></span>
<a data-message="link">Show</a> <button data-message="close"></button></template>"""
PLACE = """<div id="messagesPlaceholder"></div>{% verbatim %}<script id="messageTemplate" type="text/x-template">
<p class="own {{ cssClass }}" title="{{ text }}">{{{ text }}}<a href="{{ clickURL }}">Show</a></p>
</script>{% endverbatim %}"""
LOOKS = {
    "default": "",
    "template": OWN,
    "placeholder": PLACE,
    "mustache": f'{PLACE}<script src="/www/mustache.js"></script>',
    "toastify": '<script src="/www/toastify.js"></script><script type="module" src="/www/start.js"></script>',
}
reports: list[str] = []


def protect(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that sends the policy with every response."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return middleware


@csrf_exempt
def report(request: HttpRequest) -> HttpResponse:
    """Where browsers report what the policy has kept them from; a GET tells all so far."""
    if request.method == "POST":
        reports.append(request.body.decode())
    return JsonResponse({"reports": reports})


@csrf_exempt
def log_in(request: HttpRequest) -> HttpResponse:
    """Log the first user in, a superuser whose names and address are attacks."""
    names = {"username": NAME, "first_name": ATTACKS[1], "last_name": ATTACKS[2], "email": f"{ATTACKS[3]}@home.test"}
    user, _ = User.objects.update_or_create(pk=1, defaults={**names, "is_staff": True, "is_superuser": True})
    login(request, user, "django.contrib.auth.backends.ModelBackend")
    return HttpResponse()


def render(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(BEGIN + template).render(context, request))


def show_tasks(request: HttpRequest) -> HttpResponse:
    """A page of a site's own with these tasks, each in full and as a row, and the menu."""
    return render(request, TASKS, uids=request.GET.getlist("uid"), title=ATTACKS[1])


def show_messages(request: HttpRequest, look: str) -> HttpResponse:
    """A page that hears everything, and channels that are attacks."""
    token = issue_subscription_token(request, ATTACKS)
    return render(request, LOOKS[look] + "{% page_messages %}", subscription_token=token, title=look)


urlpatterns = [
    path("csp-report/", report),
    path("log-in/", log_in),
    path("own/", show_tasks),
    path("messages/<str:look>/", show_messages),
    path("admin/", admin.site.urls),
    *pages.urlpatterns,
]
