"""A reviewed image as a case to train on: `<name>.nrrd`, `<name>_mask.nrrd` and `<name>.json`."""

import hashlib
import json
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..mammogram import Mammogram
from .staging import write_all


def write_training_case(
    mammogram: Mammogram, mask: np.ndarray, folder: Path, stem: str
) -> list[Path]:
    """Write pixels, mask (1 on MCs, all 0 says that there is none) and whose image it is.

    mask: (rows, cols) bool. The name ends with a sum of the pixels, so that the same image
    replaces itself and no other. Of the patient's identity only a digest is written, by which
    images of one patient stay together in one split.
    Raises InputError where the folder cannot be written.
    """
    name = f"{stem}_{zlib.crc32(np.ascontiguousarray(mammogram.pixels)):08x}"
    patient = mammogram.source.dicom.get("PatientID") or mammogram.source.name
    known = {
        "patient": hashlib.sha256(patient.encode("utf-8")).hexdigest()[:16],
        "positive": bool(mask.any()),
        "spacing_mm": [float(mm) for mm in mammogram.spacing_mm],
    }
    writers = {
        f"{name}.nrrd": partial(_write_nrrd, mammogram.pixels, mammogram),
        f"{name}_mask.nrrd": partial(_write_nrrd, mask.astype(np.uint8), mammogram),
        f"{name}.json": partial(_write_json, known),
    }
    return list(write_all(Path(folder), writers).values())


def _write_nrrd(values: np.ndarray, mammogram: Mammogram, path: Path) -> None:
    geometry = mammogram.geometry
    image = sitk.GetImageFromArray(values[None])
    # In the breast, not at the detector: what areas are measured and networks trained in.
    row_mm, col_mm = mammogram.spacing_mm
    image.SetSpacing((col_mm, row_mm, geometry.slice_thickness_mm))
    image.SetOrigin(geometry.origin_lps)
    sitk.WriteImage(image, str(path), useCompression=True)


def _write_json(known: dict, path: Path) -> None:
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8", newline="\n")
