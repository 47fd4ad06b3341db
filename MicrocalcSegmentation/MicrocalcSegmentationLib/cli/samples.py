"""`microcalc samples`: annotated mammograms become a database to train from."""

import argparse
import json
from pathlib import Path

from ..errors import InputError
from . import options
from .terminal import complain, progress_on_stderr, say

NAME = "samples"
SUMMARY = "check annotated mammograms and make a training database of them"
DESCRIPTION = """\
Turn annotated mammograms into the database that `microcalc train` learns from.

check    read every image and mask and list all that is wrong, with what to do
build    make the database: every position of every patch, with its class
list     how many images and samples a database holds
verify   whether a database and its cached images are whole
mine     add what a model gets wrong on the whole training images, for `microcalc train`
         to learn from: a quarter of its negatives, and of its positives, come from there

SET is a folder in one of these layouts, which is recognised or given with --layout:
folder     images of any readable type, each with <name>_mask.nrrd (.png, ...) or
           <name>.seg.nrrd beside it, or a DICOM segmentation that refers to it;
           <name>_ignored.nrrd (.png, ...) marks what is neither MC nor tissue; what
           `microcalc simulate` writes; cases.csv (image, patient, kind, split, positive)
           and <name>.json may say more
inbreast   AllDICOMs/ and AllXML/, as published
cbis-ddsm  the calc_case_description tables with the DICOM folders, as published; for the
           detector alone, since no single calcification is outlined

Patients, never images, are divided into train, validation and test."""
EXAMPLES = """\
examples:
  microcalc samples check my_cases
  microcalc samples build my_cases INbreast --output samples.sqlite
  microcalc samples build film --spacing-mm 0.05 --output film.sqlite --exclude case7,case9
  microcalc samples build film INbreast --spacing-mm film=0.05 --output both.sqlite
  microcalc samples list samples.sqlite
  microcalc samples mine samples.sqlite --model my-model

exit code: 0 all done, 1 something is wrong, 2 wrong usage, 130 stopped with Ctrl-C;
a build that was stopped, in whatever way, goes on when it is called again"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    actions = parser.add_subparsers(
        metavar="check|build|list|verify|mine", dest="action", required=True
    )
    check = actions.add_parser("check", help="list all that is wrong with data sets")
    build = actions.add_parser("build", help="make a database, or go on with one")
    for sub in (check, build):
        _add_data(sub)
    build.add_argument("-o", "--output", type=Path, metavar="FILE", required=True)
    build.add_argument(
        "--patch-sides",
        type=_counts,
        default=(29, 39, 49),
        metavar="N,...",
        help="sides of patches, odd (default: 29,39,49)",
    )
    build.add_argument(
        "--split",
        type=_shares,
        default=(231, 25, 27),
        metavar="A/B/C",
        help="shares of train, validation and test (default: 231/25/27)",
    )
    build.add_argument("--seed", type=options.natural_number, default=0, metavar="S")
    build.add_argument("--workers", type=options.positive_count, metavar="N")
    for name, text in (
        ("list", "what a database holds"),
        ("verify", "whether it is whole"),
        ("mine", "add what a model gets wrong"),
    ):
        sub = actions.add_parser(name, help=text)
        sub.add_argument("database", type=Path, metavar="FILE")
        options.add_reporting(sub, "print one JSON object on stdout")
    actions.choices["mine"].add_argument(
        "--model", metavar="NAME|DIR", help="(default: the shipped one)"
    )


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    actions = {"check": _check, "build": _build, "list": _list, "verify": _verify, "mine": _mine}
    return actions[args.action](args)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sets", nargs="+", type=Path, metavar="SET")
    parser.add_argument("--layout", choices=("folder", "inbreast", "cbis-ddsm"))
    parser.add_argument(
        "--spacing-mm",
        type=_spacing_of_set,
        action="append",
        default=[],
        metavar="[SET=]S|ROW,COL",
        help=f"{options.UNSTATED_SPACING_HELP}; for one SET or all, can be repeated",
    )
    parser.add_argument(
        "--exclude",
        type=lambda text: frozenset(text.split(",")),
        default=frozenset(),
        metavar="NAME,...",
        help="images to leave out, by the names that check prints",
    )
    options.add_reporting(parser, "print one JSON object on stdout")


def _check(args: argparse.Namespace) -> int:
    from ..training.samples.build import BuildOptions, check

    datasets = _datasets(args)
    with progress_on_stderr(args.quiet) as progress:
        problems = check(datasets, BuildOptions(exclude=args.exclude), progress)
    images = sum(len(dataset.images) for dataset in datasets)
    if args.json:
        from dataclasses import asdict

        found = [asdict(problem) for problem in problems]
        said = {"images": images, "problems": found, "notes": _notes(datasets, args)}
        say(json.dumps(said, indent=2))
    for problem in problems:
        complain(f"{'note: ' if problem.harmless else ''}{problem.image}: {problem}")
    _tell_notes(datasets, args)
    harmful = sum(not problem.harmless for problem in problems)
    if not args.quiet and not args.json:
        harmless = f", {len(problems) - harmful} harmless" if harmful < len(problems) else ""
        say(f"{images} images, {harmful} problems{harmless}")
    return 1 if harmful else 0


def _build(args: argparse.Namespace) -> int:
    from ..training.samples.build import BuildOptions, build

    wanted = BuildOptions(args.patch_sides, args.split, args.seed, args.exclude, args.workers)
    datasets = _datasets(args)
    _tell_notes(datasets, args)
    with progress_on_stderr(args.quiet) as progress:
        path = build(datasets, args.output, wanted, progress)
    args.database = path
    return 0 if args.quiet and not args.json else _list(args)


def _datasets(args: argparse.Namespace) -> list:
    from ..training.datasets import open_dataset

    given = dict(args.spacing_mm)
    for path in given:
        if path is not None and path not in args.sets:
            raise InputError(f"--spacing-mm {path}=...: no such SET; name one as it is given")
    return [open_dataset(path, args.layout, given.get(path, given.get(None))) for path in args.sets]


def _notes(datasets: list, args: argparse.Namespace) -> list[str]:
    from ..training.datasets.notes import notes

    images = [i for d in datasets for i in d.images if i.name not in args.exclude]
    return notes(images, args.split) if args.action == "build" else notes(images)


def _tell_notes(datasets: list, args: argparse.Namespace) -> None:
    if not args.quiet:
        for note in _notes(datasets, args):
            complain(f"note: {note}")


def _list(args: argparse.Namespace) -> int:
    from ..training.samples.access import Samples

    samples = Samples(args.database)
    images, counts = samples.images(), samples.counts()
    if args.json:
        columns = ("split", "kind", "patch_side", "class", "zone", "samples")
        found = {
            "database": str(args.database),
            "images": [vars(image) for image in images],
            "samples": [dict(zip(columns, row, strict=True)) for row in counts],
        }
        say(json.dumps(found, indent=2))
        return 0
    for split in ("train", "validation", "test"):
        own = [image for image in images if image.split == split]
        patients = len({image.patient for image in own})
        mcs = sum(image.mcs for image in own)
        say(f"{split:11}{len(own):6} images{patients:6} patients{mcs:8} MCs")
    for row in counts:
        say("{:11} {:9} N {:<4}{:7} {:12}{:14,} samples".format(*row))
    return 0


def _verify(args: argparse.Namespace) -> int:
    from ..training.samples.access import Samples

    faults = Samples(args.database).verify()
    for fault in faults:
        complain(fault)
    if args.json:
        say(json.dumps({"database": str(args.database), "faults": faults}, indent=2))
    elif not args.quiet and not faults:
        say(f"{args.database}: whole")
    return 1 if faults else 0


def _mine(args: argparse.Namespace) -> int:
    from ..model import load_model
    from ..training.mining import MiningOptions, mine

    with progress_on_stderr(args.quiet) as progress:
        found = mine(load_model(args.model), args.database, MiningOptions(), progress)
    if args.json:
        say(json.dumps({"database": str(args.database), "found": found}, indent=2))
    elif not args.quiet:
        for which, count in found.items():
            say(f"{which}: {count} false positives on the training images")
    return 0


def _spacing_of_set(text: str) -> tuple[Path | None, tuple[float, float]]:
    """The SET before the last "=", None for all, and its (row, col) spacing."""
    name, _, spacing = text.rpartition("=")
    return Path(name) if name else None, options.spacing(spacing)


def _counts(text: str) -> tuple[int, ...]:
    sides = tuple(sorted({options.positive_count(part) for part in text.split(",")}))
    wrong = [side for side in sides if side % 2 == 0 or not 22 < side < 1000]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]} is no patch side; give odd ones from 23")
    return sides


def _shares(text: str) -> tuple[int, int, int]:
    parts = tuple(options.natural_number(part) for part in text.split("/"))
    if len(parts) != 3 or not parts[0]:
        raise argparse.ArgumentTypeError(f"{text}: give three numbers as TRAIN/VALIDATION/TEST")
    return parts
