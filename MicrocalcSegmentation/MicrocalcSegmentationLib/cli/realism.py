"""`microcalc realism`: whether simulated mammograms measure and look like real ones."""

import argparse
import json
from functools import partial
from itertools import islice
from pathlib import Path

from . import options
from .terminal import progress_on_stderr, say

NAME = "realism"
SUMMARY = "hold simulated mammograms against real ones"
DESCRIPTION = """\
Simulate mammograms and print what they measure beside what real ones measured: power
spectrum, sizes and contrasts of MCs, how they lie in clusters; and how well one simple
statistic alone tells the MCs from everything else that stands out.

DIR gets realism.txt, realism.json and page.png: crops at native resolution, simulated,
drawn into real images and real, for a person to look at. The folders of real images are
optional; what is given is also measured by the same code, and shown."""
EXAMPLES = """\
examples:
  microcalc realism --output realism
  microcalc realism --count 8 --film-tiles cbis_film_tiles --crops cbis_crops --output realism"""
_CLUSTERS = 3  # in each mammogram, more than usual, to have enough of them to measure
_TILES, _CROPS, _REMEASURED = 12, 6, 24  # inserted into, shown of each kind, measured again


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    options.add_output(parser, None, "where the tables and the page go; made when missing")
    parser.add_argument(
        "--count",
        type=options.positive_count,
        default=4,
        metavar="N",
        help="mammograms to simulate of each kind, digital and film (default: 4)",
    )
    parser.add_argument(
        "--seed", type=options.natural_number, default=0, metavar="S", help="of the first"
    )
    folders = {
        "--film-tiles": "CBIS-DDSM film tiles with index.csv and seen.csv",
        "--digital-backgrounds": "digital mammograms as JPEG or PNG, taken as 0.07 mm",
        "--films": "whole films as DICOM, taken as 0.05 mm where they do not state it",
        "--crops": "DICOM crops of real calcifications",
    }
    for name, text in folders.items():
        parser.add_argument(name, type=Path, metavar="DIR", help=text)
    parser.add_argument(
        "--jobs",
        type=options.positive_count,
        metavar="N",
        help="processes, of about 2 GB each (default: one per core)",
    )
    options.add_reporting(parser, "print the tables as one JSON object on stdout")


def run(args: argparse.Namespace, options_of=None) -> int:
    """Simulate, measure, draw.

    options_of: kind -> `CaseOptions` of the images to simulate; None for full-sized ones.
    """
    from .. import __version__
    from ..batch import check_writable
    from ..evaluation.realism.page import draw_page
    from ..evaluation.realism.table import as_json, as_text, rows_of, separations_of
    from ..export.staging import write_all
    from ..progress import Part
    from ..simulation.version import SIMULATION_VERSION

    check_writable(args.output)
    with progress_on_stderr(args.quiet) as progress:
        real, real_sections = _real(args, Part(progress, 0.0, 0.2))
        samples = _simulated(args, options_of or _options, Part(progress, 0.2, 1.0))
    about = {
        "library_version": __version__,
        "simulation_version": SIMULATION_VERSION,
        "seeds": [args.seed, args.seed + args.count - 1],
        "images": [sample.name for sample in samples],
        "real_images": {kind: len(spectra) for kind, spectra in real.items()},
    }
    rows, separations = rows_of(samples, real), separations_of(samples)
    report = json.dumps(as_json(rows, separations, about), indent=2)
    text = as_text(rows, separations)
    page = draw_page([*_simulated_sections(samples), *real_sections])
    write_all(
        args.output,
        {
            "realism.json": partial(_write, report),
            "realism.txt": partial(_write, text),
            "page.png": partial(page.save, format="PNG"),
        },
    )
    say(report if args.json else text)
    return 0


def _options(kind: str):
    from ..simulation.cases import CaseOptions

    return CaseOptions(kind=kind, clusters=_CLUSTERS)


def _simulated(args: argparse.Namespace, options_of, progress) -> list:
    from contextlib import closing

    from ..evaluation.realism.samples import make_sample
    from ..simulation.cases import KINDS
    from ..simulation.processes import available_cores, run_all

    jobs = [
        partial(make_sample, args.seed + number, options_of(kind))
        for number in range(args.count)
        for kind in KINDS
    ]
    progress.report(0, f"simulating and measuring {len(jobs)} mammograms")
    samples = []
    with closing(run_all(jobs, min(args.jobs or available_cores(), len(jobs)))) as results:
        for sample in results:
            samples.append(sample)
            progress.report(len(samples) / len(jobs), f"mammogram {len(samples)} of {len(jobs)}")
    # Processes finish in any order; the report does not depend on it.
    return sorted(samples, key=lambda sample: sample.name)


def _real(args: argparse.Namespace, progress) -> tuple[dict, list]:
    """Spectra by kind, and sections of the page, of whatever folders are given."""
    from ..evaluation.realism import page, real_images

    progress.report(0, "measuring real images")
    spectra, sections = {}, []
    film = []
    if args.films:
        film = [image.spectrum() for image in real_images.films(args.films)]
    if args.film_tiles:
        tiles = list(islice(real_images.film_tiles(args.film_tiles), _REMEASURED))
        film = film or [tile.spectrum() for tile in tiles]
        sections.append(("Inserted into real film", _inserted(tiles[:_TILES])))
        progress.report(0.5, "measuring real images")
    if args.digital_backgrounds:
        images = list(real_images.digital_backgrounds(args.digital_backgrounds))
        spectra["digital"] = [one for image in images if (one := image.spectrum())]
        sections.append(("Inserted into real digital mammograms", _inserted(images)))
    if film:
        spectra["film"] = [one for one in film if one]
    if args.film_tiles:
        crops = tuple(real_images.seen_crops(args.film_tiles))
        sections.append(("Real film: calcifications and look-alikes, by eye", crops))
    if args.crops:
        crops = tuple(real_images.whole_crops(args.crops))
        sections.append(("Real film: calcifications of CBIS-DDSM", crops))
    return spectra, [page.Section(title, crops) for title, crops in sections if crops]


def _inserted(backgrounds: list) -> tuple:
    from ..evaluation.realism.page import inserted_crop

    crops = (inserted_crop(background, seed) for seed, background in enumerate(backgrounds))
    return tuple(islice((crop for crop in crops if crop is not None), _CROPS))


def _simulated_sections(samples: list) -> list:
    from ..evaluation.realism.page import Section

    by_kind = {
        kind: [crop for sample in samples if sample.kind == kind for crop in sample.crops]
        for kind in dict.fromkeys(sample.kind for sample in samples)
    }
    return [
        Section(f"Simulated, {kind}", tuple(crops[: 2 * _CROPS]))
        for kind, crops in by_kind.items()
        if crops
    ]


def _write(text: str, path: Path) -> None:
    path.write_text(text + "\n", encoding="utf-8")
