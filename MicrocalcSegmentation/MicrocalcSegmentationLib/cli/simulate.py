"""`microcalc simulate`: mammograms whose truth is known exactly."""

import argparse
import json

from . import options
from .terminal import progress_on_stderr, say

NAME = "simulate"
SUMMARY = "make mammograms whose microcalcifications are known exactly"
DESCRIPTION = """\
Make simulated mammograms with microcalcifications, each with its exact mask.

DIR gets, for each, <name>.dcm or <name>.nrrd, <name>_mask.nrrd (1 on MCs),
<name>_ignored.nrrd (1 on calcifications that are benign, or too faint to be marked) and
<name>.json (how it was made): `microcalc evaluate DIR` takes such a folder. The same seed
gives the same images. They are for trying and testing; they are no patients.

With --split, a whole data set: DIR/train, DIR/validation and DIR/test, half digital and
half film, three in ten without a cluster, split by patient, and DIR/manifest.json with
every image's seed, patient and sha256. Ctrl-C leaves nothing half-written; the same
command goes on where it was stopped."""
EXAMPLES = """\
examples:
  microcalc simulate --output simulated
  microcalc simulate --output simulated --count 10 --kind both --format nrrd --seed 5
  microcalc simulate --output dataset --split 231/25/27 --seed 1"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    options.add_output(parser, None, "where the images go; made when missing")
    parser.add_argument(
        "--count",
        type=options.positive_count,
        metavar="N",
        help="how many (default: 1; with --kind both they take turns)",
    )
    parser.add_argument(
        "--split",
        metavar="TRAIN/VALIDATION/TEST",
        help="make a data set of that many images each, such as 231/25/27",
    )
    parser.add_argument(
        "--seed",
        type=options.natural_number,
        default=0,
        metavar="S",
        help="seed of the first, one more for each other; or of the data set (default: 0)",
    )
    parser.add_argument(
        "--kind",
        choices=("digital", "film", "both"),
        help="detector image, or digitised film (default: digital)",
    )
    parser.add_argument(
        "--format",
        choices=("dicom", "nrrd"),
        default="dicom",
        help="of the images (default: dicom)",
    )
    parser.add_argument(
        "--jobs",
        type=options.positive_count,
        metavar="N",
        help="processes for --split, of about 2 GB each (default: one per core)",
    )
    options.add_reporting(parser, "print one JSON object on stdout: what was written")
    parser.set_defaults(wrong_usage=parser.error)


def run(args: argparse.Namespace) -> int:
    """Write all images."""
    if args.split is None:
        if args.jobs:
            args.wrong_usage("--jobs is for --split")
        return _run_single(args)
    if args.count or args.kind:
        args.wrong_usage("--split says how many of which kind; leave out --count and --kind")
    return _run_dataset(args)


def _run_single(args: argparse.Namespace) -> int:
    from ..batch import check_writable
    from ..simulation.cases import KINDS, CaseOptions, simulate_case, write_case

    check_writable(args.output)
    kinds = KINDS if args.kind == "both" else (args.kind or "digital",)
    count = args.count or 1
    entries = []
    with progress_on_stderr(args.quiet) as progress:
        for number in range(count):
            kind, seed = kinds[number % len(kinds)], args.seed + number
            progress.report(number / count, f"simulating {kind} mammogram, seed {seed}")
            case = simulate_case(seed, CaseOptions(kind=kind))
            paths = write_case(case, args.output, args.format)
            files = {what: str(path) for what, path in paths.items()}
            entries.append({"name": case.name, "kind": kind, "seed": seed, "files": files})
    if args.json:
        say(json.dumps({"output": str(args.output), "cases": entries}, indent=2))
    elif not args.quiet:
        for entry in entries:
            say(f"{entry['files']['image']}, truth in {entry['files']['mask']}")
    return 0


def _run_dataset(args: argparse.Namespace) -> int:
    from ..batch import check_writable
    from ..simulation.datasets import MANIFEST, Making, make_dataset
    from ..simulation.plan import Recipe, parse_split
    from ..simulation.processes import available_cores

    recipe = Recipe(parse_split(args.split), args.seed)
    check_writable(args.output)
    making = Making(args.format, args.jobs or available_cores())
    with progress_on_stderr(args.quiet) as progress:
        manifest = make_dataset(recipe, args.output, making, progress)
    if args.json:
        say(json.dumps({"output": str(args.output), **manifest}, indent=2))
    elif not args.quiet:
        for split, total in manifest["totals"].items():
            say(
                f"{args.output / split}: {total['images']} images of {total['patients']} patients; "
                f"{total['without_clusters']} without a cluster, {total['mcs']} MCs"
            )
        say(f"{args.output / MANIFEST}: every image's seed, patient and sha256")
    return 0
