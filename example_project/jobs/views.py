"""The start page, several jobs on one page, and whether the site is up."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from example_project.cities.forms import ImportForm
from example_project.cities.models import City
from example_project.cities.tasks import import_cities, import_cities_strictly
from example_project.files.forms import HashForm
from example_project.files.tasks import hash_tree

SESSION_KEY = "several_uids"


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """A form for every job."""
    context = {"import_form": ImportForm(), "hash_form": HashForm(), "city_count": City.objects.count()}
    return render(request, "jobs/home.html", context)


@login_required
@require_POST
def start_several(request: HttpRequest) -> HttpResponse:
    """Start three jobs at once and show them on one page."""
    handles = [
        import_cities.for_request(request).delay(),
        import_cities_strictly.for_request(request).delay(),
        hash_tree.for_request(request).delay("stdlib", request.user.pk),
    ]
    request.session[SESSION_KEY] = [handle.id for handle in handles]
    return redirect("several")


@login_required
def several(request: HttpRequest) -> HttpResponse:
    """The jobs started last; their owner may watch them, so their ids are enough."""
    return render(request, "jobs/several.html", {"uids": request.session.get(SESSION_KEY, [])})


def ready(request: HttpRequest) -> HttpResponse:
    """Whether site and database work, and whose site this is: several stacks may run on one machine."""
    connection.ensure_connection()
    return JsonResponse({"namespace": settings.CHANNELS_PROGRESS["NAMESPACE"]})
