"""What rows of a database are found by, so that tenants never meet and every database compares alike.

A *space* is made of the namespace, a key of a space and a name. Both are hashes in ASCII: databases differ in whether
``Ä`` is ``a``, whether a trailing space counts, and in how long a key may be.
"""

from __future__ import annotations

import hashlib

from channels_progress.conf import get_namespace


def find_space() -> str:
    """What rows of the namespace in force have in common."""
    return _hash(get_namespace())[:32]


def make_key(space: str, name: str) -> str:
    """A row's key. No two names share one, nor do two namespaces."""
    return _hash(f"{space} {name}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
