"""`microcalc train`: a new pair of networks."""

import argparse
from pathlib import Path

from . import options
from .terminal import progress_on_stderr, say

NAME = "train"
SUMMARY = "train a detector and a segmentator on simulated calcifications"
DESCRIPTION = """\
Train a pair of networks: the detector first, then the segmentator, then both thresholds.

They learn from sheets, squares of breast of 5 cm with simulated microcalcifications in
known places. The tissue is simulated too; with --film-tiles, two sheets of five are real
film tiles from CBIS-DDSM. DIR becomes a model for `microcalc segment --model DIR`: both
networks' weights, the same as ONNX graphs, and manifest.json with the recipe, the seed and
the figures reached.

Sheets and finished networks are kept in --work, so that the same command, given again
after an interruption, goes on where it stopped."""
EXAMPLES = """\
examples:
  microcalc train --output my-model
  microcalc train --output my-model --film-tiles cbis_film_tiles --seed 2
  microcalc train --output try --sheets 8 --validation-sheets 2 --steps 20,20"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    options.add_output(parser, None, "the model's folder; its name becomes the model's")
    parser.add_argument("--seed", type=options.natural_number, default=1, metavar="S")
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="where sheets and finished networks are kept (default: DIR.work beside --output)",
    )
    parser.add_argument(
        "--film-tiles",
        type=Path,
        metavar="DIR",
        help="a folder of CBIS-DDSM film tiles with an index.csv; without it all is simulated",
    )
    parser.add_argument(
        "--digital-backgrounds",
        type=Path,
        metavar="DIR",
        help="a folder with sample_A4.jpg, sample_B1.jpg and sample_C3.jpg (MONAI's samples)",
    )
    parser.add_argument(
        "--sheets",
        type=options.positive_count,
        default=420,
        metavar="N",
        help="images to learn from (default: 420)",
    )
    parser.add_argument(
        "--validation-sheets",
        type=options.positive_count,
        default=40,
        metavar="N",
        help="images to check on and to choose thresholds by (default: 40)",
    )
    parser.add_argument(
        "--steps",
        type=_two_counts,
        default=(1500, 2600),
        metavar="N,M",
        help="of the detector and of the segmentator (default: 1500,2600; about 50 minutes "
        "on two cores)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")


def run(args: argparse.Namespace) -> int:
    """Train the pair."""
    from ..batch import check_writable
    from ..training.pair import Recipe, train_pair

    output = args.output.resolve()
    work = args.work or output.with_name(output.name + ".work")
    for folder in (output, work):
        check_writable(folder)
    recipe = Recipe(
        name=output.name,
        seed=args.seed,
        sheets=args.sheets,
        validation_sheets=args.validation_sheets,
        film_tiles=None if args.film_tiles is None else str(args.film_tiles),
        digital_backgrounds=(
            None if args.digital_backgrounds is None else str(args.digital_backgrounds)
        ),
        detector_steps=args.steps[0],
        segmentator_steps=args.steps[1],
    )
    with progress_on_stderr(args.quiet) as progress:
        model = train_pair(recipe, output, work, progress)
    if not args.quiet:
        say(f"{model.folder}: threshold {model.threshold:g}, detector {model.detector_threshold:g}")
        for data, figures in model.figures.items():
            say(data)
            for name, value in figures.items():
                say(f"  {name}: {value:.4g}")
    return 0


def _two_counts(text: str) -> tuple[int, int]:
    parts = [options.positive_count(part) for part in text.split(",")]
    if len(parts) > 2:
        raise argparse.ArgumentTypeError(f"{text}: give one whole number, or two as N,M")
    return parts[0], parts[-1]
