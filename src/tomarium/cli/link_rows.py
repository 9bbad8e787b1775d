"""A link between two frames in rows for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tomarium import units
from tomarium.model.link import LINK_KINDS

if TYPE_CHECKING:
    from tomarium.model import Link


def link_rows(link: Link) -> list[tuple[str, str]]:
    """Tell a link in rows for people."""
    import numpy as np

    from tomarium.specimen.pose import sigma, similarity

    spread = sigma(np.asarray(link.covariance))
    scale, _ = similarity(np.asarray(link.matrix))
    rows = [
        ("from", link.from_frame),
        ("to", link.to_frame),
        ("kind", LINK_KINDS[link.kind]),
        ("σ of the shift", ", ".join(units.show(sigma, "m", 3) for sigma in spread[3:]) + " (x, y, z)"),
        ("σ of the turn", ", ".join(f"{np.rad2deg(sigma):.3g}°" for sigma in spread[:3])),
        ("scale", f"{scale:.6g}" if abs(scale - 1) > 1e-9 else ""),
        ("mirrored", "yes: one of the two is a mirror image" if link.mirrored else ""),
        ("residual", units.show(link.residual_m, "m", 3) if link.residual_m is not None else ""),
        ("landmarks", str(len(link.landmarks)) if link.landmarks else ""),
        *((key, getattr(link, key)) for key in ("method", "author", "software", "date", "evidence")),
        ("withdrawn", link.withdrawn),
    ]
    return [row for row in rows if row[1]]
