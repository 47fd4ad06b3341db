"""Many mammograms one after the other: one refused image never stops the others."""

import csv
import json
import logging
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from .errors import Cancelled, InputError, ModelError
from .export import file_stem, write_findings
from .export.staging import write_all
from .findings import Findings
from .progress import Part, Progress, Silent

SUMMARY_CSV = "summary.csv"
SUMMARY_JSON = "summary.json"
DONE, REFUSED, FAILED = "done", "refused", "failed"
_COLUMNS = ("image", "status", "folder", "calcifications", "clusters", "seconds", "message")
_RESULT_MARK = "findings.json"
_IMAGE_TYPES = (
    *(".dcm", ".dicom", ".ima", ".nrrd", ".nhdr", ".mha", ".mhd", ".nii", ".nii.gz"),
    *(".tif", ".tiff", ".png", ".jpg", ".jpeg"),
)
_MASK_SUFFIXES = ("_mask", "_ignored")
_DICOM_MARK_AT, _DICOM_MARK = 128, b"DICM"

SegmentOne = Callable[[Path, Progress], Findings]
WriteOne = Callable[[Findings, Path, str], dict[str, Path]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Item:
    """What became of one image.

    status: "done"; "refused" when the input cannot be used; "failed" when the program
    could not cope with it. message: the sentence why; when done empty, or `Findings.caution`.
    folder, files: where its results are; None and empty unless done.
    calcifications, clusters: how many; None unless done.
    """

    image: str
    status: str
    message: str = ""
    folder: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    calcifications: int | None = None
    clusters: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Selection:
    """images: to be segmented. passed_over: files of given folders that are no images."""

    images: tuple[Path, ...]
    passed_over: tuple[Path, ...]


def select_images(paths: Iterable[str | Path], output: Path) -> Selection:
    """The images that these files and folders stand for, each once, in order.

    A file is taken as it is. Of a folder, and of folders in it, files are taken that look
    like an image: by their suffix, or by the mark of a DICOM file. Hidden files, DICOMDIR,
    masks beside their image (`<name>_mask.*`, `<name>_ignored.*`), Slicer's segmentations
    (`*.seg.nrrd`), the output folder and folders of earlier results are left alone.
    """
    images: dict[Path, Path] = {}
    passed_over = []
    for path in map(Path, paths):
        if not path.is_dir():
            images.setdefault(path.resolve(), path)
            continue
        files = _files_below(path, output.resolve())
        stems = defaultdict(set)
        for file in files:
            stems[file.parent].add(file_stem(file.name))
        for file in files:
            if _looks_like_an_image(file, stems[file.parent]):
                images.setdefault(file.resolve(), file)
            else:
                passed_over.append(file)
    return Selection(tuple(images.values()), tuple(passed_over))


def output_names(images: Iterable[Path]) -> list[str]:
    """A folder name for each image: its stem; "stem_2", "stem_3"... where that is taken.

    Upper and lower case are not told apart, as on Windows and macOS.
    """
    stems = [file_stem(path.name) for path in images]
    # An image that is really called "a_2" keeps that name, wherever it stands in the list.
    reserved = {SUMMARY_CSV, SUMMARY_JSON, *(stem.casefold() for stem in stems)}
    taken = {SUMMARY_CSV, SUMMARY_JSON}
    names = []
    for stem in stems:
        name, number = stem, 2
        while name.casefold() in taken or (name != stem and name.casefold() in reserved):
            name, number = f"{stem}_{number}", number + 1
        taken.add(name.casefold())
        names.append(name)
    return names


def check_writable(folder: Path) -> None:
    """Make the folder, or raise InputError before hours of work are done for nothing."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".writable-", dir=folder)
        os.close(descriptor)
        os.unlink(name)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write there ({error.strerror}); choose another output folder"
        ) from error


def segment_files(
    images: Iterable[Path],
    output: Path,
    segment_one: SegmentOne,
    progress: Progress | None = None,
    write_one: WriteOne = write_findings,
) -> list[Item]:
    """Segment every image into `output/<stem>/` and keep `output/summary.csv` and `.json`.

    segment_one: reads and segments one file. write_one: writes findings into a folder,
    all files or none. The summary is written anew after each image, so that it is right
    whenever the work is stopped.
    Raises InputError when the output folder cannot be written, ModelError when the model
    cannot be used (no image would do better), and lets Cancelled pass.
    """
    images, output, progress = list(images), Path(output), progress or Silent()
    check_writable(output)
    items: list[Item] = []
    for number, (image, name) in enumerate(zip(images, output_names(images), strict=True)):
        part = Part(progress, number / len(images), (number + 1) / len(images))
        report = _Named(part, f"{image.name} ({number + 1} of {len(images)})")
        started = time.monotonic()
        make = partial(_segment_one, image, output / name, segment_one, write_one)
        item = _guarded(image, make, report)
        items.append(Item(**{**asdict(item), "seconds": round(time.monotonic() - started, 2)}))
        _write_summary(output, items)
    progress.report(1, "done")
    return items


class _Named:
    """Progress that begins each text with the image's name."""

    def __init__(self, whole: Progress, name: str):
        self._whole = whole
        self._name = name

    def report(self, fraction: float, text: str) -> None:
        self._whole.report(fraction, f"{self._name}: {text}")


def _segment_one(
    image: Path, folder: Path, segment_one: SegmentOne, write_one: WriteOne, progress: Progress
) -> Item:
    progress.report(0, "reading")
    findings = segment_one(image, Part(progress, 0, 0.95))
    progress.report(0.95, "writing")
    files = write_one(findings, folder, folder.name)
    return Item(
        image=str(image),
        status=DONE,
        folder=str(folder),
        files={kind: str(path) for kind, path in files.items()},
        calcifications=len(findings.calcifications),
        clusters=len(findings.clusters),
        message=findings.caution,
    )


def _guarded(image: Path, make: Callable[[Progress], Item], progress: Progress) -> Item:
    try:
        return make(progress)
    except InputError as error:
        return Item(image=str(image), status=REFUSED, message=str(error))
    except (Cancelled, ModelError):
        raise
    except Exception as error:  # one image out of many must not lose a night's work
        _log.exception("%s failed", image)
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        sentence = f"{image.name}: failed inside the program ({reason[0]}); run with --verbose"
        return Item(image=str(image), status=FAILED, message=sentence)


def _write_summary(output: Path, items: list[Item]) -> None:
    def write_csv(path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _COLUMNS, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(asdict(item) for item in items)

    def write_json(path: Path) -> None:
        text = json.dumps({"images": [asdict(item) for item in items]}, indent=2)
        path.write_text(text + "\n", encoding="utf-8")

    write_all(output, {SUMMARY_CSV: write_csv, SUMMARY_JSON: write_json})


def _files_below(folder: Path, output: Path) -> list[Path]:
    """Visible files, sorted, of this folder and those in it, but no results of ours."""
    files = []
    for parent, folders, names in os.walk(folder):
        here = Path(parent)
        folders[:] = sorted(f for f in folders if not _left_alone(here / f, output))
        files += [here / name for name in sorted(names) if not _hidden(name)]
    return files


def _left_alone(folder: Path, output: Path) -> bool:
    ours = folder.resolve() == output or (folder / _RESULT_MARK).is_file()
    return ours or _hidden(folder.name)


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _looks_like_an_image(file: Path, stems_beside: set[str]) -> bool:
    name = file.name.lower()
    stem = file_stem(file.name)
    is_mask = any(
        stem.endswith(suffix) and stem.removesuffix(suffix) in stems_beside
        for suffix in _MASK_SUFFIXES
    )
    if is_mask or name == "dicomdir" or name.endswith(".seg.nrrd"):
        return False
    return name.endswith(_IMAGE_TYPES) or _has_dicom_mark(file)


def _has_dicom_mark(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            stream.seek(_DICOM_MARK_AT)
            return stream.read(len(_DICOM_MARK)) == _DICOM_MARK
    except OSError:
        return False
