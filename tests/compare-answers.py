#!/usr/bin/env python3
"""Compare cnn-predict's answers to frames of 28x28 with ONNX Runtime's.

    compare-answers.py CNN-PREDICT FRAMES.pgm MODEL.onnx[=OUTPUT]...

What the model is given: the frame divided by 255, padded with black where it reads 32x32, in each of
its channels. OUTPUT is the one that must be answered, where that is not the last. Its values are
probabilities where a softmax or a sigmoid makes them, else softmax makes them so.
Prints a line a model with the largest difference of a probability; fails where that is above 1e-4.
"""
import json
import re
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime


def read_frames(path):
    data, frames = open(path, "rb").read(), []
    header = re.compile(rb"P5\s(?:#.*\n)*(\d+) (\d+)\n255\n")
    while data:
        m = header.match(data)
        w, h = int(m[1]), int(m[2])
        frames.append(np.frombuffer(data, np.uint8, w * h, m.end()).reshape(h, w))
        data = data[m.end() + w * h:]
    return np.stack(frames).astype(np.float32) / 255


def given(frames, shape):
    c, side = (shape[1], shape[2]) if len(shape) == 4 else (0, 28)
    if c == 0:
        return frames.reshape(len(frames), -1)
    if side == 32:
        frames = np.pad(frames, ((0, 0), (2, 2), (2, 2)))
    return np.repeat(frames[:, None], c, axis=1)


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def difference(program, path, frames, argument):
    name, _, output = argument.partition("=")
    model = onnx.load(name)
    session = onnxruntime.InferenceSession(name, providers=["CPUExecutionProvider"])
    info = session.get_inputs()[0]
    output = output or session.get_outputs()[-1].name
    maker = next(n.op_type for n in model.graph.node if output in n.output)
    want = session.run([output], {info.name: given(frames, info.shape)})[0]
    if maker not in ("Softmax", "Sigmoid", "Normalizer", "LinearClassifier"):
        want = softmax(want)
    more = ["-O", output] if "=" in argument else []
    said = subprocess.run([program, "-S", "1/255", "-o", "json", "-m", name, *more, path], check=True,
                          capture_output=True).stdout.splitlines()
    have = np.array([list(json.loads(line)["probabilities"].values()) for line in said])
    return float(np.abs(have - want).max()) if have.shape == want.shape else 1


program, path, failed = sys.argv[1], sys.argv[2], 0
frames = read_frames(path)
for argument in sys.argv[3:]:
    worst = difference(program, path, frames, argument)
    failed += worst > 1e-4
    print(f"{'ok' if worst <= 1e-4 else 'not ok'} {argument}: {worst:.1e}")
sys.exit(failed > 0)
