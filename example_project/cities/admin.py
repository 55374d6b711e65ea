"""Cities in the admin."""

from __future__ import annotations

from django.contrib import admin

from example_project.cities.models import City


@admin.register(City)
class CityAdmin(admin.ModelAdmin):
    list_display = ("name", "country", "population", "time_zone")
    search_fields = ("search_text",)
