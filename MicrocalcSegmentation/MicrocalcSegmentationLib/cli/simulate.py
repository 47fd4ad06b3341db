"""`microcalc simulate`: mammograms whose truth is known exactly."""

import argparse
import json

from . import options
from .terminal import progress_on_stderr, say

NAME = "simulate"
SUMMARY = "make mammograms whose microcalcifications are known exactly"
DESCRIPTION = """\
Make simulated mammograms with microcalcifications, each with its exact mask.

DIR gets, for each, <name>.dcm or <name>.nrrd, <name>_mask.nrrd (1 on MCs) and
<name>.json (how it was made): `microcalc evaluate DIR` takes such a folder. The same seed
gives the same images. They are for trying and testing; they are no patients."""
EXAMPLES = """\
examples:
  microcalc simulate --output simulated
  microcalc simulate --output simulated --count 10 --kind both --format nrrd --seed 5"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    options.add_output(parser, None, "where the images go; made when missing")
    parser.add_argument(
        "--count",
        type=options.positive_count,
        default=1,
        metavar="N",
        help="how many (default: 1; with --kind both they take turns)",
    )
    parser.add_argument(
        "--seed",
        type=options.natural_number,
        default=0,
        metavar="S",
        help="seed of the first, one more for each other (default: 0)",
    )
    parser.add_argument(
        "--kind",
        choices=("digital", "film", "both"),
        default="digital",
        help="detector image, or digitised film (default: digital)",
    )
    parser.add_argument(
        "--format",
        choices=("dicom", "nrrd"),
        default="dicom",
        help="of the images (default: dicom)",
    )
    options.add_reporting(parser, "print one JSON object on stdout: the files written")


def run(args: argparse.Namespace) -> int:
    """Write all images."""
    from ..batch import check_writable
    from ..simulation.cases import KINDS, CaseOptions, simulate_case, write_case

    check_writable(args.output)
    kinds = KINDS if args.kind == "both" else (args.kind,)
    entries = []
    with progress_on_stderr(args.quiet) as progress:
        for number in range(args.count):
            kind, seed = kinds[number % len(kinds)], args.seed + number
            progress.report(number / args.count, f"simulating {kind} mammogram, seed {seed}")
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
