"""Words that scripts write on a page, handed to it in its language: those of `t(…)` in `web/src`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from tomarium.portal.languages import ENGLISH, translate

SCRIPT_WORDS: Final = (
    "%(days)s days",
    "%(done)s of %(all)s files, %(sent)s of %(total)s",
    "%(file)s is larger than the %(size)s that are taken.",
    "%(label)s, slider",
    "%(number)s a second",
    "%(number)s drafts were made:",
    "%(number)s failed.",
    "%(number)s more",
    "%(number)s of %(count)s files are there. Choose the same files or the same folder again: only what lacks is sent.",
    "%(number)s of %(count)s projections",
    "%(number)s of %(count)s",
    "%(rate)s/s, %(time)s left",
    "%(share)s from all",
    "All files are there, %(how)s.",
    "All files are there. A worker makes the record now; you may close this page.",
    "All files are there.",
    "All projections, one a line; those that are put back are bright",
    "Angle",
    "Axes",
    "Begun before and not whole: %(files)s. Choose them again above, or",
    "Black",
    "Brightest",
    "Choose files first.",
    "Close the 3-D look",
    "Close",
    "Distance",
    "Fetching the volume …",
    "Filter each projection first",
    "Full screen",
    "Go on with it",
    "Go on",
    "Hidden files were left out: %(number)s.",
    "How deep the cut goes",
    "How it is drawn",
    "Its files are there. Say what it is, and make the draft.",
    "Leave %(file)s out",
    "Leave it out",
    "Loading …",
    "Map. A click or the arrow keys choose a pixel, Escape all of them.",
    "Measure",
    "Moment %(number)s",
    "Moments a second",
    "Next moment",
    "No WebGL 2 here: the slices show the inside.",
    "Not shown",
    "Nothing was chosen that can be sent.",
    "Order",
    "Pause",
    "Paused; what arrived is kept.",
    "Play the moments",
    "Play",
    "Previous moment",
    "Profile",
    "Projections put back",
    "none put back",
    "the last at %(angle)s",
    "Reset",
    "Save PNG",
    "Some files failed: try them again, or leave them out.",
    "Stop",
    "Surface",
    "Taken in half a turn",
    "The draft is being made …",
    "The draft is made as soon as all files are there; keep this page open.",
    "The draft was made:",
    "The file changed or went away while it was sent; choose it again.",
    "The graphics card gave up",
    "The grey values could not be fetched.",
    "The lower grey value is not below the higher one.",
    "The model cannot be shown here",
    "The page cannot be fetched.",
    "The portal does not answer; nothing was asked for. Try again in a moment.",
    "The projection that was put back last",
    "The server answers %(status)s.",
    "The server does not answer.",
    "The server does not answer; it is tried again.",
    "The slice made of the projections that are put back",
    "The slices above show the inside, and the still picture stays.",
    "The volume in three dimensions. Arrow keys turn it, plus and minus zoom, 0 goes back.",
    "This was refused.",
    "Threshold",
    "Tools for %(axis)s",
    "Translucent",
    "Turn it in 3-D",
    "Turn it",
    "Turned by",
    "What is cut",
    "What is put back",
    "White",
    "With",
    "X-ray",
    "You were signed out. Sign in again in another tab, then try again here.",
    "a corner cut out",
    "a slice across x",
    "a slice across y",
    "a slice across z",
    "cancelled",
    "done",
    "drag, or use the arrow keys, to turn it",
    "failed",
    "leave them out",
    "manage",
    "no motor positions: %(why)s",
    "nothing cut",
    "one after the other",
    "profile of grey values",
    "running",
    "spread out",
    "the picture could not be fetched",
    "the portal does not answer; asking again",
    "tries again",
    "waiting",
    "waits",
    "✓ is there",
)
"""Each stands between quotes in a script; "%(number)s" is a value."""
TEMPLATES: Final = frozenset(
    (
        *("record.html", "series.html", "make_a_slice.html", "models.html", "volume.html", "upload.html"),
        *("live.html", "work_slice.html"),
    )
)
"""Pages with scripts that write words."""


@cache
def script_words(template: str, language: str) -> Mapping[str, str]:
    """Translate what the scripts of a page write.

    Parameters
    ----------
    template : str
        Of the page.
    language : str
        A key of `LANGUAGES`.

    Returns
    -------
    Mapping of str to str
        English words → translated; empty in English, and for a page whose scripts write nothing.
    """
    if language == ENGLISH or template not in TEMPLATES:
        return {}
    return {words: translate(words, language) for words in SCRIPT_WORDS}
