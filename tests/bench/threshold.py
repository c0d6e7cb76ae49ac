"""usage: threshold.py < LIST > FRAMES

The usual way from a picture to a network of MNIST, for tests/bench/accuracy to compare with: the
pictures of a list, one name a line, become 28x28 frames by a blur of 5x5, a threshold of 90 (ink is
what is darker), the largest contour, a square around it with a padding of 10 pixels, resized. What is
hardly larger than such a frame is one already, as programs for drawing make it: it is only resized,
with its ink made light. A picture without a contour becomes a frame without a digit."""
import sys
import urllib.parse

import cv2
import numpy

SIDE, THRESHOLD, PADDING = 28, 90, 10
SMALL = 2 * SIDE


def digit(path):
    gray = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    if gray is None:
        return numpy.zeros((SIDE, SIDE), numpy.uint8)
    if max(gray.shape) <= SMALL:
        small = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        return 255 - small if small.mean() > 127 else small
    blurred = cv2.GaussianBlur(gray, (5, 5), 0)
    ink = cv2.threshold(blurred, THRESHOLD, 255, cv2.THRESH_BINARY_INV)[1]
    contours = cv2.findContours(ink, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    if not contours:
        return numpy.zeros((SIDE, SIDE), numpy.uint8)
    x, y, w, h = cv2.boundingRect(max(contours, key=cv2.contourArea))
    side = max(w, h) + 2 * PADDING
    square = numpy.zeros((side, side), numpy.uint8)
    left, top = (side - w) // 2, (side - h) // 2
    square[top:top + h, left:left + w] = ink[y:y + h, x:x + w]
    return cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


for line in sys.stdin:
    name = line.rstrip("\n")
    head = f"P5\n# source={urllib.parse.quote(name)}\n{SIDE} {SIDE}\n255\n"
    sys.stdout.buffer.write(head.encode() + digit(name).tobytes())
