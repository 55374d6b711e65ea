"""Starting an import, and looking at the cities."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST
from django.views.generic import DetailView, ListView

from channels_progress import ChannelSubscriberSingleObjectMixin
from example_project.cities.forms import ImportForm, LaterForm
from example_project.cities.models import City
from example_project.cities.tasks import import_cities, import_cities_strictly


@require_POST
def start_import(request: HttpRequest) -> HttpResponse:
    """Import a table, skipping unusable rows; shows the built-in live page. Needs no login."""
    return redirect(import_cities.for_request(request).delay(**ImportForm.read(request.POST)))


@require_POST
def start_strict_import(request: HttpRequest) -> HttpResponse:
    """Import a table, all or nothing."""
    return redirect(import_cities_strictly.for_request(request).delay(**ImportForm.read(request.POST)))


@require_POST
def start_import_later(request: HttpRequest) -> HttpResponse:
    """Import a table in a while; the page counts down to it."""
    chosen = LaterForm.read(request.POST)
    countdown_s = chosen.pop("countdown_s")
    return redirect(import_cities.for_request(request).apply_async(kwargs=chosen, countdown=countdown_s))


class CityList(ListView):
    """All cities, biggest first, or those that a search finds; 50 a page."""

    template_name = "cities/list.html"
    paginate_by = 50

    @property
    def query(self) -> str:
        return self.request.GET.get("q", "").strip()

    def get_queryset(self) -> QuerySet:
        cities = City.objects.defer("search_text", "alternate_names")
        return cities.filter(search_text__contains=self.query.casefold()) if self.query else cities

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"query": self.query}


class CityPage(ChannelSubscriberSingleObjectMixin, DetailView):
    """One city, and what is sent to those who look at it: the site's authorizer says who may."""

    issues_token = False

    model = City
    context_object_name = "city"
    template_name = "cities/page.html"
