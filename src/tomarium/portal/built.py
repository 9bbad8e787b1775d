"""Scripts that `make web` builds from the folder `web`; pages work without them, and say what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "static" / "built"


def built(name: str) -> str | None:
    """Find a script of the pages.

    Parameters
    ----------
    name : str
        Folder of its source in `web/src`: "upload".

    Returns
    -------
    str or None
        Its path below the portal's folder `static`, for addresses; None where it is not built.
    """
    return f"built/{name}.js" if (FOLDER / f"{name}.js").is_file() else None
