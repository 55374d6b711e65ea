"""The table of cities."""

from __future__ import annotations

from django.db import models


class City(models.Model):
    """A populated place of GeoNames.

    Attributes:
        geoname_id: GeoNames' own number; importing a city again updates its row.
        search_text: Name, alternate names and country in lower case, for searching in any script.
    """

    geoname_id = models.PositiveIntegerField(primary_key=True)
    name = models.CharField(max_length=200)
    alternate_names = models.JSONField(default=list)
    country_code = models.CharField(max_length=2)
    country = models.CharField(max_length=100)
    population = models.PositiveIntegerField()
    latitude = models.FloatField()
    longitude = models.FloatField()
    time_zone = models.CharField(max_length=64)
    search_text = models.TextField()

    class Meta:
        ordering = ("-population", "geoname_id")
        verbose_name_plural = "cities"
        indexes = (models.Index(fields=["-population", "geoname_id"], name="city_by_population"),)

    def __str__(self) -> str:
        return f"{self.name} ({self.country_code})"
