#!/usr/bin/env python3
"""Run the ONNX project's own node tests on every operator that models may have.

    onnx-nodes.py LOGITS

A node test is a model of one operator, its inputs and its outputs. Ours run images through a net,
so each is tried in three ways until one is run: with its first input as a batch of images, as one
image (so that operators that change the first dimension can be), and with all inputs constant (as
they are folded when a model is read). Tests that are run must give the outputs; those that are
refused must be so for one of the reasons below. Prints a line a test that is neither, and counts.
"""
import collections
import re
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

IMAGE = """AveragePool BatchNormalization Celu Clip Conv ConvTranspose Dropout Elu Flatten Gelu
    Gemm GlobalAveragePool GlobalMaxPool GroupNormalization HardSigmoid HardSwish
    InstanceNormalization LayerNormalization LeakyRelu LogSoftmax MatMul MaxPool Mish PRelu Pad
    ReduceL2 ReduceMean ReduceSum Relu Resize Selu Sigmoid Softmax Softplus Softsign Split Sum
    Swish Tanh ThresholdedRelu Upsample""".split()
BOTH = """Abs Add Cast DequantizeLinear Div Erf Exp Expand Identity Log Max Min Mul Neg Pow
    QuantizeLinear Reciprocal Reshape Shape Slice Sqrt Squeeze Sub Transpose Unsqueeze""".split()
CONSTANT = """Concat Constant ConstantOfShape Gather""".split()

# What is not run, in our words or by the test's name.
REFUSED = {
    "not pictures (1-D and 3-D)": r"1 to 4 dimensions|only pictures of one form|kernel of rank",
    "types without numbers": r"type that is not read|a cast to type|numbers|a tensor$|quantization to type",
    "training": r"only inference, by channel|dropout for training",
    "positions of maxima": r"positions of the maxima",
    "whole numbers": r"arithmetic on whole numbers|whole numbers$|cast to whole",
    "softmax over a part": r"only softmax over all|softmax over the images",
    "products of matrices that are not weights": r"only (rows of|a product)|biases for",
    "quantization in blocks, by channel or to few bits": r"in blocks|one scale and zero|to 8 bits|scales do not fit",
    "pads that cut, mirror, or add channels": r"padding with a constant|a padding of -|rows and columns are padded",
    "means over all": r"only what is over",
    "more than two of Max and Min": r"3 inputs, not at most",
    "rows or images cut": r"only channels are joined or cut",
    "nothing goes in": r"dimension \d is open",
    "numbers that differ by image": r"a constant of \d+ entries",
    "more than 8 dimensions, or none": r"dimensions$|no input",
}


def arrays(items):
    """As plain arrays, or None where a type has no numpy twin."""
    out = []
    for item in items:
        if isinstance(item, TensorProto):
            try:
                item = numpy_helper.to_array(item)
            except Exception:
                return None
        try:
            out.append(np.asarray(item))
            out[-1].astype(np.float32)
        except (TypeError, ValueError, SystemError):
            return None
    return out


class Logits:
    """build/tool/logits, one process for all models: most of them take it less time than to start."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.file = tempfile.NamedTemporaryFile(suffix=".onnx")

    def run(self, model, x, batch):
        """Floats, or the message of a refusal."""
        with open(self.file.name, "wb") as f:
            f.write(model.SerializeToString())
        data = x.astype(np.float32).tobytes()
        try:
            self.process.stdin.write(b"%d %d %s\n" % (max(1, batch), len(data), self.file.name.encode()) + data)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        said = self.process.stdout.readline().decode(errors="replace").strip()
        if not said:
            raise SystemExit(f"killed: {self.process.wait()} by {model.graph.node}")
        if not said.startswith("ok "):
            return said
        return np.frombuffer(self.process.stdout.read(int(said[3:])), np.float32).astype(np.float64)

    def end(self):
        """Its status when there is nothing more: under sanitizers not 0 when memory leaked."""
        self.process.stdin.close()
        return self.process.wait()


def with_constants(model, inputs, first):
    """A copy whose inputs from `first` on are initializers."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[1:]
    for info, value in list(zip(copy.graph.input, inputs))[first:]:
        copy.graph.initializer.append(numpy_helper.from_array(value, info.name))
    del copy.graph.input[first:]
    return copy


def as_batch(model, inputs, want):
    copy = with_constants(model, inputs, 1)
    batch = inputs[0].shape[0] if inputs[0].ndim else 1
    return copy, inputs[0], batch


def as_image(model, inputs, want):
    """[1, ...] -> Squeeze -> the operator -> a product with one, which undoes any order."""
    copy = with_constants(model, inputs, 1)
    graph, size = copy.graph, int(want.size)
    name, shape = graph.input[0].name, list(inputs[0].shape)
    kind = graph.input[0].type.tensor_type.elem_type
    graph.input[0].CopyFrom(helper.make_tensor_value_info("image", kind, [1] + shape))
    opset = copy.opset_import[0].version
    axes = {"axes": [0]} if opset < 13 else {}
    graph.initializer.append(numpy_helper.from_array(np.array([0]), "image_axes"))
    graph.node.insert(0, helper.make_node(
        "Squeeze", ["image"] + ([] if axes else ["image_axes"]), [name], **axes))
    graph.initializer.append(numpy_helper.from_array(np.array([1, -1]), "image_shape"))
    finite = np.isfinite(want.astype(np.float32)).all()
    one = np.eye(size, dtype=np.float32) if finite else np.ones(size, np.float32)
    graph.initializer.append(numpy_helper.from_array(one, "image_one"))
    out = graph.output[0].name
    graph.node.append(helper.make_node("Reshape", [out, "image_shape"], ["image_row"]))
    graph.node.append(helper.make_node("MatMul" if finite else "Mul", ["image_row", "image_one"],
                                       ["image_out"]))
    graph.output[0].name = "image_out"
    return copy, inputs[0], 1


def as_constant(model, inputs, want):
    """The operator on constants, its result added to an image of zeros."""
    copy = with_constants(model, inputs, 0)
    graph, size = copy.graph, int(want.size)
    out = graph.output[0].name
    graph.input.append(helper.make_tensor_value_info("zero", TensorProto.FLOAT, [1, size]))
    graph.initializer.append(numpy_helper.from_array(np.array([1, size]), "zero_shape"))
    graph.node.append(helper.make_node("Cast", [out], ["zero_float"], to=TensorProto.FLOAT))
    graph.node.append(helper.make_node("Reshape", ["zero_float", "zero_shape"], ["zero_row"]))
    graph.node.append(helper.make_node("Add", ["zero", "zero_row"], ["zero_out"]))
    graph.output[0].CopyFrom(helper.make_tensor_value_info("zero_out", TensorProto.FLOAT, None))
    return copy, np.zeros((1, size), np.float32), 1


def finish(op, have, batch):
    """Softmax at the end is left to us."""
    if op not in ("Softmax", "LogSoftmax"):
        return have
    rows = have.reshape(max(1, batch), -1)
    rows = rows - rows.max(axis=1, keepdims=True)
    logs = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))
    return (logs if op == "LogSoftmax" else np.exp(logs)).ravel()


def check(logits, op, case, inputs, want):
    """"passed", "wrong ...", or the messages of all refusals."""
    ways = [as_batch] * (op in IMAGE + BOTH) + [as_image] * (op in IMAGE + BOTH)
    ways += [as_constant] * (op in BOTH + CONSTANT)
    said, passed = [], False
    for way in ways:
        if way is not as_constant and not inputs:
            continue
        if way is as_image and want.size > 2000:
            continue  # a product with one would be large
        model, x, batch = way(case.model, inputs, want)
        have = logits.run(model, x, batch)
        if isinstance(have, str):
            said.append(have)
            continue
        if way is not as_image:
            have = finish(op, have, batch)
        flat = want.astype(np.float64).ravel()
        near = 1e-2 if "bfloat16" in case.name.lower() else 1e-3  # we do not round to fewer bits than float
        if have.shape != flat.shape or not np.allclose(have, flat, near, 1e-5, equal_nan=True):
            return f"wrong by {way.__name__}: {have[:4]}, not {flat[:4]}"
        passed = True
    return "passed" if passed else said


def main():
    warnings.simplefilter("ignore")
    logits, counts, failed = Logits(sys.argv[1]), collections.Counter(), 0
    per_op = collections.Counter()
    for case in collect_testcases(None):
        nodes = case.model.graph.node if case.model else []
        if len(nodes) != 1 or nodes[0].domain or nodes[0].op_type not in IMAGE + BOTH + CONSTANT:
            continue
        op = nodes[0].op_type
        for inputs, outputs in case.data_sets:
            inputs, outputs = arrays(inputs), arrays(outputs)
            if inputs is None or outputs is None:
                counts["refused: types without numbers"] += 1
                continue
            if outputs[0].size == 0:
                counts["refused: nothing comes out"] += 1
                continue
            result = check(logits, op, case, inputs, outputs[0])
            if result == "passed":
                counts["passed"] += 1
                per_op[op] += 1
                continue
            reason = next((why for why, pattern in REFUSED.items() for message in result
                           if not isinstance(result, str) and re.search(pattern, message)), None)
            if reason:
                counts["refused: " + reason] += 1
            else:
                failed += 1
                print(f"not ok {case.name}: {result}")
    for op in IMAGE + BOTH + CONSTANT:
        if not per_op[op]:
            failed += 1
            print(f"not ok: no test of {op} is run")
    if logits.end():
        failed += 1
        print("not ok: logits ended badly")
    for what, count in counts.most_common():
        print(f"{count} {what}")
    print(f"{counts['passed']} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
