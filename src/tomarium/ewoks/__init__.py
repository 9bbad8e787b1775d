"""Protocols as workflows of ewoks: `graph` writes them, `tasks` is what ewoks calls; only the latter needs ewoks."""

from __future__ import annotations

from tomarium.ewoks.graph import to_graph

__all__ = ["to_graph"]
