"""Findings as files that people, Slicer and scripts read."""

import re
from functools import partial
from pathlib import Path

from ..findings import Findings
from .findings_json import write_findings_json
from .markups import write_markups
from .nrrd import write_segmentation
from .overlay import write_overlay
from .staging import write_all
from .tables import write_calcifications, write_clusters, write_vascular

__all__ = ["file_stem", "write_findings"]

_IMAGE_SUFFIX = re.compile(
    r"(\.(dcm|dicom|ima|nrrd|nhdr|mha|mhd|nii|tiff?|png|jpe?g|gz))+$", flags=re.IGNORECASE
)
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')  # on Windows; elsewhere a subset
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", flags=re.IGNORECASE)  # Windows
_LONGEST_STEM = 150  # bytes: file systems stop at 255, and suffixes follow


def write_findings(findings: Findings, folder: Path, stem: str | None = None) -> dict[str, Path]:
    """Write every output of one image into `folder`, all of them or none.

    folder: made when missing; one per image, for its files have fixed names:
        findings.json, calcifications.csv, clusters.csv, vascular.csv, overlay.png,
        <stem>.seg.nrrd and <stem>.mrk.json. Those of an earlier run are replaced.
    stem: by default from the source's name.
    Returns kind -> path; kinds: "json", "calcifications", "clusters", "vascular",
    "segmentation", "markups", "overlay".
    Raises InputError when the folder cannot be written.
    """
    stem = file_stem(stem if stem is not None else findings.mammogram.source.name)
    outputs = {
        "json": ("findings.json", write_findings_json),
        "calcifications": ("calcifications.csv", write_calcifications),
        "clusters": ("clusters.csv", write_clusters),
        "vascular": ("vascular.csv", write_vascular),
        "segmentation": (f"{stem}.seg.nrrd", write_segmentation),
        "markups": (f"{stem}.mrk.json", write_markups),
        "overlay": ("overlay.png", write_overlay),
    }
    writers = {name: partial(write, findings) for name, write in outputs.values()}
    written = write_all(Path(folder), writers)
    return {kind: written[name] for kind, (name, _) in outputs.items()}


def file_stem(name: str) -> str:
    """`name` as the beginning of a file's name on any system: "1-282.dcm" -> "1-282"."""
    stem = _FORBIDDEN.sub("_", name.strip())
    stem = _IMAGE_SUFFIX.sub("", stem)
    stem = stem.encode("utf-8", "ignore")[:_LONGEST_STEM].decode("utf-8", "ignore").strip(" .")
    if _RESERVED.fullmatch(stem):
        stem = f"_{stem}"
    return stem or "image"
