#!/usr/bin/env python3
"""Answers of a model in 8 bits beside ONNX Runtime's, which runs it in its own integers.

    compare-int8.py LOGITS MODEL.onnx FRAMES.pgm

The frames are 28x28, the model reads them as 0..1. Prints how many answers differ and by how much
probabilities do; fails when an answer does, or a probability by more than 0.02.
"""
import subprocess
import sys

import numpy as np
import onnxruntime

logits, model, frames = sys.argv[1:]
data = open(frames, "rb").read()
pixels, at = [], 0
while at < len(data):
    at = data.index(b"\n255\n", at) + 5
    pixels.append(np.frombuffer(data, np.uint8, 784, at))
    at += 784
x = np.array(pixels).reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
run = subprocess.run([logits, model], input=x.tobytes(), capture_output=True, check=True)
ours = np.frombuffer(run.stdout, np.float32).reshape(len(x), -1)
ours = np.exp(ours - ours.max(axis=1, keepdims=True))
ours /= ours.sum(axis=1, keepdims=True)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
theirs = session.run(None, {session.get_inputs()[0].name: x})[0]
differ = int((ours.argmax(axis=1) != theirs.argmax(axis=1)).sum())
worst = float(np.abs(ours - theirs).max())
print(f"{differ} of {len(x)} answers differ, probabilities by up to {worst:.1e}")
sys.exit(differ > 0 or worst > 0.02)
