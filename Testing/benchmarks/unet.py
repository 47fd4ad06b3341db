"""A small U-Net as a peer: what a dense network of the usual kind takes for the same image."""

import numpy as np
import onnx
import onnxruntime
from MicrocalcSegmentationLib.bands import cores
from onnx import TensorProto, helper, numpy_helper

CHANNELS = (16, 32, 64, 128)


def open_unet():
    """(1, 1, rows, cols) float32 -> (1, 1, rows, cols), sides multiples of 8."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    session = onnxruntime.InferenceSession(_model(), options, ["CPUExecutionProvider"])
    return lambda pixels: session.run(None, {"pixels": pixels})[0]


def operations(side: int) -> float:
    """Of the convolutions, for a square tile."""
    total = 0.0
    for before, after, level, kernel in _layers():
        total += 2 * (side / 2**level) ** 2 * kernel**2 * before * after
    return total


def _layers():
    """(channels in, out, level, kernel) of each convolution, in order."""
    before = 1
    for level, count in enumerate(CHANNELS):
        yield before, count, level, 3
        yield count, count, level, 3
        before = count
    for level in (2, 1, 0):
        yield CHANNELS[level + 1] + CHANNELS[level], CHANNELS[level], level, 3
        yield CHANNELS[level], CHANNELS[level], level, 3
    yield CHANNELS[0], 1, 0, 1


def _model() -> bytes:
    nodes, constants, skips = [], [], {}
    rng = np.random.default_rng(0)

    def add(operator, *inputs, **attributes):
        output = f"{operator.lower()}{len(nodes)}"
        nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(values):
        name = f"constant{len(constants)}"
        constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    x, last = "pixels", len(list(_layers())) - 1
    doubled = constant(np.array([1, 1, 2, 2], np.float32))
    for number, (before, after, level, kernel) in enumerate(_layers()):
        is_first = number % 2 == 0
        if is_first and level > 0 and number < 2 * len(CHANNELS):
            x = add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        if is_first and number >= 2 * len(CHANNELS) and number < last:
            x = add("Resize", x, "", doubled, mode="nearest")
            x = add("Concat", x, skips[level], axis=1)
        shape = (after, before, kernel, kernel)
        weights = rng.normal(0, np.sqrt(2 / (before * kernel**2)), shape)
        pads = [kernel // 2] * 4
        x = add("Conv", x, constant(weights.astype(np.float32)), kernel_shape=shape[2:], pads=pads)
        x = add("Sigmoid" if number == last else "Relu", x)
        skips.setdefault(level, x)
        if not is_first and number < 2 * len(CHANNELS):
            skips[level] = x
    shape = [1, 1, "rows", "cols"]
    nodes.append(helper.make_node("Identity", [x], ["probability"]))
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name in ("pixels", "probability")
    ]
    graph = helper.make_graph(nodes, "unet", infos[:1], infos[1:], constants)
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()
