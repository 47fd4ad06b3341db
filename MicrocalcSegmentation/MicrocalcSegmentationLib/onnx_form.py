"""The networks as ONNX graphs, made from their weights alone.

A graph takes `pixels`, (B, 1, rows, cols) float32, and gives `probability`, a flat float32
array in the order of image, row and column. What lies between its answers:

- plain: as `networks.build`; one answer for a square of `Architecture.input_side`.
- shared, step 1: an answer for the square that starts at each pixel.
- shared, step s: an answer for the square that starts at every s-th pixel each way, for
  images of s (n - 1) + `Architecture.seen_side` rows and as many columns or others.

Graphs of networks without zero padding have batch normalisation folded into the weights.
Operators: https://onnx.ai/onnx/operators/
"""

import numpy as np

from .errors import ModelError
from .networks import LAYERS, NORMS, POOLED_AFTER, Architecture, affine, fold

OPSET, IR_VERSION = 17, 8  # of 2022, so that old runtimes read them too
# ONNX Runtime computes six neighbours at a time; the map of a patch is narrower than that.
SIDE_BY_SIDE = 6


def onnx_bytes(
    architecture: Architecture, weights: dict[str, np.ndarray], step: int | None = None
) -> bytes:
    """A network as a serialised ONNX model.

    weights: as in `Architecture.weight_shapes`. step: of `Architecture.shared_step` for a
    shared graph, None for the plain one.
    Raises ModelError where the package onnx is not installed.
    """
    graph = _Graph()
    if architecture.padding == "same":
        logit = _padded(graph, architecture, weights)
    elif step == 1:
        logit = _at_every_pixel(graph, architecture, weights)
    else:
        logit = _strided(graph, architecture, weights, step)
    graph.add("Reshape", graph.add("Sigmoid", logit), graph.constant([-1]), output="probability")
    return graph.serialised()


def _strided(graph: "_Graph", architecture: Architecture, weights, step: int | None) -> str:
    """Answers every 4 pixels, or every `step` pixels."""
    x, side = "pixels", architecture.input_side
    # Answers, on the last map; where each is asked for, the plain graph's own ones.
    apart = None if step in (None, architecture.stride) else step // architecture.stride
    count, spread = None, {}
    for number, (kernel, bias) in enumerate(fold(weights), 1):
        x = graph.convolution(x, kernel, bias, **spread)
        side -= kernel.shape[0] - 1
        if number < len(LAYERS):
            x = graph.add("Relu", x)
        if number in POOLED_AFTER:
            x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
            side //= 2
        elif apart and number > max(POOLED_AFTER) and side == apart:
            # Each patch now has a block of its own, so what lies between them can be left out.
            x, count = graph.blocks(x, side, kernel.shape[-1], SIDE_BY_SIDE)
            apart, spread = None, {"dilations": [1, SIDE_BY_SIDE]}
    if apart:
        ends = [np.iinfo(np.int64).max] * 2
        x = graph.add("Slice", x, *map(graph.constant, ([0, 0], ends, [2, 3], [apart, apart])))
    if count:
        x = graph.add("Reshape", x, graph.constant([-1]))
        x = graph.add("Slice", x, graph.constant([0]), count)
    return x


def _at_every_pixel(graph: "_Graph", architecture: Architecture, weights) -> str:
    """As `networks.build_dense`, with poolings of stride 1 and dilation."""
    x, spread = "pixels", 1
    for number, (kernel, bias) in enumerate(fold(weights), 1):
        x = graph.convolution(x, kernel, bias, dilations=[spread, spread])
        if number < len(LAYERS):
            x = graph.add("Relu", x)
        if number in POOLED_AFTER:
            x = graph.add(
                "MaxPool", x, kernel_shape=[2, 2], strides=[1, 1], dilations=[spread, spread]
            )
            spread *= 2
    return x


def _padded(graph: "_Graph", architecture: Architecture, weights) -> str:
    """With padding, normalisation stays where it is: what pads a map is not normalised."""
    x = "pixels"
    for number, name in enumerate(LAYERS, 1):
        kernel, bias = weights[f"{name}/kernel"], weights[f"{name}/bias"]
        if name == LAYERS[-1]:
            kernel, bias = kernel[..., 1:] - kernel[..., :1], bias[1:] - bias[:1]
            return graph.convolution(x, kernel, bias)
        rim = 1 if name.startswith("conv") else 0
        x = graph.add("Relu", graph.convolution(x, kernel, bias, pads=[rim] * 4))
        if number in POOLED_AFTER:
            x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        scale, shift = (
            graph.constant(v.astype(np.float32).reshape(-1, 1, 1))
            for v in affine(weights, NORMS[number - 1])
        )
        x = graph.add("Add", graph.add("Mul", x, scale), shift)
    return x


class _Graph:
    """Nodes and constants, as they are added; every node has one output."""

    def __init__(self):
        try:
            import onnx
        except ImportError as error:
            raise ModelError(
                "the networks cannot be written for ONNX Runtime: onnx is not installed; "
                "run: pip install 'microcalc-segmentation[cpu]'"
            ) from error
        self._onnx = onnx
        self._nodes, self._constants = [], []

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes) -> str:
        output = output or f"{operator.lower()}{len(self._nodes)}"
        node = self._onnx.helper.make_node(operator, list(inputs), [output], **attributes)
        self._nodes.append(node)
        return output

    def constant(self, values) -> str:
        name = f"constant{len(self._constants)}"
        array = np.ascontiguousarray(values)
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def convolution(self, x: str, kernel: np.ndarray, bias: np.ndarray, **attributes) -> str:
        """kernel: (rows, cols, in, out), as Keras has it."""
        constants = self.constant(kernel.transpose(3, 2, 0, 1)), self.constant(bias)
        return self.add("Conv", x, *constants, kernel_shape=kernel.shape[:2], **attributes)

    def blocks(self, x: str, side: int, channels: int, many: int) -> tuple[str, str]:
        """(B, C, r side, c side) -> (ceil(B r c / many), C, side, side many), and [B r c].

        So many blocks side by side, column 0 of each before column 1 of any: a kernel whose
        taps are `many` columns apart keeps to one block. The last ones are filled up with 0.
        """
        x = self.add("Transpose", x, perm=[0, 2, 3, 1])  # channels last, to move them as one
        x = self.add("Reshape", x, self.constant([0, 0, -1, side * channels]))
        x = self.add("Reshape", x, self.constant([-1, side, 0, side * channels]))
        x = self.add("Transpose", x, perm=[0, 2, 1, 3])
        x = self.add("Reshape", x, self.constant([-1, side**2 * channels]))
        count = self.add("Shape", x, end=1)
        short = self.add("Mod", self.add("Neg", count), self.constant([many]))
        ends = self.add("Concat", self.constant([0, 0]), short, self.constant([0]), axis=0)
        x = self.add("Pad", x, ends)
        x = self.add("Reshape", x, self.constant([-1, many, side, side, channels]))
        x = self.add("Transpose", x, perm=[0, 2, 3, 1, 4])
        x = self.add("Reshape", x, self.constant([-1, side, side * many, channels]))
        return self.add("Transpose", x, perm=[0, 3, 1, 2]), count

    def serialised(self) -> bytes:
        helper, float32 = self._onnx.helper, self._onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info("pixels", float32, ["B", 1, "rows", "cols"])],
            [helper.make_tensor_value_info("probability", float32, ["answers"])],
            self._constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="microcalc-segmentation",
        )
        self._onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString(deterministic=True)
