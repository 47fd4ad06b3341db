"""`microcalc survey`: what is marked on real images whose truth nobody has drawn."""

import argparse
import json
from functools import partial
from pathlib import Path

from . import options
from .terminal import complain, progress_on_stderr, say

NAME = "survey"
SUMMARY = "count the marks on real images whose MCs are not annotated"
DESCRIPTION = """\
Segment images and count what is marked: clusters per image and per 100 cm2 of breast, MCs
per cm2, each with a 95 % interval (patients resampled). On images without clusters every
mark is false; on others, --places names what is known to be there, and each kind of place
is counted apart.

A CSV of places has the columns tile (or image: the file's name), row, col (pixels) and
kind (your word for it); only images that it names are surveyed. A cluster is at a place
when its bounding box is within 2 mm of it. Images of one patient are known by
CBIS-DDSM's P_00000 in their names; others stand for themselves.

--looks does the same once more with the images made to look like another unit's: sharper,
softer, noisier, brighter, turned, coarser or finer. Marks that come and go hang on a look.

With --output, DIR gets the results of each image as `microcalc segment` writes them, to
look at every mark, those of another look in a folder of its name, and survey.json."""
EXAMPLES = """\
examples:
  microcalc survey films --spacing-mm 0.05 --output survey
  microcalc survey tiles --places seen.csv --spacing-mm 0.045 --json
  microcalc survey my-images --looks all --output survey

exit code: 0 all done, 1 an image was refused, 2 wrong usage, 130 stopped with Ctrl-C"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="files, or folders of them")
    parser.add_argument("--places", type=Path, metavar="CSV", help="what is known to be where")
    parser.add_argument(
        "--spacing-mm", type=options.spacing, metavar="S|ROW,COL", help=options.SPACING_HELP
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="keep figures and results there"
    )
    parser.add_argument(
        "--looks", metavar="LOOK,LOOK|all", help="other looks to survey as well, or all of them"
    )
    options.add_segmentation(parser)
    options.add_reporting(parser, "print the figures as one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Survey all images; 1 when any was refused."""
    from ..batch import select_images
    from ..errors import InputError
    from ..evaluation.survey import read_places

    looks = _looks(args.looks)
    places = read_places(args.places) if args.places else []
    wanted = {place.image for place in places}
    images = select_images(args.images, args.output or Path(".")).images
    images = [path for path in images if not places or path.name in wanted]
    missing = wanted - {path.name for path in images}
    if missing or not images:
        lacking = ", ".join(sorted(missing)) or "at all"
        raise InputError(
            f"{', '.join(args.images)}: no image {lacking} in there; name files or another folder"
        )
    surveyed, refused = _survey_all(args, images, places, looks)
    for sentence in refused:
        complain(sentence)
    if not surveyed[looks[0]]:
        raise InputError("no image could be surveyed; see the sentences above")
    _tell(args, surveyed, refused)
    return 1 if refused else 0


def _looks(named: str | None) -> tuple[str, ...]:
    from ..errors import InputError
    from ..evaluation.looks import AS_IT_IS, LOOKS

    asked = () if named is None else LOOKS if named == "all" else tuple(named.split(","))
    if unknown := set(asked) - set(LOOKS):
        raise InputError(
            f"--looks {named}: no look {', '.join(sorted(unknown))}; there are {', '.join(LOOKS)}"
        )
    return (AS_IT_IS, *dict.fromkeys(asked))


def _survey_all(args: argparse.Namespace, images: list[Path], places: list, looks):
    """What was marked on each image, by look, and why others were refused."""
    from ..batch import check_writable
    from ..errors import InputError
    from ..evaluation.looks import AS_IT_IS, place_shown, shown
    from ..evaluation.survey import survey
    from ..export import write_findings
    from ..model import load_model
    from ..pipeline import segment
    from ..progress import Part
    from ..reading import read_mammogram

    model, settings = load_model(args.model), options.settings_of(args)
    if args.output is not None:
        check_writable(args.output)
    surveyed, refused = {look: [] for look in looks}, []

    def survey_one(mammogram, look: str, stem: str, part: Part) -> None:
        findings = segment(shown(mammogram, look), model, settings, part)
        moved = [place_shown(place, mammogram.pixels.shape, look) for place in places]
        surveyed[look].append(survey(findings, moved))
        if args.output is not None:
            folder = args.output if look == AS_IT_IS else args.output / look
            write_findings(findings, folder / stem)

    steps = len(images) * len(looks)
    with progress_on_stderr(args.quiet) as progress:
        for number, path in enumerate(images):
            try:
                mammogram = read_mammogram(path, args.spacing_mm)
                for step, look in enumerate(looks, number * len(looks)):
                    part = Part(progress, step / steps, (step + 1) / steps)
                    part.report(0, f"{path.name}, {look} ({number + 1} of {len(images)})")
                    survey_one(mammogram, look, path.stem, part)
            except InputError as error:
                refused.append(str(error))
    return surveyed, refused


def _tell(args: argparse.Namespace, surveyed: dict[str, list], refused: list[str]) -> None:
    from ..evaluation.looks import AS_IT_IS
    from ..evaluation.survey import rates
    from ..export.staging import write_all

    found = {look: rates(images) for look, images in surveyed.items() if images}
    reports = {look: _report(surveyed[look], figures) for look, figures in found.items()}
    text = json.dumps(
        reports.pop(AS_IT_IS) | ({"looks": reports} if reports else {}) | {"refused": refused},
        indent=2,
    )
    if args.output is not None:
        write_all(args.output, {"survey.json": partial(_write, text)})
    if args.json:
        say(text)
        return
    for look, figures in found.items():
        if len(found) > 1:
            say(f"{look}:")
        for one in surveyed[look]:
            say(_said_of(one))
        for label, rate in figures.items():
            bounds = f" [{rate.low:.3g}, {rate.high:.3g}]" if rate.low is not None else ""
            say(f"{label}: {rate.value:.3g}{bounds}")


def _report(surveyed: list, figures: dict) -> dict:
    from dataclasses import asdict

    return {
        "images": [asdict(one) for one in surveyed],
        "figures": {label: asdict(rate) for label, rate in figures.items()},
    }


def _said_of(one) -> str:
    places = ", ".join(f"{place.kind} {_said_at(place)}" for place in one.at_places)
    along = f", {one.vascular} along vessels" if one.vascular else ""
    return f"{one.image}: {one.calcifications} MCs, {one.clusters} clusters{along}" + (
        f"; {places}" if places else ""
    )


def _said_at(place) -> str:
    if place.cluster:
        return "marked"
    return "reported as vascular" if place.vascular else "-"


def _write(text: str, path: Path) -> None:
    path.write_text(text + "\n", encoding="utf-8")
