"""`microcalc train`: a new pair of networks."""

import argparse

NAME = "train"
SUMMARY = "train a pair of networks"
DESCRIPTION = "Train a detector and a segmentator."
EXAMPLES = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""


def run(args: argparse.Namespace) -> int:
    """Train the pair."""
    from ..errors import MicrocalcError

    raise MicrocalcError("training is not wired to this command yet; see `microcalc models`")
