"""What people are told whose form cannot be taken; a page translates each before its values are put in."""

from __future__ import annotations

from typing import Final

NO_MESSAGE: Final = "write what you want to say, in at most %(longest)s letters"
NAME_OF_SENDER: Final = "the name has more than 100 letters, or signs that cannot be printed"
NO_ADDRESS: Final = "an answer needs an e-mail address; write yours"
NO_TITLE: Final = "%(id)s: the title is empty; give one line that tells people what it is"
NOT_YOURS: Final = "%(id)s: is not %(name)s's to change; ask its owner or a curator"
NOT_YOURS_TO_REMOVE: Final = "%(id)s: is not %(name)s's to remove; ask its owner or a curator"
NEVER_REMOVED: Final = (
    "%(id)s: was published, and what was published is never removed; a curator can withdraw it"
)
JOB_WORKS_ON_IT: Final = "%(id)s: job %(number)s works on it now; wait until it has ended, or cancel it"
NOT_CONFIRMED: Final = "%(id)s: nothing was removed; confirm that it is to be removed"
WHY_WITHDRAWN: Final = "%(id)s: say why it is withdrawn; its page will tell everybody"
WHY_SENT_BACK: Final = "%(id)s: say what its owner is to change, such as: --because 'name the beamline'"
NO_PARAMETER: Final = "%(text)s is no parameter; write NAME = VALUE, such as energy_kev = 20 keV"
