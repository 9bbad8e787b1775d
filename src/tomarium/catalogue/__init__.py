"""The catalogue: records on disk, and the disposable index that finds them."""

from tomarium.catalogue.catalogue import Catalogue, open_catalogue
from tomarium.catalogue.filing import file_record
from tomarium.catalogue.home import catalogue_file, home, records_folder
from tomarium.catalogue.ingest import ingest
from tomarium.catalogue.reader import ANYBODY, LOCAL_OWNER, Reader
from tomarium.catalogue.rebuild import Rebuilt, rebuild
from tomarium.catalogue.record_folder import Mismatch, read_record, verify
from tomarium.catalogue.search import Hit, Page, search

__all__ = [
    "ANYBODY",
    "LOCAL_OWNER",
    "Catalogue",
    "Hit",
    "Mismatch",
    "Page",
    "Reader",
    "Rebuilt",
    "catalogue_file",
    "file_record",
    "home",
    "ingest",
    "open_catalogue",
    "read_record",
    "rebuild",
    "records_folder",
    "search",
    "verify",
]
