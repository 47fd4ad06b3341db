"""Options that several commands take, and what their values must look like."""

import argparse
from pathlib import Path

SPACING_HELP = (
    "pixel spacing in mm, one number or ROW,COL; needed where the file does not state it, "
    "and used instead of what it states"
)

UNSTATED_SPACING_HELP = (
    "pixel spacing in mm, one number or ROW,COL, of images that do not state it; one that states "
    "another is refused"
)


def probability(text: str) -> float:
    """A number above 0 and at most 1."""
    value = _number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no probability; give a number in (0, 1]")
    return value


def level(text: str) -> float:
    """A height in local deviations, above 0."""
    value = _number(text)
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError(f"{text}: give a number above 0, at most 100")
    return value


def spacing(text: str) -> tuple[float, float]:
    """(row, col) spacing. Whether it can be a mammogram's is for the reader to say."""
    parts = [_number(part) for part in text.split(",")]
    if len(parts) > 2:
        raise argparse.ArgumentTypeError(f"{text}: give one number, or two as ROW,COL")
    return parts[0], parts[-1]


def positive_count(text: str) -> int:
    """A whole number from 1."""
    value = natural_number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number from 1")
    return value


def natural_number(text: str) -> int:
    """A whole number from 0."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text}: give a whole number from 0")
    return value


def add_output(parser: argparse.ArgumentParser, default: str | None, text: str) -> None:
    """--output; required when there is no default."""
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        default=None if default is None else Path(default),
        required=default is None,
        help=text if default is None else f"{text} (default: {default})",
    )


def add_precision(parser) -> None:
    """--precision, of a parser or a group of one."""
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="of the arithmetic while training; bfloat16 is half as fast again on processors that "
        "have it, and gives float32 weights all the same (default: float32)",
    )


def add_segmentation(parser: argparse.ArgumentParser) -> None:
    """Model, thresholds, engine and device."""
    group = parser.add_argument_group("how to segment")
    group.add_argument(
        "--model",
        metavar="NAME|DIR",
        help="a shipped model (see `microcalc models`) or the folder of your own",
    )
    group.add_argument(
        "--threshold",
        type=probability,
        metavar="P",
        help="segmentator probability from which a pixel is MC: lower finds more, also more "
        "that is none (default: the model's)",
    )
    group.add_argument(
        "--detector-threshold",
        type=probability,
        metavar="P",
        help="detector probability from which a window is looked at closely (default: the model's)",
    )
    group.add_argument(
        "--no-neighbours",
        dest="neighbours",
        action="store_false",
        help="judge each candidate by itself, as published; by default those in company count "
        "as likelier MCs, where the model has learnt how much",
    )
    group.add_argument(
        "--engine",
        choices=("auto", "onnx", "keras"),
        default="auto",
        help="what runs the networks; auto takes ONNX Runtime, or Keras where only Keras can "
        "use this machine's GPU; --verbose says which and why (default: auto)",
    )
    group.add_argument(
        "--device",
        choices=("auto", "cpu", "gpu"),
        default="auto",
        help="auto takes a GPU when the engine sees one (default: auto)",
    )


def add_reporting(parser: argparse.ArgumentParser, json_help: str) -> None:
    """--json and --quiet."""
    parser.add_argument("--json", action="store_true", help=json_help)
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="no progress, only what is refused and why"
    )


def settings_of(args: argparse.Namespace):
    """The `Settings` that `add_segmentation`'s options ask for."""
    from ..settings import Settings

    return Settings(
        threshold=args.threshold,
        detector_threshold=args.detector_threshold,
        engine=args.engine,
        device=args.device,
        neighbours=args.neighbours,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
