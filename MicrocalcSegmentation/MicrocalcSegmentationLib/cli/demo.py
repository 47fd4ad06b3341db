"""`microcalc demo`: the whole way on one simulated mammogram, offline."""

import argparse
import json
import time
from functools import partial

from . import options
from .terminal import progress_on_stderr, say

NAME = "demo"
SUMMARY = "simulate a mammogram, segment it, and show found against true"
DESCRIPTION = """\
Simulate a mammogram, segment it, and compare what was found with what is there, per
microcalcification (MC) and per cluster. Needs no network and no data; takes under a minute.

DIR gets the simulated image and its masks, what `microcalc segment` writes, and
  found_and_true.png   found MCs in orange, true ones in blue
  found_and_true.csv   a line per MC: matched, missed, false or ignored

Ignored are marks on calcifications that are benign, or too faint for anyone to see."""
EXAMPLES = """\
examples:
  microcalc demo
  microcalc demo --output somewhere --seed 3"""
_DEFAULT_SEED = 1
_SPACING_MM = 0.07
_SHAPE = (2200, 1600)  # 15 x 11 cm, a small breast: the demo is to take under a minute
_CLUSTERS = 2
_LEVEL = 8.0  # plain to see: a demo shows how it works, not how well


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    options.add_output(parser, "microcalc-demo", "where everything goes; made when missing")
    parser.add_argument(
        "--seed",
        type=options.natural_number,
        default=_DEFAULT_SEED,
        metavar="S",
        help=f"another number, another mammogram (default: {_DEFAULT_SEED})",
    )
    options.add_segmentation(parser)
    options.add_reporting(parser, "print found against true as one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Simulate, segment, compare, write."""
    from ..batch import check_writable
    from ..progress import Part

    started = time.monotonic()
    check_writable(args.output)
    with progress_on_stderr(args.quiet) as progress:
        progress.report(0, "simulating a mammogram")
        case, image = _simulate(args)
        findings = _segment(args, image, Part(progress, 0.2, 0.9))
        progress.report(0.9, "comparing and writing")
        comparison = _write(args, findings, case)
    counts = _counts(comparison)
    if args.json:
        say(json.dumps({"output": str(args.output), "data": "simulated", **counts}, indent=2))
    else:
        _tell(args, counts, time.monotonic() - started)
    return 0


def _simulate(args: argparse.Namespace):
    from ..simulation.cases import CaseOptions, simulate_case, write_case

    options_of_case = CaseOptions(
        spacing_mm=_SPACING_MM, shape=_SHAPE, clusters=_CLUSTERS, level=_LEVEL
    )
    case = simulate_case(args.seed, options_of_case)
    return case, write_case(case, args.output)["image"]


def _segment(args: argparse.Namespace, image, progress):
    from ..model import load_model
    from ..pipeline import segment
    from ..reading import read_mammogram

    model = load_model(args.model)
    return segment(read_mammogram(image), model, options.settings_of(args), progress)


def _write(args: argparse.Namespace, findings, case):
    from ..evaluation.comparison import compare_findings, truth_of, write_comparison
    from ..evaluation.picture import write_found_and_true
    from ..export import write_findings
    from ..export.staging import write_all

    spacing_mm = findings.mammogram.spacing_mm
    comparison = compare_findings(findings, truth_of(case.mask, spacing_mm, case.ignored))
    write_findings(findings, args.output)
    write_all(
        args.output,
        {
            "found_and_true.png": partial(write_found_and_true, findings, case.mask, case.ignored),
            "found_and_true.csv": partial(write_comparison, comparison),
        },
    )
    return comparison


def _counts(comparison) -> dict:
    matched = len(comparison.matches)
    true, found = len(comparison.truth.mcs), len(comparison.found)
    marked = int(comparison.overlapping.any(axis=0).sum())
    false = int(comparison.false_mcs.sum())
    false_clusters = int(comparison.false_clusters.sum())
    found_clusters, true_clusters = comparison.overlapping.shape
    return {
        "mcs": {
            "true": true,
            "found": found,
            "matched": matched,
            "missed": true - matched,
            "false": false,
            "ignored": found - matched - false,
        },
        "clusters": {
            "true": true_clusters,
            "found": found_clusters,
            "marked": marked,
            "missed": true_clusters - marked,
            "false": false_clusters,
            "ignored": int((~comparison.overlapping.any(axis=1)).sum()) - false_clusters,
        },
    }


def _tell(args: argparse.Namespace, counts: dict, seconds: float) -> None:
    head = f"{'true':>7}{'found':>7}{'hit':>7}{'missed':>8}{'false':>7}{'ignored':>9}"
    say(f"{'simulated mammogram':20}{head}")
    for name, hit in (("mcs", "matched"), ("clusters", "marked")):
        row = counts[name]
        label = "MCs" if name == "mcs" else name
        say(
            f"{label:20}{row['true']:7}{row['found']:7}{row[hit]:7}"
            f"{row['missed']:8}{row['false']:7}{row['ignored']:9}"
        )
    say()
    say(f"found against true: {args.output / 'found_and_true.png'}")
    say(f"clusters enlarged:  {args.output / 'overlay.png'}")
    say(f"every MC:           {args.output / 'found_and_true.csv'}")
    say(f"{seconds:.0f} s. An MC is hit when centroids are at most 0.35 mm apart or IoU is at")
    say("least 0.3, one to one; a cluster when the outlines of a found and a true one overlap.")
