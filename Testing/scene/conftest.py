"""A real MRML scene, from the slicer-core wheel, without the application."""

import importlib.util
import sys
from pathlib import Path

import pytest

_LOGICS = ("Volumes", "SubjectHierarchyModule", "SegmentationsModule", "Markups", "Tables")


@pytest.fixture(scope="session")
def slicer():
    # Elsewhere a missing wheel is a broken installation, and fails.
    if sys.version_info[:2] not in ((3, 11), (3, 12)):
        pytest.skip("slicer-core has wheels for Python 3.11 and 3.12 only")
    import slicer

    return slicer


@pytest.fixture(scope="session")
def slice_view():
    """The class of the neighbouring file; tests are imported one by one, not as a package."""
    path = Path(__file__).with_name("rendering.py")
    spec = importlib.util.spec_from_file_location("rendering", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SliceView


@pytest.fixture
def mrml(slicer):
    """The scene and its logics by name: mrml.scene, mrml.Volumes, mrml.Markups, ..."""
    return _Mrml(slicer)


class _Mrml:
    def __init__(self, slicer):
        self.scene = slicer.vtkMRMLScene()
        # Kept referenced: the module logics crash when it has been collected.
        self.application = slicer.vtkSlicerApplicationLogic()
        self.application.SetMRMLScene(self.scene)
        for name in _LOGICS:
            logic = getattr(slicer, f"vtkSlicer{name}Logic")()
            logic.SetMRMLApplicationLogic(self.application)
            logic.SetMRMLScene(self.scene)
            setattr(self, name.removesuffix("Module"), logic)

    def nodes(self, class_name):
        found = self.scene.GetNodesByClass(class_name)
        return [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]
