"""Hashing a tree, which needs a login because it keeps a result for somebody, and packing one."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from example_project.files.forms import TreeForm
from example_project.files.models import TreeHash
from example_project.files.tasks import hash_tree, pack_tree
from example_project.files.trees import LABELS


@login_required
@require_POST
def start_hash(request: HttpRequest) -> HttpResponse:
    """Hash a tree; shows the built-in live page."""
    return redirect(hash_tree.for_request(request).delay(TreeForm.read(request.POST), request.user.pk))


@login_required
def show_hash(request: HttpRequest, pk: int) -> HttpResponse:
    """One result, for the person who asked for it."""
    found = get_object_or_404(TreeHash, pk=pk, owner=request.user)
    return render(request, "files/hash.html", {"found": found, "label": LABELS[found.tree]})


@require_POST
def start_pack(request: HttpRequest) -> HttpResponse:
    """Pack a tree; shows the built-in live page."""
    return redirect(pack_tree.for_request(request).delay(TreeForm.read(request.POST)))
