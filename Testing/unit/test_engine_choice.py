import pytest
from MicrocalcSegmentationLib.errors import InputError, ModelError
from MicrocalcSegmentationLib.inference.engines import Machine, choose

EVERYTHING = Machine(onnx=True, keras=True, onnx_gpu=True, keras_gpu=True)
LIGHT = Machine(onnx=True, keras=False, onnx_gpu=False, keras_gpu=False)
TRAINER = Machine(onnx=True, keras=True, onnx_gpu=False, keras_gpu=False)
CUDA_KERAS = Machine(onnx=True, keras=True, onnx_gpu=False, keras_gpu=True)
ONLY_KERAS = Machine(onnx=False, keras=True, onnx_gpu=False, keras_gpu=False)


@pytest.mark.parametrize(
    ("machine", "engine", "device", "chosen"),
    [
        (EVERYTHING, "auto", "auto", ("onnx", "gpu")),
        (EVERYTHING, "auto", "cpu", ("onnx", "cpu")),
        (EVERYTHING, "keras", "auto", ("keras", "gpu")),
        (EVERYTHING, "keras", "cpu", ("keras", "cpu")),
        (LIGHT, "auto", "auto", ("onnx", "cpu")),
        (TRAINER, "auto", "auto", ("onnx", "cpu")),
        (TRAINER, "keras", "auto", ("keras", "cpu")),
        (CUDA_KERAS, "auto", "auto", ("keras", "gpu")),
        (CUDA_KERAS, "onnx", "auto", ("onnx", "cpu")),
        (CUDA_KERAS, "auto", "gpu", ("keras", "gpu")),
        (ONLY_KERAS, "auto", "auto", ("keras", "cpu")),
    ],
)
def test_a_gpu_comes_first_and_onnx_runtime_before_keras(machine, engine, device, chosen):
    choice = choose(engine, device, has_onnx=True, machine=machine)
    assert (choice.engine, choice.device) == chosen
    assert choice.reason


def test_a_model_without_graphs_runs_on_keras_and_says_why():
    choice = choose("auto", "auto", has_onnx=False, machine=TRAINER)
    assert choice.engine == "keras"
    assert "no ONNX graphs" in choice.reason


@pytest.mark.parametrize(
    ("machine", "engine", "device", "has_onnx", "error", "says"),
    [
        (LIGHT, "auto", "gpu", True, InputError, "no GPU"),
        (CUDA_KERAS, "onnx", "gpu", True, InputError, "no GPU"),
        (LIGHT, "keras", "auto", True, InputError, "Keras is not installed"),
        (ONLY_KERAS, "onnx", "auto", True, InputError, "ONNX Runtime is not installed"),
        (LIGHT, "onnx", "auto", False, ModelError, "no ONNX graphs"),
        (LIGHT, "auto", "tpu", True, InputError, "'tpu' is unknown"),
        (LIGHT, "torch", "auto", True, InputError, "'torch'"),
    ],
)
def test_what_there_is_not_is_refused(machine, engine, device, has_onnx, error, says):
    with pytest.raises(error, match=says):
        choose(engine, device, has_onnx, machine)
