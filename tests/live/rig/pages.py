"""A rig's site for browsers: pages that the test writes (``www`` in the rig's folder), and what it asks of the site."""

from __future__ import annotations

import json
import os
from pathlib import Path

from django.contrib.auth import login
from django.contrib.auth.models import User
from django.contrib.staticfiles.views import serve as serve_static
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template import engines
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.static import serve

from channels_progress import broadcasts
from channels_progress.models import Receipt
from channels_progress.page_ids import get_page_id
from channels_progress.tokens import issue_subscription_token
from tests.live.rig.gates import FOLDER_VARIABLE

FOLDER = "www"
#: Nothing inline. Workers of blobs are Tone.js's.
POLICY = "default-src 'self'; worker-src 'self' blob:"
TOKEN_CHANNEL = "import-42"
PAGE = """{% load channels_progress %}<!doctype html><html lang="en"><title>Page</title><h1>Page</h1>
{% page_messages %}</html>"""


def serve_file(request: HttpRequest, name: str) -> HttpResponseBase:
    """One of the files, with a strict policy."""
    response = serve(request, name, document_root=Path(os.environ[FOLDER_VARIABLE]) / FOLDER)
    response.headers["Content-Security-Policy"] = POLICY
    return response


@csrf_exempt
def log_in(request: HttpRequest, username: str) -> JsonResponse:
    """Log this person in, who is made where there is none, and give them a token for ``import-42``."""
    user, _ = User.objects.get_or_create(username=username)
    login(request, user, "django.contrib.auth.backends.ModelBackend")
    return JsonResponse({"token": issue_subscription_token(user, [TOKEN_CHANNEL])})


def show_page(request: HttpRequest) -> HttpResponse:
    """A page with ``{% page_messages %}``: of an article, for users with a token, and with a strict policy."""
    context = {"extraChannels": ["articles.article-42", "secrets.secret-1"]}
    if request.user.is_authenticated:
        context["subscription_token"] = issue_subscription_token(request.user, [TOKEN_CHANNEL])
    html = engines["django"].from_string(PAGE).render(context, request)
    return HttpResponse(html, headers={"Content-Security-Policy": POLICY})


@csrf_exempt
def say_to_others(request: HttpRequest) -> JsonResponse:
    """Tell everybody but the page that has asked for it."""
    page_id = get_page_id(request)
    return JsonResponse({"answer": broadcasts.send_to_all("For the others", exclude=page_id), "page": page_id})


@csrf_exempt
def say(request: HttpRequest) -> JsonResponse:
    """Call functions of ``broadcasts``, ``[name, arguments, options]`` each; users are given by name."""
    answers = []
    for name, arguments, options in json.loads(request.body):
        if name.endswith("_user"):
            arguments[0] = User.objects.get(username=arguments[0])
        assert name in broadcasts.__all__
        answers.append(getattr(broadcasts, name)(*arguments, **options))
    return JsonResponse({"answers": answers})


def count_acknowledged(request: HttpRequest) -> JsonResponse:
    """How many stored messages somebody has acknowledged."""
    return JsonResponse({"acknowledged": Receipt.objects.count()})


urlpatterns = [
    path("tasks/", include("channels_progress.urls")),
    path("www/<path:name>", serve_file),
    path("log-in/<str:username>/", log_in),
    path("say/", say),
    path("page/", show_page),
    path("say-to-others/", say_to_others),
    path("static/<path:path>", serve_static, {"insecure": True}),
    path("acknowledged/", count_acknowledged),
]
