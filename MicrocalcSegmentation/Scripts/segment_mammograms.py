"""Mammograms to Slicer scenes without a window; `--help` says all.

    Slicer --no-main-window --python-script segment_mammograms.py IMAGE... --output DIR

It also runs in any Python that has the library and the slicer-core wheel. A file of its own,
because Slicer runs scripts by their path, outside of any package.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import slicer
from MicrocalcSegmentationLib.mrml.headless import main

try:
    code = main(sys.argv[1:])
except SystemExit as wrong_usage:  # which the application would take no notice of
    code = wrong_usage.code or 0
if hasattr(slicer, "app"):
    slicer.util.exit(code)
sys.exit(code)
