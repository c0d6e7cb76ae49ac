#!/usr/bin/env python3
"""Make the models of tests/data/models/: what exporters write, in small, and what attackers do.

    tests/make-models.py hand     graphs put together here (needs numpy and onnx)
    tests/make-models.py hostile  bad ones, for tests/onnx.cases (needs onnx)
    tests/make-models.py torch    exported by PyTorch, both exporters (torch, onnxscript)
    tests/make-models.py blocks   the same, of newer networks' blocks
    tests/make-models.py keras    exported by Keras through tf2onnx (tensorflow, tf2onnx)
    tests/make-models.py dynamic  by ONNX Runtime's quantizer, of one made here (onnxruntime)
    tests/make-models.py quantized  by ONNX Runtime's quantizer, of torch's (onnxruntime)
    tests/make-models.py sklearn  exported by skl2onnx (scikit-learn, skl2onnx)

The results are in the repository: tests need this script only to add one. Every model has random
weights: what matters is that two runtimes make the same of it.
"""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "data", "models")
rng = np.random.default_rng(1)


def weights(*shape):
    fan_in = int(np.prod(shape[1:])) or 1
    return (rng.standard_normal(shape) * (1.5 / fan_in) ** 0.5).astype(np.float32)


class Graph:
    """A graph being put together: nodes in order, constants by name."""

    def __init__(self, shape, opset, kind=T.FLOAT):
        self.nodes, self.consts, self.opset = [], [], opset
        self.input = h.make_tensor_value_info("x", kind, shape)
        self.last, self.count = "x", 0

    def const(self, value):
        self.count += 1
        name = f"c{self.count}"
        value = np.asarray(value)
        if value.dtype == np.float64:
            value = value.astype(np.float32)
        self.consts.append(numpy_helper.from_array(value, name))
        return name

    def op(self, kind, *inputs, **attributes):
        """Append a node; inputs: "" is what went before, arrays are constants."""
        self.count += 1
        name = f"{kind.lower()}{self.count}"
        names = []
        for i in inputs or ("",):
            names.append(i if isinstance(i, str) and i else self.last if isinstance(i, str)
                         else self.const(i))
        self.nodes.append(h.make_node(kind, names, [name], name=name, **attributes))
        self.last = name
        return name

    def save(self, name, shape, kind=T.FLOAT, ir=None):
        output = h.make_tensor_value_info(self.last, kind, shape)
        graph = h.make_graph(self.nodes, "g", [self.input], [output], self.consts)
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", self.opset)],
                             ir_version=ir or (4 if self.opset < 10 else 8))
        onnx.checker.check_model(model)
        onnx.save(model, os.path.join(OUT, name + ".onnx"))


def batchnorm(g, c):
    g.op("BatchNormalization", "", rng.uniform(.5, 1.5, c), rng.uniform(-.2, .2, c),
         rng.uniform(-.2, .2, c), rng.uniform(.5, 1.5, c), epsilon=1e-3)


def zoo_mnist(opset):
    """The ONNX model zoo's mnist: CNTK's export. Broadcast sums for biases, SAME_UPPER, weights
    that go through a Reshape, a batch of one, logits at the end."""
    g = Graph([1, 1, 28, 28], opset)
    g.op("Conv", "", weights(4, 1, 5, 5), auto_pad="SAME_UPPER", kernel_shape=[5, 5],
         strides=[1, 1], group=1, dilations=[1, 1])
    g.op("Add", "", weights(4, 1, 1))
    g.op("Relu")
    g.op("MaxPool", auto_pad="NOTSET", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])
    g.op("Conv", "", weights(6, 4, 5, 5), auto_pad="SAME_UPPER", kernel_shape=[5, 5],
         strides=[1, 1])
    g.op("Add", "", weights(6, 1, 1))
    g.op("Relu")
    g.op("MaxPool", auto_pad="NOTSET", kernel_shape=[3, 3], strides=[3, 3], pads=[0, 0, 0, 0])
    g.op("Reshape", "", np.array([1, 96]))
    flat = g.last
    w = g.op("Reshape", g.const(weights(6, 4, 4, 10) / 4), np.array([96, 10]))
    g.op("MatMul", flat, w)
    g.op("Add", "", weights(1, 10))
    g.save(f"zoo-mnist-{opset}", [1, 10])


def nhwc(name, opset, transposed_kernel=False, flatten_batchnorm=False):
    """Keras through tf2onnx: NHWC input, Transposes around the convolutions or only at the ends,
    the dense weights in the order H W C."""
    g = Graph(["N", 28, 28, 1], opset)
    g.op("Transpose", perm=[0, 3, 1, 2])
    if transposed_kernel:
        x = g.last
        w = g.op("Transpose", g.const(weights(3, 3, 1, 8)), perm=[3, 2, 0, 1])
        g.op("Conv", x, w, kernel_shape=[3, 3])
    else:
        g.op("Conv", "", weights(8, 1, 3, 3), weights(8), kernel_shape=[3, 3])
    g.op("Transpose", perm=[0, 2, 3, 1])
    g.op("Relu")
    g.op("Mul", "", rng.uniform(.5, 1.5, 8))
    g.op("Add", "", rng.uniform(-.2, .2, 8))
    g.op("Transpose", perm=[0, 3, 1, 2])
    g.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    g.op("Conv", "", weights(6, 8, 3, 3), weights(6), kernel_shape=[3, 3], strides=[2, 2],
         auto_pad="SAME_LOWER")
    g.op("Transpose", perm=[0, 2, 3, 1])
    g.op("Reshape", "", np.array([-1, 294]))
    if flatten_batchnorm:  # tensorflow-onnx#714
        x = g.last
        g.op("Add", g.const(rng.uniform(.5, 1.5, 294)), np.float32(1e-3))
        g.op("Sqrt")
        g.op("Reciprocal")
        scale = g.op("Mul", "", rng.uniform(.5, 1.5, 294))
        scaled = g.op("Mul", x, scale)
        mean = g.op("Mul", g.const(rng.uniform(-.2, .2, 294)), scale)
        shift = g.op("Sub", g.const(rng.uniform(-.2, .2, 294)), mean)
        g.op("Add", scaled, shift)
    g.op("MatMul", "", weights(10, 294).T.copy())
    g.op("Add", "", weights(10))
    g.op("Softmax")
    g.save(name, ["N", 10])


def shape_chain(name, opset):
    """x.view(x.size(0), -1) as tracers write it: Shape, Gather, Unsqueeze, Concat, Reshape."""
    g = Graph(["N", 1, 28, 28], opset)
    g.op("Conv", "", weights(6, 1, 5, 5), weights(6), kernel_shape=[5, 5], strides=[3, 3])
    x = g.op("Relu")
    g.op("Shape", x)
    g.op("Gather", "", np.array(0), axis=0)
    if opset < 13:
        n = g.op("Unsqueeze", axes=[0])
    else:
        n = g.op("Unsqueeze", "", np.array([0]))
    s = g.op("Shape", x)
    if opset < 10:
        rest = g.op("Slice", s, starts=[1], ends=[9223372036854775807], axes=[0])
    else:
        rest = g.op("Slice", s, np.array([1]), np.array([9223372036854775807]), np.array([0]))
    g.op("ReduceProd", rest, axes=[0], keepdims=1)
    g.op("Cast", to=T.INT64)
    g.op("Concat", n, g.last, axis=0)
    g.op("Reshape", x, g.last)
    g.op("Gemm", "", weights(10, 384), weights(10), transB=1, alpha=.5, beta=2.0)
    g.op("LogSoftmax", axis=1)
    g.save(name, ["N", 10])


def per_pixel(name):
    """Pixels 0..255, standardised one by one, and a perceptron: what feature scalers export."""
    g = Graph(["N", 784], 17)
    g.op("Sub", "", rng.uniform(0, 100, 784))
    g.op("Div", "", rng.uniform(50, 100, 784))
    g.op("MatMul", "", weights(16, 784).T.copy())
    g.op("Add", "", weights(16))
    g.op("Tanh")
    g.op("MatMul", "", weights(10, 16).T.copy())
    g.op("Add", "", weights(10))
    g.save(name, ["N", 10])


def mean_image(name):
    """A mean picture is subtracted before the first convolution."""
    g = Graph(["N", 1, 28, 28], 17)
    g.op("Sub", "", rng.uniform(0, 1, (1, 28, 28)))
    g.op("Conv", "", weights(4, 1, 3, 3), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    g.op("Relu")
    g.op("GlobalAveragePool")
    g.op("Squeeze", "", np.array([2, 3]))
    g.op("Gemm", "", weights(4, 10))
    g.save(name, ["N", 10])


def pixels(name):
    """Bytes in, cast, scaled and normalised in the graph; a batch of one that is dropped at the
    end."""
    g = Graph([1, 28, 28], 17, T.UINT8)
    g.op("Cast", to=T.FLOAT)
    g.op("Div", "", np.float32(255))
    g.op("Sub", "", np.float32(.1307))
    g.op("Mul", "", np.float32(1 / .3081))
    g.op("Unsqueeze", "", np.array([1]))
    g.op("Conv", "", weights(4, 1, 3, 3), kernel_shape=[3, 3], strides=[2, 2])
    g.op("LeakyRelu", alpha=.1)
    g.op("Flatten")
    g.op("Gemm", "", weights(10, 676), weights(10), transB=1)
    g.op("Softmax", axis=1)
    g.op("Squeeze", "", np.array([0]))
    g.save(name, [10])


def windows(name):
    """Pads on four sides, dilation, groups, ceil_mode, averages with and without the padding."""
    g = Graph(["N", 2, 27, 25], 19)
    g.op("Conv", "", weights(6, 1, 3, 2), kernel_shape=[3, 2], pads=[0, 1, 2, 3], group=2,
         strides=[1, 2], dilations=[2, 1])
    g.op("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=0)
    g.op("AveragePool", kernel_shape=[3, 2], pads=[1, 0, 1, 1], count_include_pad=1,
         strides=[2, 1])
    g.op("MaxPool", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1)
    g.op("Pad", "", np.array([0, 0, 1, 0, 0, 0, 0, 2]), np.float32(.5))
    g.op("MaxPool", kernel_shape=[2, 2], dilations=[2, 2], pads=[1, 0, 1, 1])
    g.op("Pad", "", np.array([1, 1]), "", np.array([2]))
    g.nodes[-1].input[2] = ""
    g.op("Conv", "", weights(5, 6, 3, 3), kernel_shape=[3, 3], auto_pad="VALID")
    g.op("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    g.op("Clip", "", np.float32(-.5), np.float32(.5))
    g.op("ReduceMean", "", np.array([2, 3]), keepdims=0)
    g.op("Gemm", "", weights(5, 3))
    g.save(name, ["N", 3])


def residual(name):
    """Sums and differences of two branches, one of them twice; the means of rows and columns one
    after the other."""
    g = Graph(["N", 1, 12, 12], 13)
    a = g.op("Conv", "", weights(8, 1, 3, 3), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    batchnorm(g, 8)
    g.op("Sigmoid")
    b = g.op("Conv", "", weights(8, 8, 3, 3), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    g.op("Add", a, b)
    c = g.op("Relu")
    g.op("Sub", c, b)
    g.op("Sub", np.float32(1), g.last)
    g.op("Add", g.last, a)
    g.op("ReduceMean", axes=[3], keepdims=1)
    g.op("ReduceMean", axes=[2], keepdims=0)
    g.op("Flatten")
    g.op("Gemm", "", weights(8, 4))
    g.save(name, ["N", 4])


def qdq(name, opset):
    """int8 in quantize-dequantize pairs: per-channel weights, per-tensor activations."""
    g = Graph(["N", 1, 14, 14], opset)

    def pair(scale, zero):
        s, z = g.const(np.float32(scale)), g.const(np.uint8(zero))
        g.op("QuantizeLinear", "", s, z)
        g.op("DequantizeLinear", "", s, z)
        return g.last

    def quantized(shape, axis):
        w = weights(*shape)
        scale = np.abs(w).max(axis=tuple(i for i in range(w.ndim) if i != axis)) / 127
        view = [-1 if i == axis else 1 for i in range(w.ndim)]
        q = np.clip(np.rint(w / scale.reshape(view)), -127, 127).astype(np.int8)
        return g.op("DequantizeLinear", g.const(q), scale, np.zeros(len(scale), np.int8),
                    axis=axis)

    x = pair(1 / 255, 0)
    w = quantized((6, 1, 3, 3), 0)
    g.op("Conv", x, w, weights(6), kernel_shape=[3, 3])
    g.op("Relu")
    pair(.02, 0)
    g.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    x = pair(.02, 0)
    w = quantized((4, 6, 3, 3), 0)
    g.op("Conv", x, w, weights(4), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    pair(.03, 120)
    x = g.op("Flatten")
    w = quantized((10, 144), 0)
    g.op("Gemm", x, w, weights(10), transB=1)
    g.save(name, ["N", 10])


def old_forms(name):
    """Opset 7's ways: Clip and Pad by attributes, Dropout with a ratio, weights as inputs too."""
    g = Graph([2, 1, 10, 10], 7)
    g.op("Pad", pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0.0)
    g.op("Conv", "", weights(4, 1, 3, 3), kernel_shape=[3, 3])
    g.op("Clip", min=0.0, max=6.0)
    g.op("Dropout", ratio=.3)
    batchnorm(g, 4)
    g.op("Reshape", "", np.array([0, -1]))
    g.op("Dropout")
    g.op("Gemm", "", weights(10, 400), weights(10), transB=1)
    g.op("Softmax")
    g.save(name, [2, 10], ir=4)


def half(name):
    """Weights in half precision, cast to float in the graph."""
    g = Graph(["N", 1, 8, 8], 13)
    w = g.op("Cast", g.const(weights(3, 1, 3, 3).astype(np.float16)), to=T.FLOAT)
    g.op("Conv", "x", w, kernel_shape=[3, 3])
    g.op("Relu")
    g.op("Flatten")
    w = g.op("Transpose", g.const(weights(10, 108)))
    g.op("MatMul", g.nodes[-2].output[0], w)
    g.op("Identity")
    g.save(name, ["N", 10])


def rounding(name):
    """Windows that end beyond the picture or step over its end: the average of those that are cut off at
    the end, and a kernel whose stride is wider than the picture."""
    g = Graph(["N", 1, 8, 8], 13)
    g.op("AveragePool", "", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, count_include_pad=1)
    g.op("Conv", "", weights(6, 1, 2, 2), kernel_shape=[2, 2], strides=[9, 9], auto_pad="SAME_LOWER")
    g.op("Flatten")
    g.save(name, ["N", 6])


def activations(name, opset):
    """The sum of every function of one value that the opset has."""
    g = Graph(["N", 1, 12, 12], opset)
    x = g.op("Conv", "", weights(6, 1, 3, 3), weights(6), kernel_shape=[3, 3], strides=[2, 2])
    functions = [("Elu", {"alpha": .7}), ("Selu", {}), ("Celu", {"alpha": 1.5}),
                 ("HardSigmoid", {"alpha": .3}), ("Softplus", {}), ("Softsign", {}),
                 ("ThresholdedRelu", {"alpha": .2}), ("Erf", {}), ("Exp", {}), ("Abs", {}),
                 ("Neg", {})]
    if opset >= 20:
        functions += [("HardSwish", {}), ("Mish", {}), ("Gelu", {}),
                      ("Gelu", {"approximate": "tanh"})]
    total = x
    for kind, more in functions:
        g.op(kind, x, **more)
        total = g.op("Add", total, "")
    for slope in weights(6, 1, 1), weights(5, 5), np.full((1,), .3, np.float32):
        g.op("PRelu", x, slope)
        total = g.op("Add", total, "")
    for kind, number in (("Greater", .1), ("Less", .2), ("GreaterOrEqual", .3), ("LessOrEqual", .4)):
        if opset >= 16:
            g.op(kind, x, np.float32(number))
            total = g.op("Where", "", total, x if number < .3 else np.float32(.5))
    g.op("Abs", total)
    g.op("Add", "", np.float32(.1))
    g.op("Log")
    g.op("Max", "", np.float32(-1))
    g.op("Min", "", np.float32(1.5))
    g.op("Flatten")
    g.op("Gemm", "", weights(150, 5))
    g.save(name, ["N", 5])


def gates(name):
    """Products and sums of two values, of one shape or repeated: SiLU, squeeze and excite by
    convolutions and by dense layers, a gate of rows and columns, quotients, powers."""
    g = Graph(["N", 1, 8, 8], 17)
    x = g.op("Conv", "", weights(6, 1, 3, 3), weights(6), kernel_shape=[3, 3])
    g.op("Sigmoid")
    x = g.op("Mul", x, g.last)
    g.op("GlobalAveragePool")
    g.op("Conv", "", weights(3, 6, 1, 1), kernel_shape=[1, 1])
    g.op("Relu")
    g.op("Conv", "", weights(6, 3, 1, 1), kernel_shape=[1, 1])
    g.op("HardSigmoid")
    x = g.op("Mul", g.last, x)
    g.op("ReduceMean", axes=[2, 3], keepdims=0)
    g.op("Gemm", "", weights(6, 3))
    g.op("Tanh")
    g.op("Gemm", "", weights(3, 6))
    g.op("Sigmoid")
    g.op("Reshape", "", np.array([-1, 6, 1, 1]))
    x = g.op("Mul", x, g.last)
    g.op("ReduceMean", axes=[1])
    g.op("Conv", "", weights(1, 1, 3, 3), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    y = g.op("Exp")
    x = g.op("Div", x, y)
    x = g.op("Sub", y, x)
    g.op("Pow", "", np.float32(2))
    g.op("Add", "", np.float32(1))
    g.op("Div", np.float32(1), "")
    g.op("Sum", "", x, y)
    flat = g.op("Flatten")
    g.op("Gemm", "x_flat", weights(64, 216) / 4)
    g.nodes.insert(0, h.make_node("Flatten", ["x"], ["x_flat"]))
    g.op("Add", flat, "")
    g.op("ReduceSum", "", np.array([1]))
    g.op("Mul", "", flat)
    g.op("Gemm", "", weights(216, 4))
    g.save(name, ["N", 4])


def joined(name):
    """Channels joined and cut: pictures, flattened pictures beside a dense layer, gated halves."""
    g = Graph(["N", 1, 12, 12], 18)
    x = g.op("Conv", "", weights(10, 1, 3, 3), weights(10), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    y = g.op("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    g.op("Concat", "x", x, y, axis=1)
    a = "half"
    g.op("Split", "", np.array([12, 9]), axis=1)
    g.nodes[-1].output.append(a)
    g.op("Slice", "", np.array([2]), np.array([11]), np.array([1]))
    g.op("Sigmoid")
    x = g.op("Mul", a, g.last)
    g.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    y = g.op("Flatten")
    g.op("Flatten", "x")
    g.op("Gemm", "", weights(144, 20))
    g.op("Concat", y, "", axis=-1)
    g.op("Split", axis=1, num_outputs=2)
    g.nodes[-1].output.append("second")
    g.op("Add", "", "second")
    g.op("Gemm", "", weights(172, 4))
    g.save(name, ["N", 4])


def enlarged(name):
    """Pictures made larger: nearest pixels by scales and by sizes, transposed convolutions with
    strides, pads, groups and dilation, channels repeated."""
    g = Graph([1, 1, 7, 6], 13)
    g.op("Conv", "", weights(4, 1, 3, 3), kernel_shape=[3, 3])
    g.op("Resize", "", "none", np.array([1, 1, 2, 3], np.float32), mode="nearest",
         coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    g.consts.append(numpy_helper.from_array(np.zeros(0, np.float32), "none"))
    g.op("ConvTranspose", "", weights(4, 3, 3, 2), weights(6), strides=[2, 1], pads=[1, 0, 0, 1],
         output_padding=[1, 0], group=2)
    g.op("Tanh")
    g.op("ConvTranspose", "", weights(6, 3, 2, 3), dilations=[1, 2])
    g.op("ConvTranspose", "", weights(3, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER")
    g.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    g.op("MaxPool", kernel_shape=[2, 2], strides=[3, 3])
    x = g.op("Relu")
    g.op("Resize", "", "none", "none", np.array([1, 3, 14, 10]), mode="nearest")
    g.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    y = g.last
    g.op("GlobalMaxPool", x)
    g.op("Expand", "", np.array([1, 3, 7, 5]))
    g.op("Add", "", y)
    g.op("Flatten")
    g.op("Gemm", "", weights(105, 4))
    g.save(name, [1, 4])


def normed(name, opset):
    """Normalized by layer, group and instance; by layer as older exporters put it together."""
    g = Graph(["N", 1, 12, 12], opset)
    g.op("Conv", "", weights(6, 1, 3, 3), weights(6), kernel_shape=[3, 3], strides=[2, 2])
    if opset >= 17:
        g.op("LayerNormalization", "", rng.uniform(.5, 1.5, (6, 5, 5)), weights(6, 5, 5), axis=1)
        g.op("LayerNormalization", "", rng.uniform(.5, 1.5, 5))
    g.op("InstanceNormalization", "", rng.uniform(.5, 1.5, 6), weights(6), epsilon=1e-3)
    if opset >= 21:
        g.op("GroupNormalization", "", rng.uniform(.5, 1.5, 6), weights(6), num_groups=3)
    g.op("Reshape", "", np.array([0, 3, -1]))  # PyTorch's group norm
    g.op("InstanceNormalization", "", np.ones(3), np.zeros(3))
    g.op("Reshape", "", np.array([-1, 6, 5, 5]))
    g.op("Mul", "", rng.uniform(.5, 1.5, (6, 1, 1)))
    g.op("Transpose", perm=[0, 2, 3, 1])
    axes = (lambda *a: {"axes": list(a)}) if opset < 18 else (lambda *a: {})
    also = (lambda *a: ()) if opset < 18 else (lambda *a: (np.array(a),))
    mean = g.op("ReduceMean", g.last, *also(-1), **axes(-1))
    x = g.op("Sub", g.nodes[-2].output[0], mean)
    g.op("Pow", "", np.float32(2))
    g.op("ReduceMean", "", *also(-1), **axes(-1))
    g.op("Add", "", np.float32(1e-5))
    g.op("Sqrt")
    g.op("Div", x, "")
    g.op("MatMul", "", weights(4, 6).T.copy())
    g.op("Transpose", perm=[0, 3, 1, 2])
    g.op("Flatten")
    g.op("Gemm", "", weights(100, 4))
    g.save(name, ["N", 4])


def linear_classifier(name, transform, labels, normalizer=True):
    """scikit-learn's LogisticRegression as skl2onnx writes it."""
    w, n = weights(len(labels), 64), len(labels)
    classes = ({"classlabels_strings": labels} if isinstance(labels[0], str) else
               {"classlabels_ints": labels})
    nodes = [h.make_node("LinearClassifier", ["X"], ["label", "scores"], domain="ai.onnx.ml",
                         coefficients=w.ravel().tolist(), intercepts=weights(n).tolist(),
                         multi_class=1, post_transform=transform, **classes)]
    if normalizer:
        nodes.append(h.make_node("Normalizer", ["scores"], ["sums"], domain="ai.onnx.ml", norm="L1"))
    kind = T.STRING if isinstance(labels[0], str) else T.INT64
    outputs = [h.make_tensor_value_info("label", kind, [None]),
               h.make_tensor_value_info(nodes[-1].output[-1], T.FLOAT, [None, n])]
    graph = h.make_graph(nodes, "g", [h.make_tensor_value_info("X", T.FLOAT, [None, 64])], outputs)
    model = h.make_model(graph, ir_version=8, opset_imports=[h.make_opsetid("", 15),
                                                            h.make_opsetid("ai.onnx.ml", 1)])
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(OUT, name + ".onnx"))


def functions(name):
    """The model's own functions: one that calls another, with an attribute handed on."""
    leaky = h.make_function("local", "Leaky", ["v"], ["w"],
                            [h.make_node("LeakyRelu", ["v"], ["t"]),
                             h.make_node("Identity", ["t"], ["w"])],
                            [h.make_opsetid("", 18)], ["slope"])
    given = leaky.node[0].attribute.add()
    given.name, given.type, given.ref_attr_name = "alpha", onnx.AttributeProto.FLOAT, "slope"
    linear = h.make_function("local", "Linear", ["v", "k", "b"], ["y"],
                             [h.make_node("Gemm", ["v", "k", "b"], ["t"], transB=1),
                              h.make_node("Leaky", ["t"], ["y"], domain="local", slope=.3)],
                             [h.make_opsetid("", 18), h.make_opsetid("local", 1)])
    nodes = [h.make_node("Flatten", ["x"], ["t"]),
             h.make_node("Linear", ["t", "w1", "b1"], ["u"], domain="local"),
             h.make_node("Linear", ["u", "w2"], ["v"], domain="local"),
             h.make_node("Leaky", ["v"], ["y"], domain="local", slope=2.0)]
    consts = [numpy_helper.from_array(weights(*s), n) for n, s in
              {"w1": (8, 64), "b1": (8,), "w2": (4, 8)}.items()]
    graph = h.make_graph(nodes, "g", [h.make_tensor_value_info("x", T.FLOAT, ["N", 1, 8, 8])],
                         [h.make_tensor_value_info("y", T.FLOAT, ["N", 4])], consts)
    model = h.make_model(graph, functions=[leaky, linear], ir_version=8,
                         opset_imports=[h.make_opsetid("", 18), h.make_opsetid("local", 1)])
    onnx.checker.check_model(model)
    onnx.save(model, os.path.join(OUT, name + ".onnx"))


def answers():
    """What cnn-predict is asked: sizes, channels, sigmoids, names and outputs that are not those of
    a model of ours (tests/compare-answers.py)."""
    for side, c in (32, 1), (28, 3), (64, 1), (14, 1), (224, 3):
        g = Graph(["N", c, side, side], 13)
        g.op("AveragePool", kernel_shape=[side // 14] * 2, strides=[side // 14] * 2)
        n = (side // (side // 14)) ** 2 * c
        g.op("Flatten")
        g.op("Gemm", "", weights(n, 10) * 3)
        g.op("Softmax", axis=1)
        g.save(f"answers/side-{side}-{c}", ["N", 10])
    g = Graph(["N", 1, 28, 28], 13)
    g.op("Flatten")
    g.op("Gemm", "", weights(784, 10) * 3)
    g.op("Sigmoid")
    g.save("answers/sigmoid", ["N", 10])
    g = Graph(["N", 1, 28, 28], 13)
    g.op("Flatten")
    g.op("Gemm", "", weights(784, 16))
    features = g.op("Relu")
    g.op("Gemm", "", weights(16, 10) * 3)
    g.save("answers/features", ["N", 10])
    path = os.path.join(OUT, "answers/features.onnx")
    model = onnx.load(path)
    model.graph.output.insert(0, h.make_tensor_value_info(features, T.FLOAT, ["N", 16]))
    onnx.save(model, path)
    g = Graph(["N", 1, 28, 28], 13)
    flat = g.op("Flatten")
    for name in "a", "b":
        g.op("Gemm", flat, weights(784, 10) * 3)
        g.op("Softmax", axis=1)
        g.nodes[-1].output[0] = g.last = name
    g.save("answers/twins", ["N", 10])
    path = os.path.join(OUT, "answers/twins.onnx")
    model = onnx.load(path)
    model.graph.output.insert(0, h.make_tensor_value_info("a", T.FLOAT, ["N", 10]))
    onnx.save(model, path)


def hand():
    for opset in 15, 20:
        activations(f"activations-{opset}", opset)
    gates("gates")
    joined("joined")
    enlarged("enlarged")
    for opset in 13, 17, 21:
        normed(f"normed-{opset}", opset)
    linear_classifier("sklearn-logistic", "SOFTMAX", list(range(10)))
    linear_classifier("sklearn-letters", "SOFTMAX", list("ABCDE"), normalizer=False)
    linear_classifier("sklearn-ovr", "LOGISTIC", [3, 1, 4, 5, 9])
    functions("functions")
    answers()
    zoo_mnist(8)
    zoo_mnist(12)
    for opset in (9, 13, 18, 21):
        nhwc(f"nhwc-{opset}", opset)
    nhwc("nhwc-kernel", 13, transposed_kernel=True)
    nhwc("nhwc-flatten-batchnorm", 12, flatten_batchnorm=True)
    shape_chain("shape-chain-9", 9)
    shape_chain("shape-chain-13", 13)
    per_pixel("per-pixel")
    mean_image("mean-image")
    pixels("pixels")
    windows("windows")
    residual("residual")
    qdq("qdq-13", 13)
    qdq("qdq-21", 21)
    old_forms("opset-7")
    half("half")
    rounding("rounding")


def bad_graph(name, nodes, consts=(), inputs=(("x", T.FLOAT, ["N", 1, 8, 8]),), output="y",
              opset=17, raw=None):
    """A model that is not checked; consts are TensorProtos."""
    values = [h.make_tensor_value_info(*i) for i in inputs]
    graph = h.make_graph(nodes, "g", values, [h.make_tensor_value_info(output, T.FLOAT, None)],
                         list(consts))
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=8)
    save_bad(name, raw(model) if raw else model.SerializeToString())


def save_bad(name, data):
    os.makedirs(os.path.join(OUT, "bad"), exist_ok=True)
    with open(os.path.join(OUT, "bad", name + ".onnx"), "wb") as f:
        f.write(data)


def tensor(name, dims, kind=T.FLOAT, raw=b"", **more):
    return onnx.TensorProto(name=name, dims=dims, data_type=kind, raw_data=raw, **more)


def floats(name, *shape, value=.5):
    return numpy_helper.from_array(np.full(shape, value, np.float32), name)


def node(kind, inputs, outputs=("y",), **attributes):
    return h.make_node(kind, inputs, list(outputs), name=kind.lower(), **attributes)


def hostile():
    kernel, conv = floats("w", 2, 1, 3, 3), node("Conv", ["x", "w"])
    bad_graph("cycle", [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]),
                        node("Relu", ["b"])])
    bad_graph("itself", [node("Relu", ["y"])])
    bad_graph("missing-weights", [conv])
    bad_graph("missing-output", [node("Relu", ["x"], ["z"])])
    bad_graph("twice", [node("Relu", ["x"]), node("Tanh", ["x"])])
    bad_graph("no-nodes", [], output="x")
    bad_graph("no-graph", [], raw=lambda m: onnx.ModelProto(ir_version=8).SerializeToString())
    bad_graph("old-opset", [conv], [kernel], opset=6)
    bad_graph("new-opset", [conv], [kernel], opset=999)
    bad_graph("two-inputs", [node("Add", ["x", "z"])],
              inputs=[("x", T.FLOAT, ["N", 4]), ("z", T.FLOAT, ["N", 4])])
    bad_graph("open-input", [conv], [kernel], inputs=[("x", T.FLOAT, ["N", 1, "h", "w"])])
    bad_graph("huge-input", [conv], [kernel], inputs=[("x", T.FLOAT, ["N", 1, 60000, 60000])])
    bad_graph("huge-input-side", [conv], [kernel], inputs=[("x", T.FLOAT, ["N", 1, 1 << 40, 8])])
    bad_graph("negative-input", [conv], [kernel], inputs=[("x", T.FLOAT, ["N", 1, -8, 8])])
    bad_graph("text-input", [conv], [kernel], inputs=[("x", T.STRING, ["N", 1, 8, 8])])
    bad_graph("negative-side", [conv], [tensor("w", [-2, 1, 3, 3], raw=b"\0" * 72)])
    bad_graph("huge-side", [conv], [tensor("w", [1 << 62, 1, 3, 3], raw=b"\0" * 72)])
    bad_graph("overflow", [conv], [tensor("w", [1 << 25, 1 << 25, 1 << 13, 2], raw=b"\0" * 72)])
    bad_graph("few-bytes", [conv], [tensor("w", [2, 1, 3, 3], raw=b"\0" * 71)])
    bad_graph("no-bytes", [conv], [tensor("w", [2, 1, 3, 3])])
    bad_graph("text-weights", [conv], [tensor("w", [2, 1, 3, 3], T.STRING)])
    bad_graph("odd-type", [conv], [tensor("w", [2, 1, 3, 3], 77, raw=b"\0" * 72)])
    bad_graph("rank", [conv], [tensor("w", [1] * 20, raw=b"\0" * 4)])
    bad_graph("nan", [conv], [floats("w", 2, 1, 3, 3, value=np.nan)])
    external = tensor("w", [2, 1, 3, 3], data_location=1)
    external.external_data.add(key="location", value="../../../../etc/passwd")
    bad_graph("external", [conv], [external])
    bad_graph("wrong-attribute", [node("Conv", ["x", "w"], strides="2")], [kernel])
    bad_graph("zero-stride", [node("Conv", ["x", "w"], strides=[0, 1])], [kernel])
    bad_graph("huge-stride", [node("Conv", ["x", "w"], strides=[1 << 40, 1])], [kernel])
    bad_graph("negative-pads", [node("Conv", ["x", "w"], pads=[0, 0, -9, 0])], [kernel])
    bad_graph("three-pads", [node("Conv", ["x", "w"], pads=[1, 1, 1])], [kernel])
    bad_graph("auto-pad", [node("Conv", ["x", "w"], auto_pad="SOME")], [kernel])
    bad_graph("groups", [node("Conv", ["x", "w"], group=3)], [kernel])
    bad_graph("zero-groups", [node("Conv", ["x", "w"], group=0)], [kernel])
    bad_graph("large-kernel", [conv], [floats("w", 1, 1, 9, 9)])
    bad_graph("kernel-shape", [node("Conv", ["x", "w"], kernel_shape=[5, 5])], [kernel])
    bad_graph("conv-1d", [conv], [floats("w", 1, 1, 3)])
    bad_graph("short-bias", [node("Conv", ["x", "w", "b"])], [kernel, floats("b", 3)])
    # What would cost gigabytes or days, of a few hundred bytes.
    def costly(name, consts, *nodes):
        bad_graph(name, list(nodes) + [node("GlobalAveragePool", ["y"], ["z"])], consts, output="z")
    costly("wide-border", [kernel], node("Conv", ["x", "w"], auto_pad="SAME_UPPER", dilations=[30000] * 2))
    costly("wide-pads", [kernel], node("Conv", ["x", "w"], dilations=[12000] * 2, pads=[12100] * 4))
    costly("wide-pool", [], node("MaxPool", ["x"], kernel_shape=[4000] * 2, pads=[3999] * 4))
    costly("slow-pool", [], node("MaxPool", ["x"], kernel_shape=[400] * 2, pads=[399] * 4))
    costly("slow-average", [], node("AveragePool", ["x"], kernel_shape=[500] * 2, pads=[499] * 4))
    shape = tensor("shape", [4], T.INT64, raw=np.array([8192, 1, 3, 3]).tobytes())
    costly("depthwise", [floats("k", 8192, 1, 1, 1), shape], node("Conv", ["x", "k"], ["a"]),
           node("ConstantOfShape", ["shape"], ["w"]), node("Conv", ["a", "w"], group=8192))
    bad_graph("large-picture", [node("GlobalAveragePool", ["x"])],
              inputs=[("x", T.FLOAT, ["N", 1, 8192, 8192])])
    bad_graph("large-input", [node("MaxPool", ["x"], kernel_shape=[5792] * 2)],
              inputs=[("x", T.FLOAT, ["N", 2, 5792, 5792])])
    none = tensor("none", [1 << 26, 0])
    bad_graph("much-of-nothing", [node("Concat", ["none"] * 2000, ["a"], axis=1),
                                  node("Gemm", ["x", "a"])], [none])
    sides = tensor("none", [0, 1 << 26, 1 << 26, 1 << 26, 1 << 26])
    bad_graph("sides-of-nothing", [node("Transpose", ["none"], ["a"]), node("Add", ["x", "a"])], [sides])
    bad_graph("no-window", [node("MaxPool", ["x"])])
    bad_graph("padded-pool", [node("MaxPool", ["x"], kernel_shape=[2, 2], pads=[2, 2, 2, 2])])
    bad_graph("maxima", [node("MaxPool", ["x"], ["y", "at"], kernel_shape=[2, 2])])
    bad_graph("unknown", [node("Foo", ["x"], ["a"]), node("Bar", ["a"], ["b"]), node("LSTM", ["b"])])
    bad_graph("subgraph", [node("If", ["x"], then_branch=h.make_graph([], "t", [], []))])
    domain = node("Relu", ["x"])
    domain.domain = "com.example"
    bad_graph("domain", [domain])
    no_name = node("Relu", ["x"])
    no_name.ClearField("op_type")
    bad_graph("no-type", [no_name])
    bad_graph("no-inputs", [node("Relu", [])])
    bad_graph("no-outputs", [node("Relu", ["x"], [])])
    bad_graph("dense-size", [node("Flatten", ["x"], ["a"]), node("Gemm", ["a", "w"])],
              [floats("w", 63, 10)])
    bad_graph("product-turned", [node("Transpose", ["x"], ["a"], perm=[0, 1, 3, 2]),
                                 node("Mul", ["x", "a"])])
    bad_graph("concat-sides", [node("MaxPool", ["x"], ["a"], kernel_shape=[2, 2]),
                               node("Concat", ["x", "a"], axis=1)])
    bad_graph("concat-rows", [node("Concat", ["x", "x"], axis=2)])
    bad_graph("concat-constant", [node("Concat", ["x", "k"], axis=1)], [floats("k", 1, 1, 8, 8)])
    bad_graph("concat-images", [node("Concat", ["x", "x"], axis=0)])
    bad_graph("concat-many", [node("Concat", ["x"] * 5000, axis=1)])
    bad_graph("doubled", [node("Concat", ["x" if i == 0 else f"a{i - 1}"] * 2,
                               ["y" if i == 29 else f"a{i}"], axis=1) for i in range(30)])
    bad_graph("split-sizes", [node("Concat", ["x"] * 4, ["a"], axis=1),
                              node("Split", ["a", "s"], ["y", "z"], axis=1)],
              [numpy_helper.from_array(np.array([-1, 5]), "s")])
    bad_graph("split-beyond", [node("Split", ["x", "s"], ["y", "z"], axis=1)],
              [numpy_helper.from_array(np.array([1, 1 << 40]), "s")])
    bad_graph("slice-rows", [node("Slice", ["x"], starts=[2], ends=[4], axes=[2])], opset=9)
    for name, scale in ("huge", 1e9), ("half", .5), ("third", 1.5), ("nan", np.nan):
        bad_graph("resize-" + name, [node("Resize", ["x", "", "s"], mode="nearest")],
                  [numpy_helper.from_array(np.array([1, 1, scale, 2], np.float32), "s")])
    bad_graph("resize-linear", [node("Resize", ["x", "", "s"], mode="linear")],
              [numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "s")])
    bad_graph("resize-large", [node("Resize", ["x", "", "s"], mode="nearest")],
              [numpy_helper.from_array(np.array([1, 1, 8000, 8000], np.float32), "s")])
    bad_graph("expand-images", [node("Expand", ["x", "s"])],
              [numpy_helper.from_array(np.array([9, 1, 8, 8]), "s")])
    bad_graph("expand-large", [node("GlobalAveragePool", ["x"], ["a"]), node("Expand", ["a", "s"])],
              [numpy_helper.from_array(np.array([1, 60000, 60000, 60000]), "s")])
    bad_graph("transpose-stride", [node("ConvTranspose", ["x", "w"], strides=[60000] * 2)],
              [floats("w", 1, 1, 3, 3)])
    bad_graph("transpose-pads", [node("ConvTranspose", ["x", "w"], pads=[9] * 4)],
              [floats("w", 1, 1, 3, 3)])
    bad_graph("transpose-groups", [node("ConvTranspose", ["x", "w"], group=7)],
              [floats("w", 1, 1, 3, 3)])
    bad_graph("group-norm", [node("GroupNormalization", ["x", "c", "c"], num_groups=0)],
              [floats("c", 1)], opset=21)
    bad_graph("group-norm-scale", [node("GroupNormalization", ["x", "c", "c"], num_groups=1)],
              [floats("c", 7)], opset=21)
    bad_graph("layer-norm-images", [node("LayerNormalization", ["x", "c"], axis=0)], [floats("c", 8)])
    bad_graph("attribute", [node("Conv", ["x", "w"], surprise=1)], [kernel])
    bad_graph("arity", [node("Relu", ["x", "x"])])
    bad_graph("power", [node("Pow", ["x", "p"])], [floats("p", 8)])
    bad_graph("integer-product", [node("QuantizeLinear", ["x", "s"], ["a"]),
                                  node("MatMulInteger", ["a", "w"])],
              [floats("s", value=.5), tensor("w", [8, 2], T.INT8, raw=b"\1" * 16)])
    bad_graph("dynamic-as-number", [node("DynamicQuantizeLinear", ["x"], ["a", "s", "z"]),
                                    node("Add", ["a", "a"])])
    bad_graph("linear-size", [node("Flatten", ["x"], ["a"]),
                              h.make_node("LinearClassifier", ["a"], ["l", "y"], name="linear",
                                          domain="ai.onnx.ml", coefficients=[.5] * 7)])
    bad_graph("normalizer", [node("Flatten", ["x"], ["a"]),
                             h.make_node("Normalizer", ["a"], ["y"], name="normalizer",
                                         domain="ai.onnx.ml", norm="L2")])

    def with_functions(*functions):
        def add(m):
            m.functions.extend(functions)
            return m.SerializeToString()
        return add

    def function(name, *calls):
        """A function whose nodes call these, one after another."""
        nodes = [h.make_node(c, [f"v{i}"], [f"v{i + 1}"], domain="" if c == "Relu" else "f")
                 for i, c in enumerate(calls)]
        return h.make_function("f", name, ["v0"], [f"v{len(calls)}"], nodes,
                               [h.make_opsetid("", 17), h.make_opsetid("f", 1)])

    call = h.make_node("A0", ["x"], ["y"], domain="f")
    bad_graph("function-of-itself", [call], raw=with_functions(function("A0", "A0")))
    bad_graph("function-bomb", [call], raw=with_functions(
        *(function(f"A{i}", *[f"A{i + 1}"] * 16) for i in range(12)), function("A12", "Relu")))
    long = function("A2", "Relu")
    long.node[0].input.extend(["v" * 1000] * 50)
    bad_graph("function-names", [call], raw=with_functions(
        *(function(f"A{i}", *[f"A{i + 1}"] * 64) for i in range(2)), long))
    other = function("A0", "Relu")
    other.opset_import[0].version = 9
    bad_graph("function-version", [call], raw=with_functions(other))
    default = function("A0", "LeakyRelu")
    default.node[0].domain = ""
    slope = default.node[0].attribute.add()
    slope.name, slope.type, slope.ref_attr_name = "alpha", onnx.AttributeProto.FLOAT, "slope"
    bad_graph("function-default", [call], raw=with_functions(default))
    bad_graph("batch-constant", [node("Add", ["x", "b"])], [floats("b", 2, 1, 8, 8)])
    bad_graph("mixed", [node("Reshape", ["x", "s"])],
              [numpy_helper.from_array(np.array([4, 16]), "s")])
    bad_graph("reshape", [node("Reshape", ["x", "s"])],
              [numpy_helper.from_array(np.array([1, -2]), "s")])
    bad_graph("transpose", [node("Transpose", ["x"], perm=[0, 1, 1, 9])])
    bad_graph("softmax-first", [node("Flatten", ["x"], ["a"]), node("Softmax", ["a"], ["b"]),
                                node("Relu", ["b"])])
    bad_graph("bomb", [node("ConstantOfShape", ["s"], ["a"]),
                       node("Concat", ["a"] * 40, ["b"], axis=0), node("Add", ["x", "b"])],
              [numpy_helper.from_array(np.array([1 << 25]), "s")])
    bad_graph("gather", [node("Gather", ["w", "i"], ["a"]), node("Mul", ["x", "a"])],
              [floats("w", 4), numpy_helper.from_array(np.array(1 << 40), "i")])
    bad_graph("slice", [node("Slice", ["w", "i", "i", "a", "z"], ["b"]), node("Mul", ["x", "b"])],
              [floats("w", 4), numpy_helper.from_array(np.array([0]), "i"),
               numpy_helper.from_array(np.array([7]), "a"),
               numpy_helper.from_array(np.array([0]), "z")])
    bad_graph("large-pads", [node("Pad", ["x", "p"])],
              [numpy_helper.from_array(np.array([0, 0, 1 << 20, 0, 0, 0, 0, 0]), "p")])
    bad_graph("images-columns", [node("Flatten", ["x"], ["a"]),
                                 node("Transpose", ["a"], ["b"], perm=[1, 0]),
                                 node("Gemm", ["b", "w"])], [floats("w", 64, 2)])
    bad_graph("softmax-images", [node("Softmax", ["x"], axis=0)],
              inputs=[("x", T.FLOAT, ["N", 1, 1, 1])])
    bad_graph("pool-turned", [node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
                              node("MaxPool", ["a"], kernel_shape=[1, 1])],
              inputs=[("x", T.FLOAT, ["N", 2, 8, 8])])
    bad_graph("var", [node("BatchNormalization", ["x", "c", "c", "c", "v"])],
              [floats("c", 1), floats("v", 1, value=-1)])
    for name, scale in ("scale-zero", 0), ("scale-nan", np.nan), ("scale-negative", -1):
        bad_graph(name, [node("QuantizeLinear", ["x", "s"], ["a"]),
                         node("DequantizeLinear", ["a", "s"])], [floats("s", value=scale)])
    bad_graph("scale-other", [node("QuantizeLinear", ["x", "s"], ["a"]),
                              node("DequantizeLinear", ["a", "t"])],
              [floats("s", value=.5), floats("t", value=.25)])
    bad_graph("zero-point", [node("QuantizeLinear", ["x", "s", "z"], ["a"]),
                             node("DequantizeLinear", ["a", "s", "z"])],
              [floats("s", value=.5), tensor("z", [], T.INT32, raw=b"\xff\xff\xff\x7f")])
    bad_graph("no-dequantize", [node("QuantizeLinear", ["x", "s"], ["a"]), node("Relu", ["a"])],
              [floats("s", value=.5)])
    def ints(name, *values):
        return numpy_helper.from_array(np.array(values), name)

    bad_graph("operators", [node(f"Unknown{i}", ["x" if i == 0 else f"a{i - 1}"],
                                 ["y" if i == 39 else f"a{i}"]) for i in range(40)])
    bad_graph("constant-conv", [node("Conv", ["k", "w"], ["a"]), node("Add", ["x", "a"])],
              [floats("k", 1, 1, 8, 8), floats("w", 1, 1, 1, 1)])
    bad_graph("first-output", [node("Relu", ["x"], ["", "y"])])
    bad_graph("flatten-axis", [node("Flatten", ["x"], axis=-9)])
    bad_graph("unsqueeze-rank", [node("Unsqueeze", ["x", "s"])], [ints("s", *range(6))])
    bad_graph("unsqueeze-axis", [node("Unsqueeze", ["x", "s"])], [ints("s", 99)])
    bad_graph("unsqueeze-twice", [node("Unsqueeze", ["w", "s"], ["a"]), node("Mul", ["x", "a"])],
              [floats("w", 8), ints("s", 0, 0)])
    bad_graph("reshape-constant", [node("Reshape", ["w", "s"], ["a"]), node("Mul", ["x", "a"])],
              [floats("w", 4), ints("s", -1, 3)])
    bad_graph("gather-floats", [node("Gather", ["w", "i"], ["a"]), node("Mul", ["x", "a"])],
              [floats("w", 4), floats("i")])
    bad_graph("slice-step", [node("Slice", ["w", "i", "j", "i", "i"], ["a"]), node("Mul", ["x", "a"])],
              [floats("w", 4), ints("i", 0), ints("j", 4)])
    bad_graph("concat-nothing", [node("Concat", ["w", ""], ["a"], axis=0), node("Mul", ["x", "a"])],
              [floats("w", 4)])
    bad_graph("clip-list", [node("Clip", ["x", "w"])], [floats("w", 2)])
    bad_graph("dropout-constant", [node("Dropout", ["w", "x"])], [floats("w", 4)])
    bad_graph("average-ceil", [node("AveragePool", ["x"], kernel_shape=[3, 3], strides=[3, 3],
                                    pads=[1, 0, 0, 0], ceil_mode=1, count_include_pad=1)])
    bad_graph("mean-images", [node("ReduceMean", ["x"], axes=[0])])
    bad_graph("sum-ranks", [node("Flatten", ["x"], ["a"]), node("Add", ["x", "a"])])
    bad_graph("sum-turned", [node("Transpose", ["x"], ["a"], perm=[0, 1, 3, 2]),
                             node("Add", ["x", "a"])])

    def field(number, inner):
        length = len(inner)
        return bytes([number << 3 | 2, length & 127 | 128, length >> 7]) + inner

    deep = b""
    for _ in range(40):  # graph > node > attribute > graph
        deep = field(1, field(5, field(6, deep)))
    save_bad("deep", field(7, deep))
    save_bad("junk", bytes(range(256)))
    save_bad("empty", b"")
    save_bad("truncated", h.make_model(h.make_graph([conv], "g", [], [], [kernel]))
             .SerializeToString()[:-9])


def torch():
    import torch as t
    from torch import nn

    t.manual_seed(1)

    class View(nn.Module):
        """The MNIST example of PyTorch's early days: view(-1, 320), log_softmax."""

        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 10, 5)
            self.conv2 = nn.Conv2d(10, 20, 5)
            self.drop = nn.Dropout2d()
            self.fc1 = nn.Linear(320, 20)
            self.fc2 = nn.Linear(20, 10)

        def forward(self, x):
            f = nn.functional
            x = f.relu(f.max_pool2d(self.conv1(x), 2))
            x = f.relu(f.max_pool2d(self.drop(self.conv2(x)), 2))
            x = x.view(-1, 320)
            x = f.dropout(f.relu(self.fc1(x)), training=self.training)
            return f.log_softmax(self.fc2(x), dim=1)

    class Size(nn.Module):
        """x.view(x.size(0), -1), the input normalised inside."""

        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 6, 5, stride=3)
            self.fc = nn.Linear(384, 10)

        def forward(self, x):
            x = nn.functional.leaky_relu(self.conv((x - 0.1307) / 0.3081), 0.2)
            return self.fc(x.view(x.size(0), -1))

    class Block(nn.Module):
        def __init__(self, c, k, stride):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(c, k, 3, stride, 1, bias=False), nn.BatchNorm2d(k), nn.ReLU(),
                nn.Conv2d(k, k, 3, 1, 1, bias=False), nn.BatchNorm2d(k))
            self.skip = nn.Sequential(nn.Conv2d(c, k, 1, stride, bias=False), nn.BatchNorm2d(k))

        def forward(self, x):
            return nn.functional.relu(self.body(x) + self.skip(x))

    def depthwise(c, k, stride):
        return nn.Sequential(
            nn.Conv2d(c, c, 3, stride, 1, groups=c, bias=False), nn.BatchNorm2d(c), nn.ReLU6(),
            nn.Conv2d(c, k, 1, bias=False), nn.BatchNorm2d(k), nn.ReLU6())

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean([2, 3])

    def block(c, k):
        return [nn.Conv2d(c, k, 3), nn.ReLU(), nn.BatchNorm2d(k, eps=1e-3)]

    nets = {
        "user": nn.Sequential(*block(1, 8), *block(8, 8), nn.MaxPool2d(2), nn.Dropout(.25),
                              *block(8, 12), *block(12, 12), nn.MaxPool2d(2), nn.Dropout(.25),
                              nn.Flatten(), nn.Linear(192, 24), nn.ReLU(),
                              nn.BatchNorm1d(24, eps=1e-3), nn.Dropout(.5), nn.Linear(24, 10),
                              nn.Softmax(1)),
        "lenet": nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
                               nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
                               nn.Conv2d(16, 20, 5), nn.Sigmoid(), nn.Flatten(),
                               nn.Linear(20, 16), nn.Tanh(), nn.Linear(16, 10)),
        "view": View(),
        "size": Size(),
        "resnet": nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
                                Block(8, 8, 1), Block(8, 12, 2), nn.AdaptiveAvgPool2d(1),
                                nn.Flatten(), nn.Linear(12, 10)),
        "mobilenet": nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8),
                                   nn.ReLU6(), depthwise(8, 12, 1), depthwise(12, 16, 2), Mean(),
                                   nn.Dropout(.2), nn.Linear(16, 10), nn.LogSoftmax(1)),
        "ceil": nn.Sequential(nn.Conv2d(1, 6, 4, stride=2), nn.MaxPool2d(3, 2, ceil_mode=True),
                              nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(6, 6, 3, dilation=2),
                              nn.Hardtanh(-.4, .6), nn.AvgPool2d(2, 1, 1, count_include_pad=False),
                              nn.Flatten(1), nn.Linear(144, 10)),
        "mlp": nn.Sequential(nn.Flatten(), nn.Linear(784, 12), nn.Sigmoid(), nn.BatchNorm1d(12),
                             nn.Linear(12, 10)),
    }
    for name, net in nets.items():
        for m in net.modules():
            if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
                m.running_mean.uniform_(-.2, .2)
                m.running_var.uniform_(.5, 1.5)
                nn.init.uniform_(m.weight, .5, 1.5)
                nn.init.uniform_(m.bias, -.2, .2)
        net.eval()
        x = t.rand(2, 1, 28, 28)
        path = os.path.join(OUT, f"torch-{name}")
        t.onnx.export(net, (x,), path + "-script.onnx", dynamo=False, input_names=["x"],
                      dynamic_axes={"x": {0: "n"}} if name != "resnet" else None)
        t.onnx.export(net, (x,), path + "-dynamo.onnx", dynamo=True, external_data=False,
                      input_names=["x"],
                      dynamic_shapes=({0: t.export.Dim("n")},) if name != "lenet" else None)
    t.onnx.export(nets["size"], (t.rand(1, 1, 28, 28),), os.path.join(OUT, "torch-one.onnx"),
                  dynamo=False, opset_version=9)


def blocks():
    """What newer networks are made of, exported by PyTorch, both exporters: gates, squeeze and excite
    by dense layers, normalizing by group and layer, branches joined, split and enlarged, and a
    perceptron with most activation functions."""
    import torch as t
    from torch import nn
    f = nn.functional

    t.manual_seed(2)

    class Blocks(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm = nn.Conv2d(1, 8, 3, 2, 1), nn.GroupNorm(4, 8)
            self.squeeze, self.excite = nn.Linear(8, 4), nn.Linear(4, 8)
            self.down, self.up = nn.Conv2d(8, 6, 3, 2, 1), nn.ConvTranspose2d(6, 6, 2, 2)
            self.wide, self.layer = nn.Conv2d(20, 12, 3, 3), nn.LayerNorm(12)
            self.grow, self.shrink = nn.Linear(12, 24), nn.Linear(24, 12)
            self.last = nn.Linear(46, 10)

        def forward(self, x):
            x = f.silu(self.norm(self.first(x)))
            gate = self.excite(f.hardswish(self.squeeze(x.mean((2, 3))))).sigmoid()
            x = x * gate.view(-1, 8, 1, 1)
            y = f.gelu(self.down(x))
            x = t.cat([x, f.interpolate(y, scale_factor=2), self.up(y)], 1)
            x = self.wide(x)
            x = x + self.shrink(f.gelu(self.grow(self.layer(x.permute(0, 2, 3, 1))))).permute(0, 3, 1, 2)
            a, b = f.avg_pool2d(x, 2, stride=1).chunk(2, 1)
            return self.last(f.normalize((a * b.tanh()).flatten(1)[:, 4:50]))

    class Functions(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(784 if i == 0 else 12, 12) for i in range(10))
            self.functions = nn.ModuleList([
                nn.ELU(), nn.SELU(), nn.CELU(), nn.GELU("tanh"), nn.Mish(), nn.Softplus(), nn.PReLU(12),
                nn.Hardsigmoid(), nn.LogSigmoid(), nn.ReLU6()])

        def forward(self, x):
            x = x.flatten(1)
            for layer, function in zip(self.layers, self.functions):
                x = function(layer(x))
            return x

    for name, net in ("blocks", Blocks()), ("functions", Functions()):
        for m in net.modules():
            if isinstance(m, (nn.GroupNorm, nn.LayerNorm)):
                nn.init.uniform_(m.weight, .5, 1.5)
                nn.init.uniform_(m.bias, -.2, .2)
        net.eval()
        x, path = t.rand(2, 1, 28, 28), os.path.join(OUT, f"torch-{name}")
        t.onnx.export(net, (x,), path + "-script.onnx", dynamo=False, input_names=["x"],
                      opset_version=17, dynamic_axes={"x": {0: "n"}})
        t.onnx.export(net, (x,), path + "-dynamo.onnx", dynamo=True, external_data=False,
                      input_names=["x"], dynamic_shapes=({0: t.export.Dim("n")},))


def keras():
    import tensorflow as tf
    import tf2onnx
    from tensorflow.keras import Sequential, layers as l

    tf.random.set_seed(1)

    def block(k, **more):
        return [l.Conv2D(k, 3, activation="relu", **more), l.BatchNormalization()]

    nets = {
        "user": [*block(8), *block(8), l.MaxPooling2D(), l.Dropout(.25), *block(12), *block(12),
                 l.MaxPooling2D(), l.Dropout(.25), l.Flatten(), l.Dense(24, activation="relu"),
                 l.BatchNormalization(), l.Dropout(.5), l.Dense(10, activation="softmax")],
        "same": [l.Rescaling(1 / 2, offset=-.25), l.ZeroPadding2D(((1, 0), (0, 2))),
                 l.Conv2D(6, 5, strides=2, padding="same", use_bias=False),
                 l.BatchNormalization(), l.ReLU(6.0), l.DepthwiseConv2D(3, padding="same"),
                 l.LeakyReLU(), l.AveragePooling2D(3, 2, padding="same"),
                 l.Conv2D(8, 1, activation="tanh"), l.GlobalAveragePooling2D(), l.Dense(10)],
        "flatten": [l.Conv2D(4, 5, strides=4), l.Flatten(), l.BatchNormalization(),
                    l.Activation("sigmoid"), l.Dense(10, activation="softmax")],
        "reshape": [l.Reshape((28, 28, 1)), l.Conv2D(4, 3, strides=3), l.MaxPooling2D(2),
                    l.Reshape((64,)), l.Dense(10)],
    }
    for name, parts in nets.items():
        shape = (28, 28) if name == "reshape" else (28, 28, 1)
        net = Sequential([l.Input(shape)] + parts)
        for layer in net.layers:
            if isinstance(layer, l.BatchNormalization):
                layer.set_weights([rng.uniform(a, b, w.shape) for w, (a, b) in
                                   zip(layer.get_weights(), [(.5, 1.5), (-.2, .2)] * 2)][:2] +
                                  [rng.uniform(-.2, .2, layer.get_weights()[2].shape),
                                   rng.uniform(.5, 1.5, layer.get_weights()[3].shape)])
        signature = [tf.TensorSpec((None,) + shape, tf.float32, name="x")]

        @tf.function(input_signature=signature)
        def call(x, net=net):
            return net(x, training=False)

        for opset in (9, 13, 18) if name == "user" else (15,):
            tf2onnx.convert.from_function(call, input_signature=signature, opset=opset,
                                          output_path=os.path.join(OUT, f"keras-{name}-{opset}.onnx"))


def sklearn():
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = rng.random((200, 64), dtype=np.float32)
    y = np.arange(200) % 10
    for name, net in {
        "mlp": MLPClassifier((12,), max_iter=3, random_state=1),
        "pipeline": make_pipeline(StandardScaler(), MLPClassifier((8,), "tanh", max_iter=3,
                                                                  random_state=1)),
    }.items():
        net.fit(x, y)
        for zipmap in (False, True):
            model = to_onnx(net, x[:1], target_opset=18, options={"zipmap": zipmap})
            onnx.save(model, os.path.join(OUT, f"sklearn-{name}{'-zipmap' if zipmap else ''}.onnx"))


def quantized():
    """int8 by ONNX Runtime's quantizer, of models of torch()."""
    from onnxruntime import quantization as q

    class Images(q.CalibrationDataReader):
        def __init__(self):
            self.batches = iter(rng.random((8, 4, 1, 28, 28), dtype=np.float32))

        def get_next(self):
            x = next(self.batches, None)
            return None if x is None else {"x": x}

    for net, options in {
        "user": {"per_channel": True, "activation_type": q.QuantType.QUInt8},
        "mobilenet": {"activation_type": q.QuantType.QInt8},
    }.items():
        q.quantize_static(os.path.join(OUT, f"torch-{net}-script.onnx"),
                          os.path.join(OUT, f"quantized-{net}.onnx"), Images(),
                          quant_format=q.QuantFormat.QDQ, weight_type=q.QuantType.QInt8, **options)


def dynamic():
    """int8 by ONNX Runtime's quantizer as it is called most: weights alone, the activations' range
    found anew for each batch, which is one image here; and integer operators instead of pairs."""
    from onnxruntime import quantization as q

    g = Graph([1, 1, 14, 14], 17)
    g.op("Conv", "", weights(8, 1, 3, 3), weights(8), kernel_shape=[3, 3])
    g.op("Relu")
    g.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    g.op("Conv", "", weights(6, 8, 3, 3), weights(6), kernel_shape=[3, 3])
    g.op("Relu")
    g.op("Flatten")
    g.op("Gemm", "", weights(12, 96), weights(12), transB=1)
    g.op("Relu")
    g.op("MatMul", "", weights(12, 10))
    g.save("float", [1, 10])
    path = os.path.join(OUT, "float.onnx")
    q.quantize_dynamic(path, os.path.join(OUT, "quantized-dynamic.onnx"))

    class Images(q.CalibrationDataReader):
        def __init__(self):
            self.batches = iter(rng.random((16, 1, 1, 14, 14), dtype=np.float32))

        def get_next(self):
            x = next(self.batches, None)
            return None if x is None else {"x": x}

    q.quantize_static(path, os.path.join(OUT, "quantized-operators.onnx"), Images(),
                      quant_format=q.QuantFormat.QOperator, per_channel=True,
                      weight_type=q.QuantType.QInt8)
    os.remove(path)


def strip(path):
    """Leave out where on somebody's machine the model was made."""
    model = onnx.load(path)
    for part in [model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input,
                 *model.graph.output, *model.graph.initializer]:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    onnx.save(model, path)


if __name__ == "__main__":
    os.makedirs(os.path.join(OUT, "answers"), exist_ok=True)
    for part in sys.argv[1:] or ["hand"]:
        globals()[part]()
    for file in os.listdir(OUT):
        if file.endswith(".onnx"):
            strip(os.path.join(OUT, file))
