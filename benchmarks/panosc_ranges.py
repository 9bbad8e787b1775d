"""How quick a range of a parameter is by the PaNOSC search API, in a catalogue of many datasets of 18 parameters each.

    python benchmarks/panosc_ranges.py --datasets 100000

For each share of the datasets that is in the range: the median processor time of the first page, in ms, with the
index of numbers and, beside it, as it is where bodies are read one after the other.
"""

import argparse
import tempfile
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from time import process_time

from catalogue import entries
from tomarium.catalogue import ANYBODY, open_catalogue, panosc, panosc_ranges
from tomarium.catalogue.index_rows import in_bulk, save_records
from tomarium.catalogue.panosc_filter import filter_of
from tomarium.catalogue.panosc_rows import Question
from tomarium.model import parameter
from tomarium.standards.panosc import NAMES, Shared, measured

AT_ONCE = 2000


def told(one):
    """Tell an entry for the API as a record is told."""
    told = []
    for key, value in one.numbers.items():
        unit = parameter.unit(key)
        name = key.rpartition("_")[0] if unit and key.rpartition("_")[2] in parameter.ENDINGS else key
        told.append(measured(NAMES.get(name, name), value, unit))
    body = {"pid": one.row["id"], "title": one.row["title"], "parameters": told}
    return replace(one, shared=(Shared("Dataset", one.row["id"], body),))


def main() -> None:
    """Fill a catalogue, and ask."""
    choose = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    choose.add_argument("--datasets", type=int, default=100_000)
    choose.add_argument("--times", type=int, default=5)
    choose.add_argument(
        "--catalogue", help="an empty one, such as postgresql://…; a file for a while by default"
    )
    asked = choose.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = asked.catalogue or Path(folder) / "catalogue.sqlite"
        with open_catalogue(place) as catalogue:
            with catalogue.writing() as connection, in_bulk(connection):
                drawn = entries(asked.datasets, asked.datasets)
                while some := [told(one) for one in islice(drawn, AT_ONCE)]:
                    save_records(connection, some)
            # Energies are drawn as 5 + 115 r² keV: a part r of all lies below.
            for share in (2e-3, 5e-3, 2e-2, 0.3):
                low, high = 5e3, (5 + 115 * share**2) * 1e3
                where = {
                    "and": [{"name": "photon_energy"}, {"value": {"between": [low, high]}}, {"unit": "eV"}]
                }
                wanted = {"include": [{"relation": "parameters", "scope": {"where": where}}], "limit": 100}
                line = f"{share:6.2%} of {asked.datasets}:"
                for rare, words in ((panosc_ranges.RARE, "index"), (-1, "bodies")):
                    panosc_ranges.RARE = rare
                    line += f"  {words}"
                    with catalogue.reading() as connection:
                        question = Question(connection, ANYBODY)
                        spent = []
                        for _ in range(asked.times if rare > 0 else 1):
                            begun = process_time()
                            found = panosc.find(question, "Dataset", filter_of("Dataset", wanted))
                            spent.append(1e3 * (process_time() - begun))
                        line += f" {median(spent):8.1f} ms ({len(found)} found)"
                    panosc_ranges.RARE = 5000
                print(line, flush=True)


if __name__ == "__main__":
    main()
