"""Microcalcifications in mammograms: find, segment, measure, report.

The whole way is three lines::

    from MicrocalcSegmentationLib import load_model, read_mammogram, segment

    findings = segment(read_mammogram("image.dcm"), load_model())
    findings.clusters
"""

from importlib import import_module

__version__ = "0.1.0"

_HOMES = {
    "Mammogram": ".mammogram",
    "Settings": ".settings",
    "load_model": ".model",
    "read_mammogram": ".reading",
    "segment": ".pipeline",
    "write_findings": ".export",
}
__all__ = ["Mammogram", "Settings", "load_model", "read_mammogram", "segment", "write_findings"]


def __getattr__(name: str):
    # On first use only, so that `microcalc --help` does not wait for scientific libraries.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
