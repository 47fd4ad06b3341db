"""`microcalc models`: what is shipped."""

import argparse
import json
from dataclasses import asdict

from .terminal import say

NAME = "models"
SUMMARY = "list the models that come with the program"
DESCRIPTION = """\
List the models that come with the program: name, version, both networks' patch side N and
padding, thresholds, what other thresholds would give, the figures of its manifest, and where
its card lies.

With --write-onnx, write the ONNX graphs of a model's weights into its folder, and their
digests into its manifest: for a model made before there were any. `microcalc train` does
so itself."""
EXAMPLES = """\
examples:
  microcalc models
  microcalc models --write-onnx my-model
  microcalc segment image.dcm --output results --model NAME"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument(
        "--write-onnx", metavar="DIR", help="write the ONNX graphs of the model in this folder"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Print every shipped model, or write the graphs of one."""
    from ..model import load_model, shipped_models, write_graphs

    if args.write_onnx:
        model = write_graphs(load_model(args.write_onnx))
        say(f"{model.folder}: {', '.join(n for n in model.digests if n.endswith('.onnx'))}")
        return 0
    entries = [_entry(load_model(name)) for name in shipped_models()]
    if args.json:
        say(json.dumps({"models": entries}, indent=2))
        return 0
    for position, entry in enumerate(entries):
        say(f"{entry['name']} {entry['version']}{' (default)' if position == 0 else ''}")
        for which, network in entry["networks"].items():
            say(f"  {which}: N {network['patch_side']}, padding {network['padding']}")
        say(f"  threshold {entry['threshold']:g}, detector {entry['detector_threshold']:g}")
        for point in entry["operating_points"][4::5]:
            found, false = f"{point['mcs_found']:.0%}", f"{point['false_clusters']:.2f}"
            say(
                f"  at threshold {point['threshold']:g}: {found} of MCs and {false} false clusters "
                "per 100 cm2 (simulated MCs of validation)"
            )
        for key, value in entry["figures"].items():
            say(f"  {key}: {value}")
        say(f"  card: {entry['card']}")
    return 0


def _entry(model) -> dict:
    from ..model import CARD

    return {
        "name": model.name,
        "version": model.version,
        "networks": {
            which: {"patch_side": network.patch_side, "padding": network.padding}
            for which, network in model.architectures.items()
        },
        "threshold": model.threshold,
        "detector_threshold": model.detector_threshold,
        "operating_points": [asdict(point) for point in model.operating_points],
        "figures": model.figures,
        "card": str(model.folder / CARD),
    }
