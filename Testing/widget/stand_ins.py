"""What of Slicer's window the tests stand in for.

The four qMRML and ctk widgets of the .ui, the parameter node wrapper (as strict about widgets
and types as Slicer's), and the base classes of scripted modules.
"""

import sys
import types
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

MODULE_FOLDER = Path(__file__).parents[2] / "MicrocalcSegmentation"


def add_module(name, **contents):
    import slicer

    module = types.ModuleType(name)
    module.__dict__.update(contents)
    sys.modules[name] = module
    setattr(slicer, name.rsplit(".", maxsplit=1)[-1], module)


def widget_classes(widgets, core):
    def forwarded(name, kind):
        """A property that the slider's spin box has."""

        def read(self):
            return getattr(self.spin, name)()

        def write(self, value):
            getattr(self.spin, f"set{name[0].upper()}{name[1:]}")(value)

        return core.Property(kind, read, write)

    class qMRMLWidget(widgets.QWidget):
        mrmlSceneChanged = core.Signal(object)

        def setMRMLScene(self, scene):
            for child in self.findChildren(qMRMLNodeComboBox):
                child.setMRMLScene(scene)

    class qMRMLNodeComboBox(widgets.QComboBox):
        currentNodeChanged = core.Signal(object)

        def __init__(self, parent=None):
            super().__init__(parent)
            self._nodes = [None]
            self.addItem("Select a Volume")
            self.currentIndexChanged.connect(
                lambda index: self.currentNodeChanged.emit(self._nodes[max(index, 0)])
            )

        def setMRMLScene(self, scene):
            for node in (scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())):
                if node.IsA("vtkMRMLScalarVolumeNode"):
                    self._add(node)
            scene.AddObserver("ModifiedEvent", lambda *_: None)

        def _add(self, node):
            if node not in self._nodes:
                self._nodes.append(node)
                self.addItem(node.GetName())

        def currentNode(self):
            return self._nodes[max(self.currentIndex(), 0)]

        def setCurrentNode(self, node):
            self._add(node)
            self.setCurrentIndex(self._nodes.index(node))

    class ctkCollapsibleButton(widgets.QGroupBox):
        def __init__(self, parent=None):
            super().__init__(parent)
            self._collapsed = False

        def _get(self):
            return self._collapsed

        def _set(self, collapsed):
            self._collapsed = collapsed

        collapsed = core.Property(bool, _get, _set)
        text = core.Property(str, widgets.QGroupBox.title, widgets.QGroupBox.setTitle)

    class ctkSliderWidget(widgets.QWidget):
        valueChanged = core.Signal(float)

        def __init__(self, parent=None):
            super().__init__(parent)
            box = widgets.QHBoxLayout(self)
            box.setContentsMargins(0, 0, 0, 0)
            self.slider = widgets.QSlider(core.Qt.Orientation.Horizontal)
            self.spin = widgets.QDoubleSpinBox()
            box.addWidget(self.slider)
            box.addWidget(self.spin)
            self.slider.setRange(0, 1000)
            self.slider.valueChanged.connect(lambda step: self.spin.setValue(step / 1000))
            self.spin.valueChanged.connect(lambda value: self.slider.setValue(round(1000 * value)))
            self.spin.valueChanged.connect(self.valueChanged)

        value = forwarded("value", float)
        minimum = forwarded("minimum", float)
        maximum = forwarded("maximum", float)
        singleStep = forwarded("singleStep", float)
        decimals = forwarded("decimals", int)
        pageStep = core.Property(float, lambda _: 0.0, lambda *_: None)
        tracking = core.Property(bool, lambda _: True, lambda *_: None)

        def setValue(self, value):
            self.spin.setValue(value)

    return qMRMLWidget, qMRMLNodeComboBox, ctkCollapsibleButton, ctkSliderWidget


def load_ui(path, slicer, qt, ctk):
    loader = qt.QUiLoader()
    for made in (slicer.qMRMLWidget, slicer.qMRMLNodeComboBox):
        loader.registerCustomWidget(made)
    for made in (ctk.ctkCollapsibleButton, ctk.ctkSliderWidget):
        loader.registerCustomWidget(made)
    widget = loader.load(str(path))
    assert widget is not None, loader.errorString()
    return widget


def child_widgets(widget):
    from PySide6 import QtWidgets

    found = {child.objectName(): child for child in widget.findChildren(QtWidgets.QWidget)}
    return types.SimpleNamespace(**{name: child for name, child in found.items() if name})


def parameter_wrapper(slicer, qt, ctk):
    """A decorator like Slicer's, with its rules of which widget takes which type."""

    class Choice(list):
        pass

    class WithinRange:
        def __init__(self, minimum, maximum):
            self.minimum, self.maximum = minimum, maximum

    takes = {
        bool: (qt.QCheckBox,),
        float: (qt.QDoubleSpinBox, ctk.ctkSliderWidget),
        str: (qt.QComboBox,),
        slicer.vtkMRMLScalarVolumeNode: (slicer.qMRMLNodeComboBox,),
    }

    class Wrapped:
        def __init__(self, node):
            self.__dict__["parameterNode"] = node
            self.__dict__["_values"] = {
                name: getattr(type(self), name, None) for name in self._kinds
            }
            self.__dict__["_bound"] = {}

        def __getattribute__(self, name):
            values = object.__getattribute__(self, "__dict__").get("_values", {})
            return values[name] if name in values else object.__getattribute__(self, name)

        def __setattr__(self, name, value):
            if name not in self._kinds:
                raise AttributeError(name)
            if self._values[name] == value:
                return
            self._values[name] = value
            if name in self._bound:
                self._write(name)
            self.parameterNode.Modified()

        def connectGui(self, ui):
            for widget in vars(ui).values():
                name = widget.property("SlicerParameterName")
                if name is None:
                    continue
                kind, extra = self._kinds[name]
                if not any(type(widget) is allowed for allowed in takes[kind]):
                    raise RuntimeError(f"Unable to create GUI connector from {kind} to {widget}")
                self._bind(name, widget, kind, extra)
            return 1

        def disconnectGui(self, _connection):
            self._bound.clear()

        def _bind(self, name, widget, kind, extra):
            for one in extra:
                if isinstance(one, WithinRange):
                    widget.setProperty("minimum", one.minimum)
                    widget.setProperty("maximum", one.maximum)
                if isinstance(one, Choice):
                    widget.clear()
                    widget.addItems(one)
            self._bound[name] = (widget, kind)
            self._write(name)
            signal, read = {
                bool: ("toggled", "isChecked"),
                float: ("valueChanged", None),
                str: ("currentIndexChanged", "currentText"),
            }.get(kind, ("currentNodeChanged", "currentNode"))
            value = (lambda: widget.property("value")) if read is None else getattr(widget, read)

            def take(*_):
                if name in self._bound:
                    setattr(self, name, value())

            getattr(widget, signal).connect(take)

        def _write(self, name):
            widget, kind = self._bound[name]
            value = self._values[name]
            if kind is bool:
                widget.setChecked(value)
            elif kind is float:
                widget.setProperty("value", value)
            elif kind is str:
                widget.setCurrentText(value)
            else:
                widget.setCurrentNode(value)

    def wrap(cls):
        hints = get_type_hints(cls, include_extras=True)
        kinds = {}
        for name, hint in hints.items():
            plain = get_args(hint)[0] if get_origin(hint) is not None else hint
            kinds[name] = (plain, get_args(hint)[1:])
        return type(cls.__name__, (Wrapped,), {**vars_of(cls, hints), "_kinds": kinds})

    def vars_of(cls, hints):
        return {name: getattr(cls, name) for name in hints if hasattr(cls, name)}

    return {"parameterNodeWrapper": wrap, "Choice": Choice, "WithinRange": WithinRange}


def base_classes(slicer):
    class ScriptedLoadableModule:
        def __init__(self, parent):
            self.parent = parent

    class ScriptedLoadableModuleWidget:
        def __init__(self, parent=None):
            from PySide6 import QtWidgets

            self.parent = parent or QtWidgets.QWidget()
            self.parent.isEntered = True
            self.layout = QtWidgets.QVBoxLayout(self.parent)

        def setup(self):
            pass

        def resourcePath(self, name):
            return str(MODULE_FOLDER / "Resources" / name)

    class ScriptedLoadableModuleLogic:
        def __init__(self, parent=None):
            self.moduleName = "MicrocalcSegmentation"

        def getParameterNode(self):
            scene = slicer.mrmlScene
            node = scene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if node is None:
                node = slicer.vtkMRMLScriptedModuleNode()
                node.SetSingletonTag(self.moduleName)
                node = scene.AddNode(node)
            return node

    class ScriptedLoadableModuleTest:
        def setUp(self):
            pass

        def delayDisplay(self, message, msec=None):
            pass

    return {
        made.__name__: made
        for made in (
            ScriptedLoadableModule,
            ScriptedLoadableModuleWidget,
            ScriptedLoadableModuleLogic,
            ScriptedLoadableModuleTest,
        )
    }
