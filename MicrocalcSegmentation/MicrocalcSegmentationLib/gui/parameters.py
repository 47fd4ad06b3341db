"""What the panel is set to, kept in the scene; importable inside the application only."""

from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from ..model import load_model, shipped_models


@parameterNodeWrapper
class MicrocalcSegmentationParameterNode:
    """inputVolume: the mammogram. threshold: probability from which a pixel is MC.

    model: a shipped one's name. forceCpu: leave a GPU alone. keepProbability: also as a volume.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    threshold: Annotated[float, WithinRange(0.05, 1.0)] = load_model().threshold
    model: Annotated[str, Choice(shipped_models())] = shipped_models()[0]
    forceCpu: bool = False
    keepProbability: bool = False
