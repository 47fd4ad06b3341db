"""`findings.json`: everything about the result but the pixels (see `findings.schema.json`)."""

import json
from dataclasses import asdict
from pathlib import Path, PurePath

import numpy as np

from .. import __version__
from ..findings import Cluster, Findings
from ..mammogram import Mammogram
from .tables import calcification_rows, cluster_rows, vascular_rows

# Major: a field left or changed its meaning. Minor: a field was added.
SCHEMA_VERSION = "1.4"
SCHEMA_PATH = Path(__file__).with_name("findings.schema.json")
INTENDED_USE = "Research use only, not a medical device"


def findings_document(findings: Findings) -> dict:
    """The findings as plain lists, dicts and numbers that the schema describes."""
    mammogram = findings.mammogram
    return {
        "schema_version": SCHEMA_VERSION,
        "intended_use": INTENDED_USE,
        "software": {"name": "microcalc-segmentation", "version": __version__},
        "model": {
            "name": findings.model_name,
            "version": findings.model_version,
            "arteries": findings.arteries_model,
        },
        "settings": asdict(findings.settings),
        "threshold": float(findings.threshold),
        "detector_threshold": float(findings.detector_threshold),
        "odds_divisor": float(findings.odds_divisor),
        "source": _source(mammogram),
        "image": _image(mammogram),
        "areas_cm2": {
            "breast": _area_cm2(findings.breast, mammogram),
            "candidate_rois": _area_cm2(findings.candidates, mammogram),
            "calcifications": _area_cm2(findings.mask, mammogram),
        },
        "counts": {
            "calcifications": len(findings.calcifications),
            "isolated": sum(mc.isolated for mc in findings.calcifications),
            "clusters": len(findings.clusters),
            "coarse": sum(mc.coarse for mc in findings.calcifications),
            "vascular": len(findings.vascular),
        },
        "calcifications": calcification_rows(findings),
        "clusters": _outlined(cluster_rows(findings), findings.clusters),
        "vascular": _outlined(vascular_rows(findings), findings.vascular),
    }


def write_findings_json(findings: Findings, path: Path) -> None:
    """Write UTF-8 JSON. Raises OSError, and ValueError for a number that is not finite."""
    document = findings_document(findings)
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _outlined(rows: list[dict], groups: tuple[Cluster, ...]) -> list[dict]:
    return [
        row | {"outline_rc": np.round(np.asarray(one.outline_rc, dtype=float), 2).tolist()}
        for row, one in zip(rows, groups, strict=True)
    ]


def _source(mammogram: Mammogram) -> dict:
    source = mammogram.source
    return {
        "name": source.name,
        # The last part only: folders often carry names of people.
        "file": PurePath(source.path).name if source.path else None,
        "view": mammogram.view,
        "laterality": mammogram.laterality,
        "presentation": mammogram.presentation,
        "dicom": {keyword: str(value) for keyword, value in source.dicom.items()},
    }


def _image(mammogram: Mammogram) -> dict:
    rows, cols = mammogram.pixels.shape
    geometry = mammogram.geometry
    return {
        "rows": rows,
        "cols": cols,
        "spacing_mm": [float(mm) for mm in mammogram.spacing_mm],
        "spacing_from": mammogram.source.spacing_from,
        "magnification": float(mammogram.magnification),
        "geometry": {
            "spacing_mm": [float(mm) for mm in geometry.spacing_mm],
            "origin_lps_mm": [float(mm) for mm in geometry.origin_lps],
            "directions_lps": np.asarray(geometry.directions_lps, dtype=float).tolist(),
            "slice_thickness_mm": float(geometry.slice_thickness_mm),
        },
    }


def _area_cm2(inside: np.ndarray, mammogram: Mammogram) -> float:
    return round(np.count_nonzero(inside) * mammogram.pixel_area_mm2 / 100.0, 5)
