"""`microcalc models`: what is shipped."""

import argparse
import json

from .terminal import say

NAME = "models"
SUMMARY = "list the models that come with the program"
DESCRIPTION = """\
List the models that come with the program: name, version, both networks' patch side N and
padding, thresholds, and the figures of the model's own manifest."""
EXAMPLES = """\
examples:
  microcalc models
  microcalc segment image.dcm --output results --model NAME"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Print every shipped model."""
    from ..model import load_model, shipped_models

    entries = [_entry(load_model(name)) for name in shipped_models()]
    if args.json:
        say(json.dumps({"models": entries}, indent=2))
        return 0
    for position, entry in enumerate(entries):
        say(f"{entry['name']} {entry['version']}{' (default)' if position == 0 else ''}")
        for which, network in entry["networks"].items():
            say(f"  {which}: N {network['patch_side']}, padding {network['padding']}")
        say(f"  threshold {entry['threshold']:g}, detector {entry['detector_threshold']:g}")
        for key, value in entry["figures"].items():
            say(f"  {key}: {value}")
    return 0


def _entry(model) -> dict:
    return {
        "name": model.name,
        "version": model.version,
        "networks": {
            which: {"patch_side": network.patch_side, "padding": network.padding}
            for which, network in model.architectures.items()
        },
        "threshold": model.threshold,
        "detector_threshold": model.detector_threshold,
        "figures": model.figures,
    }
