"""Mammograms to Slicer scenes without a window: what `Scripts/segment_mammograms.py` runs.

Works on the application's scene where there is an application, else on one of its own.
Exit codes: 0 done, 1 an image or the model was refused, 2 wrong usage.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

from .. import batch
from ..cli import options
from ..cli.terminal import complain, progress_on_stderr, say
from ..errors import MicrocalcError
from ..export import file_stem, write_findings
from ..findings import Findings
from ..model import load_model
from ..pipeline import segment
from ..reading import read_mammogram
from .application import open_scene, save_scene
from .hanging import hang
from .loading import DICOM_UIDS
from .results import item_of, remove_nodes, remove_results, write_results
from .study import remember_view, study_of
from .volumes import add_volume

_EXAMPLES = """\
examples:
  Slicer --no-main-window --python-script segment_mammograms.py study_folder --output results
  python segment_mammograms.py film.png --spacing-mm 0.05 --output results

Each image gets DIR/<name>/<name>.mrb, a scene with the image and its findings, or with --files
the separate files of `microcalc segment`. With --study the images of a folder are one patient's,
and share the scene DIR/<folder>.mrb, which Slicer shows side by side.

exit code: 0 all done, 1 an image was refused, 2 wrong usage"""


def main(argv: list[str] | None = None, segment_one=None) -> int:
    """Segment all images; returns the exit code. Wrong usage raises SystemExit(2).

    segment_one: (path, progress) -> Findings; by default the model's, as options ask for.
    """
    args = build_parser().parse_args(argv)
    try:
        batch.check_writable(args.output)
        images = batch.select_images(args.images, args.output).images
        if not images:
            complain(f"{', '.join(args.images)}: no image in there; name files or another folder")
            return 1
        make = segment_one or _segmenter(args)
        opened = open_scene()
        studies = Studies(opened.scene, args)
        write = partial(write_scene, opened.scene, args)
        if args.files or args.study:
            write = write_findings if args.files else studies.add
        with progress_on_stderr(args.quiet) as progress:
            items = batch.segment_files(images, args.output, make, progress, write)
        studies.save()
        opened.close()
    except MicrocalcError as error:
        complain(str(error))
        return 1
    return _tell(items, args)


def write_scene(scene, args: argparse.Namespace, findings: Findings, folder: Path, stem: str):
    """Save the image and its findings as `<stem>.mrb`; the scene is afterwards as before.

    Other nodes that the application's scene may hold are saved with them.
    """
    volume = _add(scene, args, findings, stem)
    try:
        path = Path(folder) / f"{file_stem(stem)}.mrb"
        save_scene(scene, path)
    finally:
        _remove(scene, volume)
    return {"scene": path}


class Studies:
    """Keeps the images of a folder in the scene until the next folder's come, then saves them."""

    def __init__(self, scene, args: argparse.Namespace):
        self._scene = scene
        self._args = args
        self._folder: Path | None = None
        self._volumes: list = []

    def add(self, findings: Findings, _folder: Path, stem: str) -> dict[str, Path]:
        """Take an image with its findings; images come folder by folder."""
        folder = Path(findings.mammogram.source.path).resolve().parent
        if folder != self._folder:
            self.save()
            self._folder = folder
        self._volumes.append(_add(self._scene, self._args, findings, stem))
        return {"scene": self._path}

    def save(self) -> None:
        """Save what was added since; the scene is afterwards as before."""
        if not self._volumes:
            return
        before = _node_ids(self._scene)
        try:
            hang(self._scene, study_of(self._scene, self._volumes[0]))
            save_scene(self._scene, self._path)
        finally:
            for volume in self._volumes:
                _remove(self._scene, volume)
            for added in _node_ids(self._scene) - before:
                self._scene.RemoveNode(self._scene.GetNodeByID(added))
            self._volumes = []

    @property
    def _path(self) -> Path:
        return self._args.output / f"{file_stem(self._folder.name)}.mrb"


def _add(scene, args: argparse.Namespace, findings: Findings, stem: str):
    """The volume with its findings, in the scene; nothing where it cannot be made."""
    mammogram = findings.mammogram
    volume = add_volume(scene, _compact(mammogram.pixels), mammogram.geometry, stem)
    try:
        volume.CreateDefaultDisplayNodes()
        if "SOPInstanceUID" in mammogram.source.dicom:
            volume.SetAttribute(DICOM_UIDS, mammogram.source.dicom["SOPInstanceUID"])
        remember_view(volume, mammogram)
        item_of(scene, volume)
        write_results(scene, volume, findings, args.probability)
    except BaseException:
        _remove(scene, volume)
        raise
    return volume


def _remove(scene, volume) -> None:
    remove_results(scene, volume)
    remove_nodes(scene, [volume])


def _node_ids(scene) -> set[str]:
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="segment_mammograms.py",
        description="Find and segment the microcalcifications of mammograms, into Slicer scenes.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="a mammogram, or a folder")
    options.add_output(parser, None, "where the results go; made when missing")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--files", action="store_true", help="separate files instead of one .mrb per image"
    )
    form.add_argument(
        "--study", action="store_true", help="one .mrb for all images of a folder, one patient's"
    )
    parser.add_argument(
        "--probability", action="store_true", help="also keep the probability, as a volume"
    )
    parser.add_argument(
        "--spacing-mm", type=options.spacing, metavar="S|ROW,COL", help=options.SPACING_HELP
    )
    options.add_segmentation(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="only what is refused and why")
    return parser


def _segmenter(args: argparse.Namespace):
    model = load_model(args.model)
    settings = options.settings_of(args)
    return lambda path, progress: segment(
        read_mammogram(path, args.spacing_mm), model, settings, progress
    )


def _compact(pixels: np.ndarray) -> np.ndarray:
    """Whole grey values in 16 bits, as they were read; anything else stays as it is."""
    small = pixels.astype(np.int16) if np.abs(pixels).max() < 2**15 else pixels
    return small if (small == pixels).all() else pixels


def _tell(items: list, args: argparse.Namespace) -> int:
    for item in items:
        if item.status != batch.DONE:
            complain(item.message)
        elif not args.quiet:
            say(f"{item.image}: {item.calcifications} MCs, {item.clusters} clusters")
    return int(any(item.status != batch.DONE for item in items))
