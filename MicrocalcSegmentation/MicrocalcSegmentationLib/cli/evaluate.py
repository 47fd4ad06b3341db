"""`microcalc evaluate`: how good the results are, against known truth."""

import argparse
import json
from functools import partial
from pathlib import Path

from . import options
from .terminal import complain, progress_on_stderr, say

NAME = "evaluate"
SUMMARY = "measure found against true, on simulated or on your own images"
DESCRIPTION = """\
Segment images whose truth is known and print the figures: per MC, per cluster, per image
and per pixel, each with its definition and a 95 % confidence interval, digital and film
apart as well as together.

CASES_DIR holds <name>.dcm (or .nrrd, ...) with <name>_mask.nrrd or <name>_mask.png beside
it, a mask on the image's own grid, not 0 on MCs. Marks on what <name>_ignored.nrrd (.png)
holds, where it is there, count neither as true nor as false. Without CASES_DIR, mammograms
are simulated, half digital and half film, from seeds that no model is trained on. Figures
on simulated images do not say how the model does on real ones. With --samples, the images
are those of a split of a sample database (see `microcalc samples`), the test split if none
is named; where they outline regions instead of MCs (CBIS-DDSM), clusters and images are
judged, MCs and pixels are not.

With --output, DIR gets evaluation.json, evaluation.txt, typical.png with hits, misses and
false marks side by side, and a picture of each image, found against true; DIR/cases/ keeps
the counts of each image, so that the same command goes on where it was stopped. Delete that
folder to measure everything again."""
EXAMPLES = """\
examples:
  microcalc evaluate --output evaluation
  microcalc evaluate --simulate 4 --json > figures.json
  microcalc evaluate my_cases --spacing-mm 0.05 --output evaluation
  microcalc evaluate --samples samples.sqlite --model my-model --output evaluation

exit code: 0 all done, 1 an image was refused, 2 wrong usage, 130 stopped with Ctrl-C"""
_DEFAULT_COUNT = 27  # as many test mammograms as Valvano et al. 2019
_CROPS = "crops"  # folder of what typical.png shows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument(
        "cases", nargs="?", type=Path, metavar="CASES_DIR", help="images with masks beside them"
    )
    parser.add_argument(
        "--samples", type=Path, metavar="FILE", help="the images of a sample database"
    )
    parser.add_argument(
        "--split",
        choices=("train", "validation", "test"),
        help="which of them (default: test)",
    )
    parser.add_argument(
        "--simulate",
        type=options.positive_count,
        metavar="N",
        help=f"how many mammograms to simulate, without CASES_DIR (default: {_DEFAULT_COUNT})",
    )
    parser.add_argument(
        "--seed",
        type=options.natural_number,
        default=0,
        metavar="S",
        help="another number simulates another set (default: 0)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="keep figures, pictures and counts there"
    )
    parser.add_argument(
        "--spacing-mm",
        type=options.spacing,
        metavar="S|ROW,COL",
        help=options.UNSTATED_SPACING_HELP,
    )
    options.add_segmentation(parser)
    options.add_reporting(parser, "print the figures as one JSON object on stdout")
    parser.set_defaults(wrong_usage=parser.error)


def run(args: argparse.Namespace) -> int:
    """Evaluate all cases; 1 when any was refused."""
    if sum(bool(given) for given in (args.cases, args.simulate, args.samples)) > 1:
        args.wrong_usage("give only one of CASES_DIR, --samples and --simulate")
    if args.split and not args.samples:
        args.wrong_usage("--split needs --samples")
    from ..errors import InputError
    from ..evaluation.runs import evaluate

    cases = _cases(args)
    how = _how(args)
    with progress_on_stderr(args.quiet) as progress:
        outcome = evaluate(cases, how, progress)
    for sentence in outcome.refused.values():
        complain(sentence)
    if not outcome.scores:
        raise InputError("no image could be evaluated; see the sentences above")
    _tell(args, how.key, outcome)
    return 1 if outcome.refused else 0


def _cases(args: argparse.Namespace) -> list:
    from ..evaluation.cases import folder_cases, simulated_cases
    from ..evaluation.stored_cases import stored_cases

    if args.cases:
        return folder_cases(args.cases, args.spacing_mm)
    if args.samples:
        return stored_cases(args.samples, args.split or "test")
    return simulated_cases(args.simulate or _DEFAULT_COUNT, args.seed)


def _how(args: argparse.Namespace):
    from dataclasses import asdict

    from ..batch import check_writable
    from ..evaluation.runs import Run
    from ..evaluation.store import Store
    from ..model import load_model
    from ..pipeline import segment

    model = load_model(args.model)
    settings = options.settings_of(args)
    key = {
        "model": model.name,
        "model_version": model.version,
        "weights": {name: digest for name, digest in model.digests.items() if ".npz" in name},
        "thresholds": [model.threshold, model.detector_threshold],
        "neighbourhood": model.neighbourhood and asdict(model.neighbourhood),
        "outline": model.outline and asdict(model.outline),
        "settings": asdict(settings),
    }

    def segment_one(mammogram, progress):
        return segment(mammogram, model, settings, progress)

    if args.output is None:
        return Run(segment_one, key)
    check_writable(args.output)
    keep_pictures = partial(_keep_pictures, args.output)
    return Run(segment_one, key, Store(args.output / "cases"), keep_pictures)


def _keep_pictures(folder: Path, case, findings, truth) -> None:
    from ..evaluation.comparison import compare_findings, truth_of
    from ..evaluation.picture import write_found_and_true
    from ..evaluation.typical import crops_of, write_crops
    from ..export.staging import write_all

    write = partial(write_found_and_true, findings, truth.mask, truth.uncertain)
    write_all(folder / "pictures", {f"{case.name.name}.png": write})
    true = truth_of(truth.mask, findings.mammogram.spacing_mm, truth.uncertain)
    crops = crops_of(findings, truth.mask, compare_findings(findings, true))
    write_all(folder / _CROPS, {f"{case.name.name}.npz": partial(write_crops, crops)})


def _tell(args: argparse.Namespace, key: dict, outcome) -> None:
    from ..evaluation.report import as_json, as_table, summarise
    from ..export.staging import write_all

    groups = summarise(outcome.scores)
    report = {**key, **as_json(groups, outcome.scores), "refused": outcome.refused}
    heading = f"Model {key['model']} {key['model_version']}, {len(outcome.scores)} images"
    table = f"{heading}\n{as_table(groups)}"
    as_text = json.dumps(report, indent=2)
    if args.output is not None:
        texts = {"evaluation.json": as_text, "evaluation.txt": table}
        page = partial(_write_typical, args.output / _CROPS)
        write_all(
            args.output,
            {name: partial(_write, text) for name, text in texts.items()} | {"typical.png": page},
        )
    say(as_text if args.json else table)


def _write(text: str, path: Path) -> None:
    path.write_text(text + "\n", encoding="utf-8")


def _write_typical(folder: Path, path: Path) -> None:
    from ..evaluation.typical import draw_page, read_crops

    crops = [crop for kept in sorted(folder.glob("*.npz")) for crop in read_crops(kept)]
    draw_page(crops).save(path, format="PNG")
