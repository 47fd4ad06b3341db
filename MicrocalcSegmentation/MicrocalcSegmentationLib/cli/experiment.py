"""`microcalc experiment`: pairs that differ in one thing, trained and judged alike."""

import argparse
from pathlib import Path

from . import options
from .terminal import progress_on_stderr, say

NAME = "experiment"
SUMMARY = "compare paddings or patch sides, as the method's authors did, or leave a kind out"
DESCRIPTION = """\
Train several pairs on one sample database and compare them on its test patients.

padding  same, valid and context at one patch side
side     N = 29, 39 and 49 with one padding
kinds    all kinds of image (digital, film, ...), and without each, judged on the one left out

DIR gets table.md and table.csv (error of each class and overall accuracy of both networks;
pixel accuracy and false-positive rate on whole test images), results.json, errors.png,
detector.png, segmentator.png (loss and accuracy while training), and a folder for each
pair with its model. The same command goes on where it was stopped."""
EXAMPLES = """\
examples:
  microcalc experiment padding --samples samples.sqlite --output padding
  microcalc experiment side --samples samples.sqlite --output side --padding same
  microcalc experiment kinds --samples samples.sqlite --output kinds
  microcalc experiment padding --samples samples.sqlite --output try --steps 20 --whole-images 0"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("experiment", choices=("padding", "side", "kinds"))
    parser.add_argument("--samples", type=Path, required=True, metavar="FILE")
    options.add_output(parser, None, "where results go; made when missing")
    parser.add_argument("--patch-side", type=options.positive_count, default=49, metavar="N")
    parser.add_argument("--padding", choices=("valid", "same", "context"), default="valid")
    parser.add_argument(
        "--steps", type=options.positive_count, metavar="N", help="minibatches at most"
    )
    parser.add_argument("--check-every", type=options.positive_count, metavar="N")
    options.add_precision(parser)
    parser.add_argument("--seed", type=options.natural_number, default=1, metavar="S")
    parser.add_argument(
        "--whole-images",
        type=options.natural_number,
        metavar="N",
        help="judge on the first N whole test images of each kind (default: all; with padding "
        "same, which goes patch by patch, one may take many minutes on a CPU)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, only the table")


def run(args: argparse.Namespace) -> int:
    """Run all variants, write and print the table."""
    from ..batch import check_writable
    from ..evaluation.experiment_tables import write_results
    from ..evaluation.experiments import Setting, experiment, run_experiment
    from ..freed_memory import keep_freed_memory
    from ..pipeline import segment
    from ..settings import Settings
    from ..training.learning import Course
    from ..training.samples.access import Samples

    check_writable(args.output)
    keep_freed_memory()
    wanted = {"steps": args.steps, "check_every": args.check_every}
    given = {k: v for k, v in wanted.items() if v is not None}
    course = Course(seed=args.seed, precision=args.precision, **given)
    output, samples = args.output.resolve(), args.samples.resolve()
    setting = Setting(samples, output, course, segment, Settings(), args.whole_images)
    opened = Samples(samples)
    one = experiment(args.experiment, args.patch_side, args.padding, opened.kinds)
    opened.close()
    with progress_on_stderr(args.quiet) as progress:
        results = run_experiment(one, setting, progress)
    say(write_results(one, results, output))
    return 0
