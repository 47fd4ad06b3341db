"""`microcalc segment`: the main job."""

import argparse
import json

from . import options
from .terminal import complain, progress_on_stderr, say

NAME = "segment"
SUMMARY = "find and segment the microcalcifications of mammograms"
DESCRIPTION = """\
Find and segment the microcalcifications (MCs) of mammograms, measure each, and group
them into clusters (more than 5 MCs on 1 cm2).

IMAGE is a mammogram (DICOM, NRRD, MHA, NIfTI, TIFF, PNG or grey JPEG, one frame) or a
folder, which is searched with all folders in it.

For each image, DIR/<name of the image>/ gets
  findings.json        everything, for programs
  calcifications.csv   a line per MC: place, area, diameter, contrast, probability, cluster
  clusters.csv         a line per cluster: place, count, area, density
  <name>.seg.nrrd      the segmentation, for 3D Slicer
  <name>.mrk.json      a point per MC and per cluster, for 3D Slicer
  overlay.png          the breast with its clusters outlined, and each one enlarged
and DIR/summary.csv and DIR/summary.json tell what became of each image of this run.
Files of earlier runs with these names are replaced. An image that is refused stops no
other one; two images of one name get folders <name> and <name>_2."""
EXAMPLES = """\
examples:
  microcalc segment left_cc.dcm --output results
  microcalc segment study_folder --output results --device cpu
  microcalc segment film.png --spacing-mm 0.05 --output results
  microcalc segment *.dcm --output results --quiet --json > results.json

exit code: 0 all done, 1 an image was refused, 2 wrong usage, 130 stopped with Ctrl-C"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` reads."""
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="a mammogram, or a folder")
    options.add_output(parser, None, "where the results go; made when missing")
    parser.add_argument(
        "--spacing-mm", type=options.spacing, metavar="S|ROW,COL", help=options.SPACING_HELP
    )
    options.add_segmentation(parser)
    options.add_reporting(parser, "print one JSON object on stdout: what became of each image")


def load_segmenter(args: argparse.Namespace):
    """What reads and segments one file, (path, progress) -> Findings, with its model loaded."""
    from ..model import load_model
    from ..pipeline import segment
    from ..reading import read_mammogram

    model = load_model(args.model)
    settings = options.settings_of(args)

    def segment_one(path, progress):
        return segment(read_mammogram(path, args.spacing_mm), model, settings, progress)

    return segment_one


def run(args: argparse.Namespace, load=load_segmenter) -> int:
    """Segment all images; 1 when any was not done."""
    from ..batch import DONE, check_writable, segment_files, select_images
    from ..errors import InputError

    check_writable(args.output)
    selection = select_images(args.images, args.output)
    if not selection.images:
        raise InputError(
            f"{', '.join(args.images)}: no image in there; name files or another folder"
        )
    with progress_on_stderr(args.quiet) as progress:
        items = segment_files(selection.images, args.output, load(args), progress)
    not_done = [item for item in items if item.status != DONE]
    for item in not_done:
        complain(item.message)
    if args.json:
        say(json.dumps(_summary(args, items, selection), indent=2))
    elif not args.quiet:
        _tell(args, items, selection)
    return 1 if not_done else 0


def _summary(args: argparse.Namespace, items: list, selection) -> dict:
    from dataclasses import asdict

    from ..batch import DONE

    done = sum(item.status == DONE for item in items)
    return {
        "output": str(args.output),
        "done": done,
        "refused": len(items) - done,
        "images": [asdict(item) for item in items],
        "passed_over": [str(path) for path in selection.passed_over],
    }


def _tell(args: argparse.Namespace, items: list, selection) -> None:
    from ..batch import DONE, SUMMARY_CSV

    done = [item for item in items if item.status == DONE]
    for item in done:
        say(f"{item.image}: {item.calcifications} MCs, {item.clusters} clusters -> {item.folder}")
        if item.message:
            complain(f"note: {item.image}: {item.message}")
    if selection.passed_over:
        say(f"{len(selection.passed_over)} files in the folders are no images: passed over")
    say(f"{len(done)} done, {len(items) - len(done)} refused; {args.output / SUMMARY_CSV}")
