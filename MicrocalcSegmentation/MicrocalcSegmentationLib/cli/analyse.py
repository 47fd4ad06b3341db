"""`microcalc analyse`: what a pair confuses, and where."""

import argparse
import json
from pathlib import Path

from . import options
from .terminal import progress_on_stderr, say

NAME = "analyse"
SUMMARY = "show what a model confuses, and where its false positives lie"
DESCRIPTION = """\
Look into both networks of a model with the patches of a sample database.

DIR gets, for detector and segmentator,
  _map.png, _map.csv           the 64 features of patches in two dimensions (t-SNE), by class
                               and by right and wrong
  _worst.png                   the worst patches of each class, each beside its nearest
                               neighbours of the opposite label in feature space
  _false_positives.csv, .png   by place (skin line, chest wall, inside) and kind of image
  _conditions.csv              the errors of each class by kind of image, by an MC's peak, size
                               and distance from the patch's centre or edge
and analysis.json."""
EXAMPLES = """\
examples:
  microcalc analyse --samples samples.sqlite --model my-model --output analysis
  microcalc analyse --samples samples.sqlite --output analysis --split validation"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("--samples", type=Path, required=True, metavar="FILE")
    options.add_output(parser, None, "where pictures and tables go; made when missing")
    parser.add_argument("--model", metavar="NAME|DIR", help="(default: the shipped one)")
    parser.add_argument("--split", choices=("train", "validation", "test"), default="test")
    parser.add_argument(
        "--per-class",
        type=options.positive_count,
        default=500,
        metavar="N",
        help="patches of each class (default: 500)",
    )
    parser.add_argument("--seed", type=options.natural_number, default=0, metavar="S")
    options.add_reporting(parser, "print what analysis.json holds on stdout")


def run(args: argparse.Namespace) -> int:
    """Analyse, write, and tell the false positives by place."""
    from ..batch import check_writable
    from ..evaluation.features import AnalysisOptions, analyse
    from ..model import load_model
    from ..training.samples.access import Samples

    check_writable(args.output)
    wanted = AnalysisOptions(args.split, args.per_class, seed=args.seed)
    samples = Samples(args.samples)
    with progress_on_stderr(args.quiet) as progress:
        said = analyse(load_model(args.model), samples, args.output, wanted, progress)
    if args.json:
        say(json.dumps(said, indent=2))
    elif not args.quiet:
        _tell(args, said)
    return 0


def _tell(args: argparse.Namespace, said: dict) -> None:
    for which in ("detector", "segmentator"):
        say(f"{which}: {said[which]['wrong']} of {said[which]['patches']} patches wrong at 0.5")
        for rate in said[which]["false positives"]:
            say(
                f"  {rate['kind']:9} {rate['place']:11} {rate['false']:6} of {rate['negatives']:6} "
                f"negatives at the model's threshold, {100 * rate['rate at 0.5']:.2f} % at 0.5"
            )
    say(f"pictures and tables: {args.output}")
