"""`microcalc train`: a new pair of networks."""

import argparse
from pathlib import Path

from . import options
from .terminal import progress_on_stderr, say

NAME = "train"
SUMMARY = "train a detector and a segmentator, or the network that knows arteries"
DESCRIPTION = """\
Train the networks. A pair is made in one of two ways.

`microcalc train detector` and `microcalc train segmentator` learn from a sample database
(see `microcalc samples`), as the method does: minibatches of patches drawn at random, as
many positives as negatives, turned, flipped and varied. When both are trained, DIR becomes
a model for `microcalc segment --model DIR`: weights, the same as ONNX graphs, manifest.json
and card.md.

`microcalc train` alone trains both on sheets, squares of breast of 5 cm with simulated
microcalcifications, half of them on real film with --film-tiles. The pair that is shipped
was made so.

`microcalc train arteries` trains the network that tells where calcified arteries run, so that
vascular calcifications are reported as such: on sheets too, with simulated vessels. It serves
the pair in whose folder it lies, as a folder `arteries`; pairs without one use the shipped one.

Checkpoints are kept in --work: the same command, given again after an interruption of any
kind, goes on where it stopped. `tensorboard --logdir DIR.work` shows the curves."""
EXAMPLES = """\
examples:
  microcalc train detector --samples samples.sqlite --output my-model
  microcalc train segmentator --samples samples.sqlite --output my-model --padding same
  microcalc train --output my-model --film-tiles cbis_film_tiles --seed 3
  microcalc train arteries --output my-model/arteries --film-tiles cbis_film_tiles --seed 3
  microcalc train --output without-film --work my-model.work --seed 3 --kinds digital
  microcalc train --output better --start eleventh --seed 10 --steps 0,2400
  microcalc train --output try --sheets 8 --validation-sheets 2 --sparse-sheets 4 --steps 20,20"""
_STEPS_ON_SHEETS = (2500, 5000)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument(
        "network",
        nargs="?",
        choices=("detector", "segmentator", "arteries"),
        help="which to train: detector or segmentator on --samples, or arteries, alone; none "
        "trains a pair on sheets",
    )
    options.add_output(parser, None, "the model's folder; its name becomes the model's")
    parser.add_argument(
        "--model-version",
        default="1",
        metavar="V",
        help="told with all that it finds, so that two of one name are told apart (default: 1; "
        "with --steps 0,0 that of --start and .1)",
    )
    parser.add_argument("--seed", type=options.natural_number, default=1, metavar="S")
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="where everything is kept to go on from (default: DIR.work beside --output)",
    )
    parser.add_argument(
        "--steps",
        type=_two_counts,
        metavar="N[,M]",
        help="minibatches at most (default: 40000; of arteries 6000); on sheets, of detector and "
        "segmentator (default: 2500,5000; half an hour or more of one core), "
        "0 to leave one as --start has it; 0,0 leaves all but where a calcification is drawn to "
        "end, which is learnt anew",
    )
    parser.add_argument(
        "--kinds",
        type=lambda text: tuple(text.split(",")),
        metavar="KIND,...",
        help="of the images to learn from, as digital or film (default: all)",
    )
    parser.add_argument(
        "--start",
        metavar="NAME|DIR",
        help="a model to go on from, as after mining hard negatives; it stays what it is. On "
        "sheets, the new weights are the mean of its own and those that they were led to",
    )
    _add_samples(parser)
    _add_sheets(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress, no summary")
    parser.set_defaults(wrong_usage=parser.error)


def _add_samples(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("on a sample database")
    group.add_argument("--samples", type=Path, metavar="FILE", help="made by `microcalc samples`")
    group.add_argument(
        "--patch-side", type=options.positive_count, default=49, metavar="N", help="(default: 49)"
    )
    group.add_argument(
        "--padding",
        choices=("valid", "same", "context"),
        default="valid",
        help="of the convolutions; context is as same, of real surroundings (default: valid)",
    )
    group.add_argument(
        "--check-every",
        type=options.positive_count,
        metavar="N",
        help="minibatches between looks at the validation patches (default: 200)",
    )
    options.add_precision(group)


def _add_sheets(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("on sheets")
    group.add_argument(
        "--film-tiles",
        type=Path,
        metavar="DIR",
        help="a folder of CBIS-DDSM film tiles with an index.csv; without it all is simulated",
    )
    group.add_argument(
        "--digital-backgrounds",
        type=Path,
        metavar="DIR",
        help="a folder with sample_A4.jpg, sample_B1.jpg and sample_C3.jpg (MONAI's samples)",
    )
    group.add_argument(
        "--sheets",
        type=options.positive_count,
        metavar="N",
        help="images to learn from (default: 420; of arteries 1000)",
    )
    group.add_argument(
        "--validation-sheets",
        type=options.positive_count,
        metavar="N",
        help="images to check on (default: 40; of arteries 80)",
    )
    group.add_argument(
        "--sparse-sheets",
        type=options.positive_count,
        metavar="N",
        help="images with few MCs or none, to weigh neighbours and to choose thresholds by "
        "(default: 160)",
    )


def run(args: argparse.Namespace) -> int:
    """Train one network on a database, the pair on sheets, or the one that knows arteries."""
    from ..batch import check_writable
    from ..freed_memory import keep_freed_memory

    if (args.network in ("detector", "segmentator")) != (args.samples is not None):
        args.wrong_usage("give detector or segmentator, and --samples, together")
    if args.network == "arteries" and (args.start or args.kinds or args.sparse_sheets):
        args.wrong_usage("arteries are learnt from nothing, from sheets of every kind")
    if 0 in (args.steps or ()) and (args.network or args.start is None):
        args.wrong_usage("--steps: 0 keeps a network of --start, and of a pair on sheets alone")
    output = args.output.resolve()
    args.work = args.work or output.with_name(output.name + ".work")
    for folder in (output, args.work):
        check_writable(folder)
    keep_freed_memory()
    train = {None: _on_sheets, "arteries": _arteries}.get(args.network, _on_samples)
    model = train(args, output)
    if not args.quiet:
        _tell(args, model)
    return 0


def _on_samples(args: argparse.Namespace, output: Path):
    from ..networks import Architecture
    from ..training.finishing import Order, train_network
    from ..training.learning import Course

    wanted = {"steps": args.steps and args.steps[0], "check_every": args.check_every}
    course = Course(
        seed=args.seed,
        start=args.start,
        precision=args.precision,
        **{k: v for k, v in wanted.items() if v is not None},
    )
    order = Order(args.samples, output, args.work, output.name, args.model_version, args.kinds)
    architecture = Architecture(args.patch_side, args.padding)
    with progress_on_stderr(args.quiet) as progress:
        return train_network(args.network, architecture, course, order, progress)


def _on_sheets(args: argparse.Namespace, output: Path):
    from ..training.pair import Recipe, train_pair
    from ..training.sheets import KINDS

    steps = args.steps or _STEPS_ON_SHEETS
    recipe = Recipe(
        name=output.name,
        version=args.model_version,
        seed=args.seed,
        kinds=KINDS if args.kinds is None else args.kinds,
        detector_steps=steps[0],
        segmentator_steps=steps[1],
        start=args.start,
        **_given(args, "sheets", "validation_sheets", "sparse_sheets"),
        **_tissue(args),
    )
    with progress_on_stderr(args.quiet) as progress:
        return train_pair(recipe, output, args.work, progress)


def _arteries(args: argparse.Namespace, output: Path):
    from ..training.arteries import ArteryRecipe, train_arteries

    steps = {} if args.steps is None else {"steps": args.steps[0]}
    recipe = ArteryRecipe(
        version=args.model_version,
        seed=args.seed,
        **steps,
        **_given(args, "sheets", "validation_sheets"),
        **_tissue(args),
    )
    with progress_on_stderr(args.quiet) as progress:
        return train_arteries(recipe, output, args.work, progress)


def _given(args: argparse.Namespace, *names: str) -> dict:
    """The arguments that were given; a recipe has its own for the others."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _tissue(args: argparse.Namespace) -> dict:
    return {
        name: str(getattr(args, name)) for name in _given(args, "film_tiles", "digital_backgrounds")
    }


def _tell(args: argparse.Namespace, model) -> None:
    if model is None:
        other = "segmentator" if args.network == "detector" else "detector"
        say(f"the {args.network} is trained; train the {other} with the same --output and --work")
        return
    passes = model.detector_threshold
    detector = "" if passes is None else f", detector {passes:g}"
    say(f"{model.folder}: threshold {model.threshold:g}{detector}")
    for data, figures in model.figures.items():
        say(data)
        for name, value in figures.items():
            say(f"  {name}: {value:.4g}")


def _two_counts(text: str) -> tuple[int, int]:
    parts = [options.natural_number(part) for part in text.split(",")]
    if len(parts) > 2:
        raise argparse.ArgumentTypeError(f"{text}: give one whole number, or two as N,M")
    return parts[0], parts[-1]
