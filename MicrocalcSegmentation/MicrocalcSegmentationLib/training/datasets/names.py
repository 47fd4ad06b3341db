"""What files of a folder are called: stems, and names that tell images apart."""

from collections import defaultdict
from pathlib import Path

IMAGE_TYPES = (
    *(".dcm", ".dicom", ".ima", ".nrrd", ".nhdr", ".mha", ".mhd", ".nii", ".nii.gz"),
    *(".tif", ".tiff", ".png", ".jpg", ".jpeg"),
)


def stem_of(path: Path) -> str:
    """A file's name without its ending; the last number of a UID is none."""
    for ending in sorted(IMAGE_TYPES, key=len, reverse=True):
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.name if path.suffix[1:2].isdigit() else path.stem


def distinct_names(paths: list[Path], root: Path) -> dict[Path, str]:
    """The stems of files; of those alike, with as many folders before them as tell them apart.

    Of files that only their endings tell apart, all have the same name.
    """
    alike: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        alike[stem_of(path)].append(path)
    return {path: name for group in alike.values() for path, name in _apart(group, root).items()}


def _apart(paths: list[Path], root: Path) -> dict[Path, str]:
    parts = {path: (root.name, *path.relative_to(root).parts[:-1], stem_of(path)) for path in paths}
    for depth in range(1 if len(paths) == 1 else 2, max(map(len, parts.values())) + 1):
        names = {path: "-".join(own[-depth:]) for path, own in parts.items()}
        if len(set(names.values())) == len(paths):
            break
    return names
