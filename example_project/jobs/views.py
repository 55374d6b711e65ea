"""The start page, small jobs, several of them on one page, and whether the site is up."""

from __future__ import annotations

from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from example_project.cities.forms import ImportForm, LaterForm
from example_project.cities.models import City
from example_project.cities.tasks import import_cities, import_cities_strictly
from example_project.files.forms import TreeForm
from example_project.files.tasks import pack_tree
from example_project.jobs.docs import DOCS
from example_project.jobs.tasks import add_receipts, fetch_rates, find_lucky_number

SESSION_KEY = "several_uids"
JOBS = {"receipts": add_receipts, "rates": fetch_rates, "lucky-number": find_lucky_number}


def home(request: HttpRequest) -> HttpResponse:
    """A form for every job; most need no login."""
    context = {
        "import_form": ImportForm(),
        "later_form": LaterForm(auto_id="later_%s"),
        "hash_form": TreeForm(),
        "pack_form": TreeForm(auto_id="pack_%s"),
        "city_count": City.objects.count(),
        "docs": DOCS,
    }
    return render(request, "jobs/home.html", context)


@require_POST
def start(request: HttpRequest, job: str) -> HttpResponse:
    """Start one of ``JOBS``; shows the built-in live page."""
    if job not in JOBS:
        raise Http404
    return redirect(JOBS[job].for_request(request).delay())


@require_POST
def start_several(request: HttpRequest) -> HttpResponse:
    """Start five jobs at once and show them on one page."""
    handles = [
        import_cities.for_request(request).delay(),
        import_cities_strictly.for_request(request).delay(),
        fetch_rates.for_request(request).delay(),
        find_lucky_number.for_request(request).delay(),
        pack_tree.for_request(request).delay("checkout"),
    ]
    request.session[SESSION_KEY] = [handle.id for handle in handles]
    return redirect("several")


def several(request: HttpRequest) -> HttpResponse:
    """The jobs started last; their owner may watch them, so their ids are enough."""
    return render(request, "jobs/several.html", {"uids": request.session.get(SESSION_KEY, [])})


def ready(request: HttpRequest) -> HttpResponse:
    """Whether site and database work, and whose site this is: several stacks may run on one machine."""
    connection.ensure_connection()
    return JsonResponse({"namespace": settings.CHANNELS_PROGRESS["NAMESPACE"]})
