"""Images with a mask beside them: the user's own, corrected ones from Slicer, simulated ones.

`<name>.<any readable type>` goes with `<name>_mask.<type>`, with `<name>.seg.nrrd`, and with
a DICOM segmentation that refers to it, in the same folder or in one below. `<name>_ignored`,
of any of these types but the last, marks what is neither MC nor tissue. `<name>.json`
(patient, options.kind, split, positive; as `microcalc simulate` writes) and `cases.csv`
(columns image, patient, kind, split, positive; see `case_table`) say more.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ...errors import InputError
from ...reading import first_bytes
from ...simulation.cases import KINDS
from .annotated import UNSTATED, AnnotatedImage, Annotation, Dataset, Problem
from .case_table import TABLE, read_table
from .masks import (
    SEGMENTATION_FILE,
    dicom_header,
    is_segmentation,
    read_mask,
    referenced_images,
)
from .names import IMAGE_TYPES, distinct_names, stem_of
from .own_spacing import read_with_own_spacing

MASK_SUFFIX, IGNORED_SUFFIX = "_mask", "_ignored"
_DICOM_MARK = b"DICM"


@dataclass(frozen=True)
class _Files:
    """images: by stem. masks, ignored: (stem of its image, file); segmentations: DICOM SEG.

    refused: of `images`, those that cannot be read or have a damaged header, and why.
    """

    images: dict[str, list[Path]]
    masks: list[tuple[str, Path]]
    ignored: list[tuple[str, Path]]
    segmentations: list[Path]
    refused: dict[Path, InputError]


def read_dataset(root: Path, spacing_mm: tuple[float, float] | None) -> Dataset:
    """Every image below a folder, each with exactly one mask, and what does not fit."""
    files = _sort_files(root)
    paths = [path for _, alike in sorted(files.images.items()) for path in alike]
    names = distinct_names(paths, root)
    table, problems = read_table(root, names)
    masks, lost = _assign_masks(files)
    ignored, without = _assign(files.ignored, files.images)
    problems += lost + without
    images = []
    for path, name in names.items():
        own, apart = masks.get(path, []), ignored.get(path, [])
        if path in files.refused:
            problems.append(Problem.of_error(name, files.refused[path]))
            continue
        if len(own) != 1 or len(apart) > 1:
            problems.append(_mask_problem(name, path, own if len(own) != 1 else apart))
            continue
        try:
            known = _described(path) | table.get(path, {})
            images.append(_image(name, (path, *own, *apart), known, spacing_mm))
        except InputError as error:
            problems.append(Problem.of_error(name, error))
    return Dataset(root, "folder", tuple(images), tuple(problems), spacing_mm)


def load(files: tuple[Path, ...], spacing_mm: tuple[float, float] | None) -> Annotation:
    """Read an image, its mask and, where there is a third file, what is neither MC nor tissue.

    Where both are marked, it is MC. Raises InputError.
    """
    mammogram = read_with_own_spacing(files[0], spacing_mm)
    mask, *apart = (read_mask(path, mammogram) for path in files[1:])
    return Annotation(mammogram, mask, apart[0] & ~mask if apart else np.zeros_like(mask))


def _sort_files(root: Path) -> _Files:
    files = _Files(defaultdict(list), [], [], [], {})
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if not path.is_file() or any(part.startswith(".") for part in parts):
            continue
        try:
            _sort_in(path, files)
        except InputError as error:  # it may well be an image
            files.refused[path] = error
            files.images[stem_of(path)].append(path)
    return files


def _sort_in(path: Path, files: _Files) -> None:
    """Raises InputError where what a file is cannot be read."""
    stem = stem_of(path)
    segmented = path.name.lower().endswith(SEGMENTATION_FILE)
    if segmented:
        stem = path.name[: -len(SEGMENTATION_FILE)]
    elif not _may_be_image(path):
        return
    if stem.endswith(IGNORED_SUFFIX):
        files.ignored.append((stem.removesuffix(IGNORED_SUFFIX), path))
    elif segmented:
        files.masks.append((stem, path))
    elif stem.endswith(MASK_SUFFIX):
        files.masks.append((stem.removesuffix(MASK_SUFFIX), path))
    elif is_segmentation(dicom_header(path)):
        files.segmentations.append(path)
    else:
        files.images[stem].append(path)


def _assign_masks(files: _Files) -> tuple[dict[Path, list[Path]], list[Problem]]:
    """image -> its masks; and masks that belong to no image."""
    masks, problems = _assign(files.masks, files.images)
    if files.segmentations:
        by_uid = _by_instance(files)
        for segmentation in files.segmentations:
            try:
                uids = referenced_images(dicom_header(segmentation))
            except InputError as error:
                problems.append(Problem.of_error(stem_of(segmentation), error))
                continue
            found = {by_uid[uid] for uid in uids if uid in by_uid}
            if len(found) == 1:
                masks[found.pop()].append(segmentation)
            else:
                problems.append(
                    Problem(
                        stem_of(segmentation),
                        segmentation.name,
                        "a DICOM segmentation that refers to none (or several) of the images",
                        "add the image it was made on, or move it away",
                    )
                )
    return masks, problems


def _assign(
    named: list[tuple[str, Path]], images: dict[str, list[Path]]
) -> tuple[dict[Path, list[Path]], list[Problem]]:
    """image -> what is called after it, beside it for choice; and what belongs to no image."""
    assigned: dict[Path, list[Path]] = defaultdict(list)
    problems = []
    for stem, mask in named:
        alike = images.get(stem, [])
        chosen = [image for image in alike if image.parent == mask.parent] or alike
        if len(chosen) == 1:
            assigned[chosen[0]].append(mask)
        else:
            what = "fits more than one image" if chosen else "a mask without an image"
            remedy = f"put it beside an image called {stem}, or move it away"
            problems.append(Problem(stem, mask.name, what, remedy))
    return assigned, problems


def _by_instance(files: _Files) -> dict[str, Path]:
    found = {}
    for path in (path for paths in files.images.values() for path in paths):
        header = None if path in files.refused else dicom_header(path)
        if header is not None:
            found |= dict.fromkeys(header.texts("SOPInstanceUID"), path)
    return found


def _mask_problem(name: str, path: Path, masks: list[Path]) -> Problem:
    if not masks:
        return Problem(
            name,
            path.name,
            "no mask beside it",
            f"put {stem_of(path)}{MASK_SUFFIX}.nrrd there (all 0 when there is no MC), or "
            "exclude it",
        )
    several = ", ".join(mask.name for mask in masks)
    return Problem(name, path.name, f"more than one mask: {several}", "keep the right one alone")


def _image(name: str, files: tuple[Path, ...], known: dict, spacing_mm) -> AnnotatedImage:
    path = files[0]
    options = known.get("options") if isinstance(known.get("options"), dict) else {}
    simulated = known.get("simulated") is True
    patient = known.get("patient") or _patient(path)
    return AnnotatedImage(
        name=name,
        patient=str(patient or name),
        patient_stated=bool(patient),
        source="simulated" if simulated else f"folder {path.parent.name}",
        files=files,
        load=partial(load, files, spacing_mm),
        kind=_kind(path, known.get("kind") or options.get("kind")),
        split=known.get("split") or None,
        positive=_truth_value(path, known.get("positive")),
    )


def _patient(path: Path) -> str | None:
    header = dicom_header(path)
    return next(iter(header.texts("PatientID")), None) if header is not None else None


def _described(path: Path) -> dict:
    """What is said about an image in a JSON file beside it."""
    beside = path.with_name(stem_of(path) + ".json")
    if not beside.is_file():
        return {}
    try:
        known = json.loads(beside.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{beside.name}: not readable as JSON; write it again") from error
    return known if isinstance(known, dict) else {}


def _kind(path: Path, stated) -> str:
    kind = str(stated or UNSTATED).strip().lower()
    if kind not in (*KINDS, UNSTATED):
        raise InputError(
            f"{path.name}: kind {stated!r} is unknown; write {' or '.join(KINDS)} in {TABLE}"
        )
    return kind


def _truth_value(path: Path, stated) -> bool | None:
    if stated is None or isinstance(stated, bool):
        return stated
    words = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}
    if str(stated).strip().lower() not in words:
        raise InputError(f"{path.name}: positive is {stated!r}; write yes or no in {TABLE}")
    return words[str(stated).strip().lower()]


def _may_be_image(path: Path) -> bool:
    """By its ending, or as DICOM starts, after its preamble."""
    if path.name.lower().endswith(IMAGE_TYPES):
        return True
    return path.stat().st_size > 0 and first_bytes(path)[128:] == _DICOM_MARK
