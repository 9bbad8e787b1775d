"""Sentences that the live page says; each is translated before its values are put in."""

from __future__ import annotations

from typing import Final

NOTHING: Final = "Nothing is watched"
START: Final = "Start it with: tomarium watch SPOOL --serve"
UNREADABLE: Final = "The state of the watch cannot be read"
NOT_RUNNING: Final = "The watcher is not running since %(time)s"
STOPPED: Final = "It was stopped"
ENDED: Final = "It ended without a word, or its disk is away"
AGAIN: Final = "%(how)s; nothing new is shown until it is started again with: tomarium watch %(spool)s"
AWAY: Final = "The watched folder is away"
SEEN: Final = "%(scans)s seen, %(waiting)s waiting."
IN_SCAN: Final = "%(title)s in %(scan)s"
LOOK: Final = "Look before the sample is taken off."
BELOW: Final = "%(warnings)s below."
NOT_MADE: Final = "%(scan)s could not be reconstructed"
REASON: Final = "The reason stands below."
BEHIND: Final = "Running, but behind"
WAITED: Final = "The newest scan has waited for %(age)s."
NOT_YET: Final = "Running, nothing has arrived yet"
WATCHED: Final = "%(spool)s is watched."
KEEPS_UP: Final = "Running and keeping up"
INCOMPLETE: Final = "Incomplete: %(first)s° to %(last)s°"
DAYS: Final = "%(days)s days"
