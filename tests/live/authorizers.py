"""What sites of live tests have as ``SUBSCRIPTION_AUTHORIZER``."""

from __future__ import annotations

from typing import Any


def allow_articles(user: Any, channel_name: str) -> bool:
    """Anybody may follow articles."""
    return channel_name.startswith("articles.article-")
