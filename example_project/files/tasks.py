"""Hashing a directory tree, and packing one."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from django.template.defaultfilters import filesizeformat
from django.urls import reverse

from channels_progress.exceptions import TaskCancelled
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


@broadcast_task(title="Pack files", stages={"List": 1, "Pack": 8, "Verify": 1})
def pack_tree(reporter: TaskReporter, tree: str) -> int:
    """Pack one of ``trees.TREES`` as small as LZMA can, verify the archive and throw it away: this is a demo.

    Returns the archive's size in bytes.
    """
    # The folder goes, however this ends.
    with tempfile.TemporaryDirectory(prefix="pack-") as folder:
        path = Path(folder) / f"{tree}.zip"
        try:
            _pack(reporter, tree, path)
        except TaskCancelled:
            reporter.message(f"Removed the unfinished archive of {filesizeformat(_size_of(path))}")
            raise
        size = _size_of(path)
    reporter.message(f"Packed into {filesizeformat(size)}", level="success")
    return size


def _pack(reporter: TaskReporter, tree: str, path: Path) -> None:
    with reporter.stage("List"):
        files = list(reporter.track(find_files(tree), "Listing the files", unit="file"))
    with reporter.stage("Pack"):
        reporter.progress(0, sum(map(_size_of, files)), unit="bytes")
        _write_archive(reporter, path, TREES[tree], files)
    with reporter.stage("Verify"), zipfile.ZipFile(path) as archive:
        for name in reporter.track(archive.namelist(), "Reading it back", unit="file"):
            archive.read(name)


def _write_archive(reporter: TaskReporter, path: Path, root: Path, files: Sequence[Path]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            name = file.relative_to(root).as_posix()
            # ZIP has no dates before 1980, file systems do.
            entry = zipfile.ZipInfo.from_file(file, name, strict_timestamps=False)
            entry.compress_type = zipfile.ZIP_LZMA
            with file.open("rb") as source, archive.open(entry, "w") as target:
                # In pieces: a big file takes long, and a cancel is heard at the next report.
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    reporter.advance(len(chunk))
            # A line for every file: the page keeps the newest hundred.
            sizes = map(filesizeformat, (entry.file_size, entry.compress_size))
            reporter.message(f"{name}: {' → '.join(sizes)}", level="debug")


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
