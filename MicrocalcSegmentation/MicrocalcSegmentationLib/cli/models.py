"""`microcalc models`: what is shipped, or what a model of one's own is."""

import argparse
import json
from dataclasses import asdict

from .terminal import say

NAME = "models"
SUMMARY = "list the models that come with the program, or describe your own"
DESCRIPTION = """\
List the models that come with the program, or those given: name, version, both networks'
patch side N and padding, thresholds, what other thresholds would give, the figures of its
manifest, and where its card lies. Last comes `arteries`, the network that tells where calcified
arteries run, for pairs that bring none of their own.

With --write-onnx, write the ONNX graphs of a model's weights into its folder, and their
digests into its manifest: for a model made before there were any. `microcalc train` does
so itself."""
EXAMPLES = """\
examples:
  microcalc models
  microcalc models my-model
  microcalc models --write-onnx my-model
  microcalc segment image.dcm --output results --model NAME"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument(
        "models", nargs="*", metavar="NAME|DIR", help="a shipped model, or the folder of another"
    )
    parser.add_argument(
        "--write-onnx", metavar="DIR", help="write the ONNX graphs of the model in this folder"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Print the models asked for, or every shipped one, or write the graphs of one."""
    from ..model import DEFAULT_MODEL, load_arteries, load_model, shipped_models, write_graphs

    if args.write_onnx:
        model = write_graphs(load_model(args.write_onnx))
        say(f"{model.folder}: {', '.join(n for n in model.digests if n.endswith('.onnx'))}")
        return 0
    models = [load_model(name) for name in args.models or shipped_models()]
    if not args.models:
        models.append(load_arteries())
    if args.json:
        say(json.dumps({"models": [_entry(model) for model in models]}, indent=2))
        return 0
    default = load_model(DEFAULT_MODEL).folder
    for model in models:
        _describe(_entry(model), " (default)" if model.folder == default else "")
    return 0


def _describe(entry: dict, remark: str) -> None:
    say(f"{entry['name']} {entry['version']}{remark}")
    for which, network in entry["networks"].items():
        say(f"  {which}: N {network['patch_side']}, padding {network['padding']}")
    passes = entry["detector_threshold"]
    detector = "" if passes is None else f", detector {passes:g}"
    say(f"  threshold {entry['threshold']:g}{detector}")
    if entry["operating_points"]:
        say("  other thresholds, on simulated MCs of validation:")
    for point in entry["operating_points"][4::5]:
        found, false = f"{point['mcs_found']:.0%}", f"{point['false_clusters']:.2f}"
        say(f"    {point['threshold']:.2f}: {found} of MCs, {false} false clusters per 100 cm2")
    for title, figures in entry["figures"].items():
        if not isinstance(figures, dict):  # of a model that another program wrote
            say(f"  {title}: {figures}")
            continue
        say(f"  {title}:")
        for name, value in figures.items():
            say(f"    {name}: {_short(value)}")
    say(f"  card: {entry['card']}")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


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
