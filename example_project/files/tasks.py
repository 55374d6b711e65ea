"""Hashing a directory tree."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from django.urls import reverse

from channels_progress.tasks import TaskReporter, broadcast_task
from example_project.files.models import TreeHash
from example_project.files.trees import TREES, find_files

CHUNK_BYTES = 1 << 18


@broadcast_task(title="Hash files", stages={"List": 1, "Hash": 9})
def hash_tree(reporter: TaskReporter, tree: str, owner_id: int) -> str:
    """Hash every file of one of ``trees.TREES`` and keep the result; files that cannot be read are skipped.

    Returns the digest (see ``models.TreeHash``).
    """
    with reporter.stage("List"):
        files = list(reporter.track(find_files(tree), "Listing the files", unit="file"))
    with reporter.stage("Hash"):
        reporter.progress(0, sum(map(_size_of, files)), unit="bytes")
        digest, size = _hash_all(reporter, TREES[tree], files)
    found = TreeHash.objects.create(owner_id=owner_id, tree=tree, digest=digest, files=len(files), size=size)
    reporter.redirect(reverse("files:hash", args=[found.pk]))
    return digest


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _hash_all(reporter: TaskReporter, root: Path, files: Iterable[Path]) -> tuple[str, int]:
    whole = hashlib.sha256()
    size = unreadable = 0
    for path in files:
        name = path.relative_to(root).as_posix()
        try:
            digest, read = _hash_file(reporter, path)
        except OSError as error:
            unreadable += 1
            reporter.set(unreadable=unreadable)
            reporter.message(f"Skipped {name}: {error.strerror}", level="warning")
            continue
        size += read
        whole.update(name.encode("utf-8", "surrogateescape") + b"\0" + digest)
    return whole.hexdigest(), size


def _hash_file(reporter: TaskReporter, path: Path) -> tuple[bytes, int]:
    digest = hashlib.sha256()
    read = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            read += len(chunk)
            reporter.advance(len(chunk))
    return digest.digest(), read
