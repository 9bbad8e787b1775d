"""What goes with a draft, before its owner removes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tomarium.catalogue.remove_draft import what_goes
from tomarium.portal.forms import run_form_action
from tomarium.portal.page import FOR_PEOPLE, Page
from tomarium.portal.request_context import CurrentRequest


@dataclass(frozen=True)
class RemovePage:
    """Content of the page.

    Attributes
    ----------
    title : str
        Of the page.
    id, name, state, owner : str
        Identifier and title of the record, its state and whose it is.
    manage : str
        Address of the page of those who keep it.
    deletes : bool
        Whether its files are deleted; else they stay, for they lie outside the catalogue's own folder.
    files, bytes : int
        All that lies in its folder.
    remarks, invitations, jobs : int
        Remarks, links for reviewers and jobs that wait, which go.
    links : int
        Links between its images and others, which are withdrawn.
    log_entries : int
        Entries of its log book, which stay for curators.
    """

    title: str
    id: str
    name: str
    state: str = field(metadata=FOR_PEOPLE)
    owner: str
    manage: str = field(metadata=FOR_PEOPLE)
    deletes: bool
    files: int
    bytes: int
    remarks: int
    invitations: int
    jobs: int
    links: int
    log_entries: int


def content(request_context: CurrentRequest, id: str) -> RemovePage:
    """Tell its owner and curators what goes with a draft, and let them remove it."""
    request_context.seen(id)
    catalogue, reader = request_context.catalogue, request_context.reader
    removal = run_form_action(lambda: what_goes(catalogue, reader, id))
    return RemovePage(
        title="Remove this draft",
        id=id,
        name=removal.title or id,
        state=removal.state,
        owner=removal.owner,
        manage=request_context.link("manage", {"id": id}),
        deletes=removal.deletes,
        files=removal.files,
        bytes=removal.bytes,
        remarks=removal.remarks,
        invitations=removal.invitations,
        jobs=removal.jobs,
        links=removal.links,
        log_entries=removal.log_entries,
    )


REMOVE = Page(
    name="remove",
    path="/records/{id}/remove",
    json_path="/records/{id}/remove.json",
    template="remove_draft.html",
    content=content,
)
