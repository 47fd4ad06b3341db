"""Microcalcifications in mammograms: find, segment, measure, report.

The whole way is three lines::

    from MicrocalcSegmentationLib import load_model, read_mammogram, segment

    findings = segment(read_mammogram("image.dcm"), load_model())
    findings.clusters
"""

__version__ = "0.1.0"
