"""`microcalc insert`: simulated microcalcifications in the user's own mammograms."""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from . import options
from .terminal import complain, progress_on_stderr, say

NAME = "insert"
SUMMARY = "insert microcalcifications, known exactly, into your own mammograms"
DESCRIPTION = """\
Insert simulated microcalcifications into real mammograms, each with its exact mask.

Contrast follows the texture around each place, blur that of the finest structure there.
IMAGE is a mammogram in any format that `microcalc segment` reads, or a folder. DIR gets,
for each, <name>.nrrd or <name>.dcm, <name>_mask.nrrd (1 on the MCs that were inserted),
<name>_ignored.nrrd (1 on benign ones and those too faint to be marked) and <name>.json
(each calcification's kind, place, size and strength): `microcalc evaluate DIR` takes such a
folder. Calcifications that an image holds already are in no mask, so choose images without
any. No patient data are written."""
EXAMPLES = """\
examples:
  microcalc insert normal_cc.dcm --output inserted
  microcalc insert film.png --spacing-mm 0.05 --clusters 2 --seed 7 --output inserted
  microcalc insert normals --copies 5 --format dicom --output inserted
  microcalc insert cbis_film_tiles --held-out --spacing-mm 0.045 --output inserted"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="a mammogram, or a folder")
    options.add_output(parser, None, "where the images go; made when missing")
    parser.add_argument(
        "--spacing-mm", type=options.spacing, metavar="S|ROW,COL", help=options.SPACING_HELP
    )
    counts = (("clusters", 1), ("singles", 2), ("benign", 0))
    for what, default in counts:
        parser.add_argument(
            f"--{what}",
            type=options.natural_number,
            default=default,
            metavar="N",
            help=f"how many in each image (default: {default})",
        )
    parser.add_argument(
        "--level",
        type=options.level,
        metavar="L",
        help="typical height of clusters' MCs, in deviations of the fine texture around: 3 is "
        "hardly seen, 8 plain (default: drawn for each cluster, as real ones are; many are too "
        "faint to be seen, and are not in the mask)",
    )
    parser.add_argument(
        "--copies",
        type=options.positive_count,
        default=1,
        metavar="N",
        help="how many of each image, with other calcifications each (default: 1)",
    )
    parser.add_argument(
        "--seed",
        type=options.natural_number,
        default=0,
        metavar="S",
        help="of the first image, one more for each other (default: 0)",
    )
    parser.add_argument(
        "--held-out",
        action="store_true",
        help="IMAGE is a folder of CBIS-DDSM film tiles, or of MONAI's sample mammograms: take "
        "what the recipes of the shipped models leave out",
    )
    parser.add_argument(
        "--format",
        choices=("dicom", "nrrd"),
        default="nrrd",
        help="of the images (default: nrrd)",
    )
    options.add_reporting(parser, "print one JSON object on stdout: the files written")


def run(args: argparse.Namespace) -> int:
    """Insert into all images; 1 when any was refused."""
    from ..batch import check_writable
    from ..errors import InputError

    check_writable(args.output)
    images = _images(args)
    entries, refused = [], 0
    jobs = [(image, copy) for image in images for copy in range(args.copies)]
    with progress_on_stderr(args.quiet) as progress:
        for number, (image, _) in enumerate(jobs):
            progress.report(number / len(jobs), f"{image.name} ({number + 1} of {len(jobs)})")
            try:
                entries.append(_insert_one(image, args.seed + number, args))
            except InputError as error:
                refused += 1
                complain(str(error))
    if args.json:
        say(json.dumps({"output": str(args.output), "cases": entries}, indent=2))
    elif not args.quiet:
        for entry in entries:
            faint = f" ({entry['faint']} more are too faint to be seen)" if entry["faint"] else ""
            say(f"{entry['files']['image']}, {entry['mcs']} MCs in {entry['files']['mask']}{faint}")
    return 1 if refused else 0


def _images(args: argparse.Namespace) -> tuple:
    from ..batch import select_images
    from ..errors import InputError
    from ..training.tissue import held_out_images

    if args.held_out:
        return tuple(path for folder in args.images for path in held_out_images(Path(folder)))
    images = select_images(args.images, args.output).images
    if not images:
        names = ", ".join(args.images)
        raise InputError(f"{names}: no image in there; name files or another folder")
    return images


def _insert_one(image, seed: int, args: argparse.Namespace) -> dict:
    from ..export import file_stem
    from ..reading import read_mammogram
    from ..simulation.cases import write_case
    from ..simulation.insertion import counts
    from ..simulation.real_images import Contents, insert_into

    contents = Contents(args.clusters, args.singles, args.benign, args.level)
    case = insert_into(read_mammogram(image, args.spacing_mm), contents, seed)
    case = replace(case, name=f"{file_stem(case.name)}-inserted-{seed}")
    paths = write_case(case, args.output, args.format)
    files = {what: str(path) for what, path in paths.items()}
    mcs = sum(map(counts, case.calcifications))
    faint = sum(one.counted for one in case.calcifications) - mcs
    made = {"name": case.name, "source": str(image), "seed": seed, "mcs": mcs, "faint": faint}
    return made | {"files": files}
