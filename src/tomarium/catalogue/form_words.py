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
PASSWORD_LENGTH: Final = (
    "the password has %(count)s characters; give one of %(least)s to %(most)s, such as four words"
)
PASSWORD_REPEATS: Final = "the password repeats a few characters only; give another, such as four words"
PASSWORD_IS_NAME: Final = "the password is little more than the name; give another, such as four words"
NO_ORCID: Final = "%(text)s is no ORCID iD; give its sixteen digits, such as 0000-0002-1825-0097"
NO_ROLE: Final = "there is no role %(text)s; give one of: %(names)s"
NAME_OF_COMMAND_LINE: Final = (
    "%(name)s is who runs the command line, and owns what is filed there; give another name"
)
ACCOUNT_TAKEN: Final = "there is an account %(name)s already; give another name, or see: tomarium user list"
LAST_ADMINISTRATOR: Final = (
    "%(name)s is the last administrator; first make another: tomarium user role NAME administrator"
)
NO_REMARK: Final = "%(id)s: the remark is empty"
WHY_REMOVED: Final = "say in 1 to 500 characters why the entry is removed; that stays in its place"
NO_ENTRY: Final = "%(id)s: has no entry %(number)s in its log book"
ENTRY_OF_ANOTHER: Final = "%(id)s: entry %(number)s is %(name)s's; write another one"
ENTRY_REMOVED: Final = "%(id)s: entry %(number)s was removed; write another one"
TOO_MANY_LINKS: Final = "%(count)s links were given; an entry has at most %(most)s"
NO_SUCH_LINK: Final = "there is no %(text)s in this catalogue to which the entry could lead"
LONG_EVENT: Final = "the event has more than 200 characters; give a short word that tells it apart"
SIGNS_ONLY: Final = "the search holds only signs, which no record has; write a word"
LONG_SEARCH: Final = "the search has %(count)s characters; at most %(most)s are saved"
ENOUGH_SEARCHES: Final = "%(name)s has %(most)s saved searches, and can save no more; delete one"
NO_SAVED_SEARCH: Final = "there is no saved search %(number)s of yours"
SEARCH_WITHOUT_NAME: Final = "the search has no name; give one line"
NO_IDENTIFIER: Final = "%(text)s is no identifier; write lower-case letters, digits and hyphens"
IDENTIFIER_TAKEN: Final = "the identifier %(id)s is taken; give another one with --id"
PARCEL_ON_ITS_WAY: Final = "%(id)s: is %(state)s, so what is in it stays; announce another parcel"
PARCEL_SO_ALREADY: Final = "%(id)s: is %(state)s already, since %(moment)s UTC"
LONG_NOTE: Final = "the note has %(count)s characters; at most %(most)s were expected"
SPECIMENS_OF_PARCEL: Final = (
    "%(count)s specimens were given; a parcel holds 1 to %(most)s: name their identifiers"
)
NO_PARCEL: Final = "there is no parcel %(text)s; see those that are there with: tomarium parcel list"
PARCEL_OF_ANOTHER: Final = "%(id)s: is %(name)s's to change; say what became of it instead"
NO_SPECIMEN: Final = "%(id)s: is no specimen, so it has no place; give the identifier of one"
WHERE_TO: Final = "say where it was moved to, such as: lab 3 / shelf B"
TO_WHOM: Final = "say to whom it was handed over"
LONG_FIELD: Final = "%(name)s: has %(count)s characters; at most %(most)s were expected"
HOW_IT_LOOKS: Final = "say how it looks, or add a picture"
ENTITY_WITHOUT_NAME: Final = "the name is empty; give one line that tells people what it is"
ONLY_SPECIMENS: Final = "%(id)s: is no specimen; only specimens are made from others"
DAYS_OF_LINK: Final = "a reviewer's link cannot be for %(days)s days; give 1 to %(most)s"
NO_SUCH_MESSAGE: Final = "there is no message %(number)s"
MAIL_SENT_LATELY: Final = (
    "a mail to confirm an address was sent less than five minutes ago; look for it, or ask again later"
)
NUMBER_FROM_100: Final = "%(name)s %(text)s: write a number from 100 on, such as 300k or 2M"
LENGTH_SUCH_AS: Final = "%(name)s %(text)s: give a length such as 80mm"
WHOLE_NUMBER_FROM: Final = "%(name)s %(text)s: give a whole number from %(low)s to %(high)s"
NAME_OF_ACCOUNT: Final = (
    "%(text)s cannot be the name of %(what)s; give 1 to %(most)s lower-case letters and digits, with "
    "single dots, hyphens or underscores between, such as ada.lovelace"
)
NOT_PUBLISHED: Final = "%(id)s: was not published; publish it first: tomarium publish %(id)s"
NO_OWNER: Final = "%(kind)s %(name)s is no owner or team; give a kind of %(names)s"
WHICH_FILE: Final = "say which file of the record it is, such as photo.jpg"
NO_STATE: Final = "%(text)s is no state of a parcel; give one of %(names)s"
NO_LOG_BOOK: Final = (
    "%(text)s names nothing that has a log book; write records/ID, proposals/ID, specimens/ID or "
    "instruments/ID, or the address of its page"
)
EMPTY_ENTRY: Final = "the entry is empty; say what is to be remembered"
LONG_ENTRY: Final = "the entry has %(count)s characters; at most %(most)s were expected"
NO_FIELD: Final = "there is no field %(text)s; there are %(names)s"
NO_WAY_OF_MAKING: Final = "%(text)s is no way a specimen is made; there are %(names)s"
NOTHING_TO_CHANGE: Final = "%(id)s: nothing to change was given; say what, such as --licence CC-BY-4.0"
NO_ADDRESS_DOI_IGSN: Final = (
    "%(text)s is no address, DOI or IGSN; write https://other.example.org/specimens/rum-7, 10.60510/abc "
    "or igsn:ABC123"
)
NO_ALARM: Final = "%(text)s is no number of an alarm; the page lists them."
NO_JOB_OR_MAIL: Final = "%(text)s is no number of a job or a mail; give job, mail or doi"
NO_ACCOUNT: Final = "There is no account “%(name)s”. See the list of users."
NO_SCAN: Final = "%(text)s names no scan; choose one on the page of work"
NO_JOB_OF_YOURS: Final = "There is no job %(number)s of yours. It may have been cleared away after a day."
NO_KIND: Final = "There is no kind %(text)s; there are %(names)s."
NO_FIELD_OF_FORM: Final = "There is no field %(text)s; there are %(names)s."
NO_DAYS: Final = "%(text)s is no number of days; give one such as %(number)s"
AN_ACCOUNT: Final = "an account"
CONDITION: Final = "condition"
NOTE: Final = "note"
HOLDER: Final = "holder"
