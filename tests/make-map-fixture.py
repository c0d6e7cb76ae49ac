#!/usr/bin/env python3
"""usage: make-map-fixture.py: print the losses that tests/unit/engine/map.c expects.

The loss of a finder's map in plain numpy: target() draws Gaussians around centres as CenterNet (arXiv 1904.07850)
does, losses() is focal loss, cross-entropy and L1. As usual in such scripts, its logarithms have 1e-6 added."""
import numpy as np


def target(boxes, ignore, rows, columns, stride):
    heat = np.zeros((rows, columns))
    weight = np.ones((rows, columns))
    cls = np.full((rows, columns), -1)
    reg = np.zeros((4, rows, columns))
    for x, y, w, h in ignore:
        weight[max(0, y // stride - 1):(y + h) // stride + 2, max(0, x // stride - 1):(x + w) // stride + 2] = 0
    for x, y, w, h, label in boxes:
        cx, cy = x + w / 2, y + h / 2
        i, j = int(cx / stride), int(cy / stride)
        sx, sy = max(.6, w / stride / 6), max(.6, h / stride / 6)
        reach = int(3 * max(sx, sy)) + 1
        v, u = np.mgrid[max(0, j - reach):min(rows, j + reach + 1), max(0, i - reach):min(columns, i + reach + 1)]
        heat[v, u] = np.maximum(heat[v, u], np.exp(-((u - i) ** 2 / (2 * sx * sx) + (v - j) ** 2 / (2 * sy * sy))))
        weight[j, i] = 1
        cls[j, i] = label
        reg[:, j, i] = cx / stride - i, cy / stride - j, np.log(w / 24), np.log(h / 24)
    return heat, weight, cls, reg


def losses(out, heat, weight, cls, reg, classes):
    positive = cls >= 0
    p = 1 / (1 + np.exp(-out[0]))
    near = -np.log(p + 1e-6) * (1 - p) ** 2 * positive
    far = -np.log(1 - p + 1e-6) * p ** 2 * (1 - heat) ** 4 * weight * ~positive
    n = max(1, positive.sum())
    logits = out[1:1 + classes][:, positive].T
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    truth = np.eye(classes)[cls[positive]] * .95 + .05 / classes
    return (near.sum() + far.sum()) / n, -(truth * log_p).sum() / n, np.abs(out[1 + classes:] - reg)[:, positive].sum() / n / 4


def main():
    classes, rows, columns, stride = 3, 9, 7, 4
    k = np.arange((5 + classes) * rows * columns)
    out = (2 * np.sin(.7 * k)).reshape(-1, rows, columns)
    boxes = [(3, 4, 8, 17, 2), (15, 20, 10, 10, 0), (14, 22, 9, 9, 1)]
    for b, ignore in ((boxes, []), (boxes[:2], [(12, 0, 20, 30)]), ([], [(0, 0, 9, 9)])):
        print("{%.6f, %.6f, %.6f}," % losses(out, *target(b, ignore, rows, columns, stride), classes))


main()
