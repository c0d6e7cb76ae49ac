"""Pictures of numbers in rows of boxes, on combs and in one frame: a folder for tests/bench/accuracy.py.

usage: rows.py [-n COUNT] [-s SEED] FOLDER IMAGES LABELS
Rows have 3 to 20 cells of 44 to 90 pixels and walls of 1 to 5 pixels of any gray; the digits are those of the IDX
files, in a pen of any darkness, each a little beside the middle of its cell."""
import argparse
import os
import random
import struct


def read(images, labels):
    with open(images, "rb") as f:
        n, = struct.unpack(">4xI8x", f.read(16))
        pixels = f.read()
    with open(labels, "rb") as f:
        digits = f.read()[8:]
    return [(digits[i], pixels[784 * i:784 * (i + 1)]) for i in range(n)]


class Page:
    def __init__(self, r, width, height):
        self.r, self.width, self.height, self.paper = r, width, height, r.randint(170, 250)
        self.gray = [self.paper] * (width * height)

    def darken(self, x, y, gray):
        if 0 <= x < self.width and 0 <= y < self.height:
            self.gray[y * self.width + x] = min(self.gray[y * self.width + x], int(gray))

    def fill(self, x0, y0, x1, y1, gray):
        for y in range(y0, y1):
            for x in range(x0, x1):
                self.darken(x, y, gray)

    def write(self, pixels, x0, y0, size, ink):
        for y in range(size):
            for x in range(size):
                u, v = (x + .5) * 28 / size - .5, (y + .5) * 28 / size - .5
                i, j = min(max(int(u), 0), 26), min(max(int(v), 0), 26)
                a, b = min(max(u - i, 0), 1), min(max(v - j, 0), 1)
                p = 28 * j + i
                value = ((pixels[p] * (1 - a) + pixels[p + 1] * a) * (1 - b) +
                         (pixels[p + 28] * (1 - a) + pixels[p + 29] * a) * b) / 255
                self.darken(x0 + x, y0 + y, self.paper + value * (ink - self.paper))

    def save(self, name):
        with open(name, "wb") as f:
            f.write(b"P5 %d %d 255\n" % (self.width, self.height))
            f.write(bytes(min(max(g + self.r.randint(-3, 3), 0), 255) for g in self.gray))


def draw(r, kind, stock):
    """A page of one row, and its number."""
    cells, cell, wall = r.randint(3, 20), r.randint(44, 90), r.randint(1, 5)
    gap = r.choice([0, 0, r.randint(4, 20)]) if kind == "boxes" else 0
    page = Page(r, 80 + cells * (cell + gap) + wall, cell + 120)
    line, ink, size = r.randint(0, page.paper - 40), r.randint(0, page.paper - 90), round(cell * r.uniform(1, 1.25))
    top, bottom, right, number = 60, 60 + cell, 40 + cells * (cell + gap) - gap, ""
    for i in range(cells):
        x, (digit, pixels) = 40 + i * (cell + gap), r.choice(stock)
        number += str(digit)
        page.write(pixels, x + (cell - size) // 2 + r.randint(-2, 2), top + (cell - size) // 2 + r.randint(-2, 2),
                   size, ink)
        if kind == "boxes":
            for a, b, c, d in ((x, top, x + cell, top + wall), (x, bottom - wall, x + cell, bottom),
                               (x, top, x + wall, bottom), (x + cell - wall, top, x + cell, bottom)):
                page.fill(a, b, c, d, line)
        if kind == "comb":
            page.fill(x, bottom - cell // 3, x + wall, bottom, line)
    if kind == "comb":
        page.fill(40, bottom, right + wall, bottom + wall, line)
        page.fill(right, bottom - cell // 3, right + wall, bottom, line)
    if kind == "frame":
        for a, b, c, d in ((30, top - 8, right + 10, top - 8 + wall), (30, bottom + 8, right + 10, bottom + 8 + wall),
                           (30, top - 8, 30 + wall, bottom + 8), (right + 10, top - 8, right + 10 + wall, bottom + 8 + wall)):
            page.fill(a, b, c, d, line)
    return page, number


def main():
    options = argparse.ArgumentParser()
    options.add_argument("-n", type=int, default=60)
    options.add_argument("-s", type=int, default=1)
    options.add_argument("names", nargs=3)
    o = options.parse_args()
    folder, stock = o.names[0], read(*o.names[1:])
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "labels.tsv"), "w", encoding="ascii") as table:
        table.write("path\tkind\ttruth\tboxes\tnotes\tsource\tgroup\torder\n")
        for i in range(o.n):
            kind = ("boxes", "comb", "frame")[i % 3]
            page, number = draw(random.Random(f"{o.s} {i}"), kind, stock)
            page.save(os.path.join(folder, f"{i:04}.pgm"))
            table.write(f"{i:04}.pgm\tnumber\t{number}\t-\t{kind}\t{kind}\trows\treading\n")


main()
