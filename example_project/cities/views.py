"""Starting an import, and looking at the cities."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST
from django.views.generic import ListView

from example_project.cities.forms import ImportForm
from example_project.cities.models import City
from example_project.cities.tasks import import_cities, import_cities_strictly


@login_required
@require_POST
def start_import(request: HttpRequest) -> HttpResponse:
    """Import a table, skipping unusable rows; shows the built-in live page."""
    return redirect(import_cities.for_request(request).delay(ImportForm.read(request.POST)))


@login_required
@require_POST
def start_strict_import(request: HttpRequest) -> HttpResponse:
    """Import a table, all or nothing."""
    return redirect(import_cities_strictly.for_request(request).delay(ImportForm.read(request.POST)))


class CityList(LoginRequiredMixin, ListView):
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
