"""Annotated mammograms of any origin, as one kind of object: `open_dataset`."""

from pathlib import Path

from ...errors import InputError
from .annotated import AnnotatedImage, Annotation, Dataset, Problem

__all__ = [
    "LAYOUTS",
    "AnnotatedImage",
    "Annotation",
    "Dataset",
    "Problem",
    "open_dataset",
    "read_annotation",
]

LAYOUTS = ("folder", "inbreast", "cbis-ddsm")


def open_dataset(
    root: Path, layout: str | None = None, spacing_mm: tuple[float, float] | None = None
) -> Dataset:
    """The images of a folder with what is known of each; no pixels are read yet.

    layout: one of `LAYOUTS`; None recognises INbreast and CBIS-DDSM by their own files.
    spacing_mm: (row, col), for images that do not state it.
    Raises InputError when the folder is missing, holds nothing, or the layout is unknown.
    """
    from ...reading.dicom import warnings_logged
    from . import cbis_ddsm, folders, inbreast

    root = Path(root).resolve()
    if not root.is_dir():
        raise InputError(f"{root}: no such folder of annotated images; give one that exists")
    if layout is None:
        recognised = inbreast.recognise(root), cbis_ddsm.recognise(root)
        layout = "inbreast" if recognised[0] else "cbis-ddsm" if recognised[1] else "folder"
    readers = dict(zip(LAYOUTS, (folders, inbreast, cbis_ddsm), strict=True))
    if layout not in readers:
        raise InputError(f"layout {layout!r} is unknown; use one of: {', '.join(LAYOUTS)}")
    with warnings_logged(root.name):
        dataset = readers[layout].read_dataset(root, spacing_mm)
    if not dataset.images and not dataset.problems:
        raise InputError(
            f"{root}: no annotated image in layout {layout!r}; put <name>_mask.nrrd, "
            "<name>_mask.png or <name>.seg.nrrd beside each image, or give another --layout"
        )
    return dataset


def read_annotation(
    layout: str, name: str, files: tuple[Path, ...], spacing_mm: tuple[float, float] | None
) -> Annotation:
    """Read one image of a data set again. Raises InputError."""
    from . import cbis_ddsm, folders, inbreast

    if layout == "inbreast":
        return inbreast.load(name, files, spacing_mm)
    if layout == "cbis-ddsm":
        regions = (cbis_ddsm.Region("1", files[1:]),)  # which of them is whose is not stored
        return cbis_ddsm.load(name, files[0], regions, spacing_mm)
    return folders.load(files, spacing_mm)
