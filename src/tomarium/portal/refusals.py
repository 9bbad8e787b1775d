"""What is said to a reader whom something is refused: the sentences that pages translate."""

from __future__ import annotations

from typing import Final

NO_RECORD: Final = "There is no record “%(id)s” in this catalogue. Search for it by a word."
UNREADABLE: Final = (
    "The folder of this record cannot be read now: it was moved or is damaged. Whoever runs this catalogue can bring "
    "it back, or rebuild the index."
)
NOT_OPEN: Final = "The files of this record are not open."
OPENS_LATER: Final = "The files of this record open on %(day)s; until then its creators may be asked."
WITHDRAWN: Final = "The files of this record were withdrawn on %(day)s. Its metadata stay."
WITHDRAWN_FOR: Final = "The files of this record were withdrawn on %(day)s: %(reason)s. Its metadata stay."
TOO_MANY: Final = (
    "More than %(number)s %(kind)s were asked for in a minute %(whose)s. Try again in %(seconds)s seconds; programs "
    "wait as long as the header Retry-After says."
)
TOO_MANY_FOR_A_SECOND: Final = (
    "More than %(number)s %(kind)s were asked for in a minute %(whose)s. Try again in a second; programs wait as long "
    "as the header Retry-After says."
)
SEARCHES: Final = "searches"
FILES: Final = "files and pictures"
FORMS: Final = "forms"
PAGES: Final = "pages"
FROM_NETWORK: Final = "from your network"
WITH_ACCOUNT: Final = "with your account"
METHOD: Final = "%(method)s cannot be done here; the methods of this address are in the header Allow."
IN_ADDRESS: Final = "%(name)s: %(told)s. Change it in the address."
AT_MOST: Final = "it should be at most %(bound)s"
AT_LEAST: Final = "it should be at least %(bound)s"
BELOW: Final = "it should be less than %(bound)s"
A_WHOLE_NUMBER: Final = "it should be a whole number"
A_NUMBER: Final = "it should be a number"
ONE_OF: Final = "it should be %(expected)s"
YES_OR_NO: Final = "it should be 1 or 0"
SHORTER: Final = "it should have at most %(bound)s characters"
MISSING: Final = "it is missing"
DAMAGED: Final = "The files of this record are damaged or incomplete; its keeper was told."
STORE_AWAY: Final = (
    "The store in which the files of this record lie does not answer now. Try again in a minute; whoever runs this "
    "catalogue finds the cause in the server's log."
)
BROKEN: Final = "An error of tomarium itself; it was written to the server's log. Try again."
NEEDS_ACCOUNT: Final = "This needs an account. Sign in, or send a token."
SIGN_IN_FIRST: Final = "Sign in first; an account is changed by its holder alone."
WRONG: Final = "The name or the password is wrong."
WRONG_CODE: Final = "The name, the password or the code is wrong."
TOO_MANY_SIGN_INS: Final = "Too many sign-ins failed; try again in %(minutes)s minutes."
TOO_MANY_IN_A_MINUTE: Final = "Too many sign-ins failed; try again in a minute."
TOO_MANY_TRIES: Final = "Too many tries failed; try again later."
NOT_BEGUN_HERE: Final = "This sign-in was not begun here, or took too long. Begin again."
OPENS_NOTHING: Final = (
    "This link opens nothing: it has ended, was revoked, or a letter is missing. Ask who sent it."
)
OTHER_SITE: Final = (
    "This was sent by a page of another site, and nothing was done. Open the page here and send it again."
)
PASSWORD_CHANGED: Final = "The password was changed; all other sessions have ended."
TOKEN_REVOKED: Final = "The token is revoked; it opens nothing any more."
