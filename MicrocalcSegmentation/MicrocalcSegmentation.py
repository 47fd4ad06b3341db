"""The Slicer module. Hidden as long as it has no panel: it puts the library within reach.

In Slicer's Python console::

    from MicrocalcSegmentationLib import load_model, read_mammogram, segment
"""

from slicer.ScriptedLoadableModule import ScriptedLoadableModule


class MicrocalcSegmentation(ScriptedLoadableModule):
    """What Slicer shows of the module."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "Microcalcification Segmentation"
        parent.categories = ["Segmentation"]
        parent.hidden = True
        parent.contributors = ["The authors of Microcalcification Segmentation"]
        parent.helpText = "Finds and segments breast microcalcifications in mammograms."
        parent.acknowledgementText = (
            "After Valvano et al., Convolutional Neural Networks for the Segmentation of "
            "Microcalcification in Mammography Imaging, J Healthcare Eng 2019, 9360941."
        )
