"""Hashes in the admin."""

from __future__ import annotations

from django.contrib import admin

from example_project.files.models import TreeHash


@admin.register(TreeHash)
class TreeHashAdmin(admin.ModelAdmin):
    list_display = ("tree", "digest", "files", "size", "owner", "created_at")
