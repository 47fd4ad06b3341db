"""What the panel is set to, kept in the scene; importable inside the application only."""

from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from ..model import load_model, shipped_models

# As the panel shows them -> `Settings.engine`.
ENGINES = {"Automatic": "auto", "ONNX Runtime": "onnx", "TensorFlow": "keras"}


@parameterNodeWrapper
class MicrocalcSegmentationParameterNode:
    """inputVolume: the mammogram. wholeStudy: work on rcc, lcc, rmlo, lmlo instead.

    threshold: probability from which a pixel is MC. model: a shipped one's name. engine: a key of
    `ENGINES`. forceCpu: leave a GPU alone. keepProbability: also as a volume.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    wholeStudy: bool = False
    rcc: vtkMRMLScalarVolumeNode
    lcc: vtkMRMLScalarVolumeNode
    rmlo: vtkMRMLScalarVolumeNode
    lmlo: vtkMRMLScalarVolumeNode
    threshold: Annotated[float, WithinRange(0.05, 1.0)] = load_model().threshold
    model: Annotated[str, Choice(shipped_models())] = shipped_models()[0]
    engine: Annotated[str, Choice(list(ENGINES))] = next(iter(ENGINES))
    forceCpu: bool = False
    keepProbability: bool = False
