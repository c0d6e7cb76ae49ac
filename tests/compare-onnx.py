#!/usr/bin/env python3
"""Compare what build/tool/logits makes of models with what ONNX Runtime makes of them.

    compare-onnx.py LOGITS MODEL.onnx...

The inputs are random: bytes where the model wants bytes, 0..255 where it begins by dividing them,
else 0..1. An output that is probabilities or their logarithms is compared after softmax. Prints a
line a model with the largest difference; fails where that is above 1e-4 of the largest value. In a model that
rounds on its way a value halfway between two integers goes either way with the order of sums: there one input of
several may be off by 1e-3.
"""
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

BATCH = 5


def rounding(path):
    """Half a step, where the probabilities at the end are quantized: ours are not."""
    graph = onnx.load(path).graph
    last = graph.node[-1]
    if last.op_type != "DequantizeLinear" or graph.node[-3].op_type != "Softmax":
        return 0
    scale = next(t for t in graph.initializer if t.name == last.input[1])
    return float(numpy_helper.to_array(scale)) / 2


def rounds(path):
    return any(node.op_type == "QuantizeLinear" for node in onnx.load(path).graph.node)


def runtime(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # as the file has it: no fusing of quantize-dequantize pairs into integer arithmetic
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def difference(logits, path):
    session = runtime(path)
    info = session.get_inputs()[0]
    fixed = isinstance(info.shape[0], int) and info.shape[0] > 0
    tile = int(session.get_modelmeta().custom_metadata_map.get("inkpipe_tile", 0))  # of a finder's open sides
    shape = [d if isinstance(d, int) and d > 0 else tile if tile and i > 1 else BATCH for i, d in enumerate(info.shape)]
    rng = np.random.default_rng(7)
    x = rng.integers(0, 256, shape).astype(np.float32)
    if "uint8" in info.type:
        theirs = x.astype(np.uint8)
    else:
        if "per-pixel" not in path:
            x /= 255
        theirs = x
    want = [np.array([list(map.values()) for map in o], np.float32) if isinstance(o, list) else o
            for o in session.run(None, {info.name: theirs})]
    want = [o for o in want if o.dtype == np.float32]
    images = shape[0] if len(shape) > 1 else 1
    want = want[0].reshape(images, -1)
    batch = str(images if fixed else 2)
    run = subprocess.run([logits, path, batch], input=x.tobytes(), capture_output=True, check=False)
    if run.returncode:
        return run.stderr.decode().strip()
    have = np.frombuffer(run.stdout, np.float32).reshape(images, -1)
    if have.shape != want.shape:
        return f"{have.shape} values, not {want.shape}"
    steps = rounding(path) * want.shape[1]
    if np.allclose(want.sum(axis=1), 1, atol=1e-4 + steps) and want.min() >= 0:
        have = softmax(have)
    elif np.allclose(np.exp(want).sum(axis=1), 1, atol=1e-4):
        have = np.log(softmax(have))
    if not np.isfinite(want).all() or not np.isfinite(have).all():
        return "outputs that are no numbers"
    if want.std() < 1e-6:
        return "all outputs are the same: the model tests nothing"
    off = np.sort(np.abs(have - want).max(axis=1) - rounding(path)) / max(1, np.abs(want).max())
    halfway = images > 1 and rounds(path) and off[-1] <= 1e-3
    return float(max(0, off[-2] if halfway else off[-1]))


logits, failed = sys.argv[1], 0
for path in sys.argv[2:]:
    result = difference(logits, path)
    good = not isinstance(result, str) and result <= 1e-4
    failed += not good
    print(f"{'ok' if good else 'not ok'} {path}: {result if isinstance(result, str) else f'{result:.1e}'}")
sys.exit(failed > 0)
