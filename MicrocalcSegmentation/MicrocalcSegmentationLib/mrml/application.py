"""The scene to work in: Slicer's own where there is an application, else one made here."""

import tempfile
from pathlib import Path

import slicer

from ..errors import InputError
from ..export.staging import write_all

# Each registers its kinds of node with the scene, without which they can be neither made
# nor saved. Colors gives volumes their grey scale.
_LOGICS = {
    "Colors": "vtkMRMLColorLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Tables": "vtkSlicerTablesLogic",
}


class OwnScene:
    """A scene without the application, for as long as this object lives.

    scene: the vtkMRMLScene. application: its logic, without which the others crash.
    """

    def __init__(self):
        self.scene = slicer.vtkMRMLScene()
        self.application = slicer.vtkSlicerApplicationLogic()
        self.application.SetMRMLScene(self.scene)
        # Scenes are packed and unpacked there; an empty path would mean the root folder.
        self.application.SetTemporaryPath(tempfile.gettempdir())
        self._logics = [self._started(*names) for names in _LOGICS.items()]
        self._remote = slicer.vtkMRMLRemoteIOLogic()
        self._remote.SetMRMLScene(self.scene)
        self._remote.AddDataIOToScene()

    def _started(self, module: str, class_name: str):
        logic = getattr(slicer, class_name)()
        logic.SetMRMLApplicationLogic(self.application)
        logic.SetMRMLScene(self.scene)
        self.application.SetModuleLogic(module, logic)
        return logic

    def close(self) -> None:
        """Empty the scene."""
        self.scene.Clear(True)


class ApplicationScene:
    """The application's scene; closing it is not ours to do."""

    def __init__(self):
        self.scene = slicer.mrmlScene

    def close(self) -> None:
        pass


def open_scene() -> OwnScene | ApplicationScene:
    """The scene that there is, or a new one."""
    return ApplicationScene() if hasattr(slicer, "mrmlScene") else OwnScene()


def save_scene(scene, path: Path) -> None:
    """Write a whole scene with its data as one `.mrb`, or not at all.

    Raises InputError when it cannot be written.
    """
    _add_storage(scene)

    def write(beside: Path) -> None:
        if not scene.WriteToMRB(str(beside), None):
            raise OSError("Slicer could not write the scene")

    write_all(Path(path).parent, {Path(path).name: write})


def load_scene(scene, path: Path) -> None:
    """Replace what is in a scene by a saved one. Raises InputError when it cannot be read."""
    if not Path(path).is_file() or not scene.ReadFromMRB(str(path), True):
        raise InputError(f"{path}: no Slicer scene (.mrb) that can be read")


def _add_storage(scene) -> None:
    for index in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(index)
        if node.IsA("vtkMRMLStorableNode") and node.GetSaveWithScene():
            node.AddDefaultStorageNode()
