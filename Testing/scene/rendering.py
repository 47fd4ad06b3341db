"""A slice view drawn by Slicer's own code, without a window: what a user sees."""

import numpy as np


class SliceView:
    """An axial slice view of a scene, (height, width) pixels, of one volume.

    Keeps what VTK needs alive for as long as it lives.
    """

    def __init__(self, slicer, scene, application, volume, size=(600, 600), name="Red"):
        import vtk

        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application)
        self._logic.SetMRMLScene(scene)
        self.node = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        if self.node is None:
            self.node = self._logic.AddSliceNode(name)
        else:
            self._logic.SetSliceNode(self.node)
        self.node.SetOrientation("Axial")
        height, width = size
        self.node.SetDimensions(width, height, 1)
        self._logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        self._logic.FitSliceToVolume(volume, width, height)
        self._renderer = vtk.vtkRenderer()
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetMultiSamples(0)
        self._window.SetSize(width, height)
        self._window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkRenderWindowInteractor()
        self._window.SetInteractor(self._interactor)
        mapper = vtk.vtkImageMapper()
        mapper.SetColorWindow(255)
        mapper.SetColorLevel(127.5)
        mapper.SetInputConnection(self._logic.GetImageDataConnection())
        actor = vtk.vtkActor2D()
        actor.SetMapper(mapper)
        # Before the displayable managers, or else it covers what they draw.
        self._renderer.AddViewProp(actor)
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(application)
        for name in (
            "vtkMRMLSegmentationsDisplayableManager2D",
            "vtkMRMLMarkupsDisplayableManager",
        ):
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._managers = factory.InstantiateDisplayableManagers(self._renderer)
        self._managers.SetMRMLDisplayableNode(self.node)

    def picture(self) -> np.ndarray:
        """(height, width, 3) uint8, the first row on top."""
        import vtk
        from vtk.util.numpy_support import vtk_to_numpy

        self._window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.ReadFrontBufferOff()
        grab.Update()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)
        return values[::-1, :, :3].copy()

    def xy_of(self, ras) -> tuple[int, int]:
        """(row, col) of the picture where a place is drawn."""
        import vtk

        inverse = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.node.GetXYToRAS(), inverse)
        col, row, *_ = inverse.MultiplyPoint((*ras, 1.0))
        return round(self._window.GetSize()[1] - 1 - row), round(col)
