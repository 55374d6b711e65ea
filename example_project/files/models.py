"""What hashing a directory tree found."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class TreeHash(models.Model):
    """One finished run.

    Attributes:
        digest: SHA-256 over path and SHA-256 of every file, in the order of the paths.
        size: Bytes read.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    tree = models.CharField(max_length=20)
    digest = models.CharField(max_length=64)
    files = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-pk")
        verbose_name_plural = "tree hashes"

    def __str__(self) -> str:
        return f"{self.tree}: {self.digest[:12]}"
