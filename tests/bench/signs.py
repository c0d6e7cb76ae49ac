"""What tests/bench/signs needs: pictures of numbers with signs, and what was read against what is there.

    signs.py draw numbers|blotted COUNT SEED DIGITS TRUTH >PICTURES
                                                                a number a picture, a line of TRUTH each
    signs.py check numbers|blotted TRUTH <ANSWERS               the report
    signs.py letters NAME <LETTERS                              NAME.train and NAME.test: capitals and digits
    signs.py runtime MODEL FRAMES <ANSWERS                      ours beside ONNX Runtime's
"""
import collections
import random
import re
import sys

import numpy as np

HEAD = re.compile(rb"P5\n((?:#.*\n)*)(\d+) (\d+)\n255\n")

# Strokes in heights of a digit, y up from its foot.
SIGNS = {
    ".": (0.22, [[(0.1, 0.03), (0.11, 0.03)]]),
    ",": (0.24, [[(0.13, 0.06), (0.13, -0.04), (0.05, -0.17)]]),
    "-": (0.5, [[(0.06, 0.46), (0.44, 0.47)]]),
    "/": (0.5, [[(0.45, 1.08), (0.03, -0.08)]]),
    ":": (0.26, [[(0.12, 0.12), (0.13, 0.12)], [(0.12, 0.6), (0.13, 0.6)]]),
    "+": (0.66, [[(0.06, 0.45), (0.6, 0.46)], [(0.33, 0.72), (0.33, 0.18)]]),
    "=": (0.66, [[(0.06, 0.58), (0.6, 0.59)], [(0.06, 0.32), (0.6, 0.33)]]),
}


def frames(data):
    at = 0
    while head := HEAD.match(data, at):
        facts = dict(f[2:].split("=", 1) for f in head[1].decode().splitlines())
        w, h = int(head[2]), int(head[3])
        at = head.end() + w * h
        yield facts, np.frombuffer(data[head.end():at], np.uint8).reshape(h, w)


def number(r):
    """A number as people write them."""
    n = lambda low, high: str(r.randint(low, high))
    two = lambda high: f"{r.randint(1, high):02}"
    kinds = [
        lambda: n(0, 99) + "." + n(0, 999),
        lambda: n(0, 999) + "," + two(99),
        lambda: "-" + n(1, 999),
        lambda: "-" + n(0, 40) + r.choice(".,") + n(1, 9),
        lambda: r.choice("/-.").join([two(31), two(12), r.choice(["20" + two(30), two(30)])]),
        lambda: two(23) + ":" + two(59),
        lambda: n(1, 12) + "/" + n(2, 16),
        lambda: n(1, 40) + "+" + n(1, 40) + "=" + n(2, 80),
        lambda: "+" + n(1, 99),
        lambda: n(1, 12) + "," + f"{r.randint(0, 999):03}",
    ]
    return r.choice(kinds)()


def stroke(ink, points, width):
    """Lay a line through points, round at its ends, on ink [h][w] of 0..1."""
    y, x = np.mgrid[:ink.shape[0], :ink.shape[1]]
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        dx, dy = x1 - x0, y1 - y0
        t = np.clip(((x - x0) * dx + (y - y0) * dy) / max(1e-9, dx * dx + dy * dy), 0, 1)
        far = np.hypot(x - x0 - t * dx, y - y0 - t * dy)
        np.maximum(ink, np.clip(width / 2 + 0.5 - far, 0, 1), out=ink)


def scaled(glyph, w, h):
    """A picture of 0..1 in another size, between its pixels in a straight line."""
    ys = np.clip((np.arange(h) + 0.5) * glyph.shape[0] / h - 0.5, 0, glyph.shape[0] - 1)
    xs = np.clip((np.arange(w) + 0.5) * glyph.shape[1] / w - 0.5, 0, glyph.shape[1] - 1)
    rows = [np.interp(xs, np.arange(glyph.shape[1]), row) for row in glyph]
    return np.array([np.interp(ys, np.arange(glyph.shape[0]), column) for column in np.array(rows).T]).T


def cut(glyph):
    ys, xs = np.where(glyph > 60)
    return glyph[ys.min():ys.max() + 1, xs.min():xs.max() + 1] / 255


def blot(ink, r, x0, x1, foot, tall):
    """Make a digit illegible: a spot on it, scribbles over it, or two lines through it."""
    mid, how = (x0 + x1) / 2, r.randrange(3)
    if how == 0:
        points = [(mid + r.uniform(-0.12, 0.12) * tall, foot - tall * r.uniform(0.3, 0.7)) for _ in range(4)]
        return stroke(ink, points, tall * r.uniform(0.6, 0.8))
    if how == 1:
        points = [(x0 - 2 if i % 2 else x1 + 2, foot - tall * i / 13) for i in range(14)]
        return stroke(ink, points, tall * 0.09)
    for up in (0, 1):
        stroke(ink, [(x0 - 3, foot - tall * up), (x1 + 3, foot - tall * (1 - up))], tall * 0.09)


def draw(text, blotted, digits, r):
    tall, edge = r.randint(36, 80), r.randint(24, 60)
    pen, gap = tall * r.uniform(0.06, 0.12), r.uniform(0.1, 0.22)
    ink = np.zeros((tall + 2 * edge, 2 * len(text) * tall + 2 * edge))
    x, foot = float(edge), edge + tall
    for place, character in enumerate(text):
        if character in SIGNS:
            width, strokes = SIGNS[character]
            size = r.uniform(0.85, 1.1)
            for points in strokes:
                stroke(ink, [(x + tall * size * (px + r.gauss(0, 0.012)), foot - tall * size * (py + r.gauss(0, 0.015)))
                             for px, py in points], pen * (r.uniform(1.1, 1.6) if character in ".:" else 1))
            x += tall * (width * size + gap / 2)
            continue
        glyph = cut(r.choice(digits[character]))
        h = round(tall * r.uniform(0.9, 1.05))
        w = max(3, round(glyph.shape[1] * h / glyph.shape[0]))
        top, left = round(foot - h + r.gauss(0, 0.02) * tall), round(x)
        part = ink[top:top + h, left:left + w]
        np.maximum(part, np.clip(1.6 * scaled(glyph, w, h) - 0.3, 0, 1), out=part)
        if place == blotted:
            blot(ink, r, left, left + max(w, tall * 0.4), foot, tall)
            w = max(w, round(tall * 0.4))
        x = left + w + tall * gap
    ink = ink[:, :round(x) + edge]
    paper, dark = r.randint(190, 250), r.randint(20, 90)
    noise = np.random.default_rng(r.randrange(1 << 30)).normal(0, r.uniform(0.5, 4), ink.shape)
    return np.clip(paper + (dark - paper) * ink + noise, 0, 255).astype(np.uint8)


def make(kind, count, seed, digits_file, truth_file):
    r, digits = random.Random(f"{kind} {seed}"), collections.defaultdict(list)
    for facts, pixels in frames(open(digits_file, "rb").read()):
        digits[facts["label"]].append(pixels)
    with open(truth_file, "w") as truth:
        for _ in range(int(count)):
            text, place = number(r), -1
            if kind == "blotted":
                text = str(r.randint(100, 99999))
                place = r.randrange(len(text))
            picture = draw(text, place, digits, r)
            sys.stdout.buffer.write(b"P5\n%d %d\n255\n" % picture.shape[::-1] + picture.tobytes())
            print(text[:place] + "?" + text[place + 1:] if place >= 0 else text, file=truth)


def check(kind, truth_file):
    truth = open(truth_file).read().split()
    read = collections.defaultdict(list)
    for line in sys.stdin:
        answer, probability, _, frame, _ = line.rstrip("\n").split("\t")[:5]
        read[int(frame)].append((answer, 0 if probability == "-" else float(probability)))
    right = sum([a for a, _ in read[i]] == [t] for i, t in enumerate(truth))
    print(f"{kind}: {100 * right / len(truth):.1f} % wholly right: {right} of {len(truth)}")
    if kind == "blotted":
        sure = [(t, a) for i, t in enumerate(truth) for a, p in read[i] if a.isdigit() and p > 0.5]
        print(f"blotted, surely read as digits alone: {len(sure)}", *(f"{t} as {a}" for t, a in sure))
        return
    signs, kept = collections.Counter(), collections.Counter()
    for i, t in enumerate(truth):
        same = len(read[i]) == 1 and len(read[i][0][0]) == len(t)
        for k, c in enumerate(t):
            signs[c] += c in SIGNS and same
            kept[c] += c in SIGNS and same and read[i][0][0][k] == c
    print("signs, of numbers as long as they are:", *(f"{c} {kept[c]}/{signs[c]}" for c in SIGNS))
    said = sum(p for i in range(len(truth)) for _, p in read[i][:1])
    print(f"mean probability of their numbers: {100 * said / len(truth):.1f} %")
    for i, t in enumerate(truth):
        if [a for a, _ in read[i]] != [t]:
            print(f"    {t} as", *(f"{a} ({p:.2f})" for a, p in read[i]))


def letters(name):
    """The file has 10 digits (of hands), the capitals below and others of each face, in this order."""
    plain, words = "AEFHKMNPRWXadehkmpwx#&@", "BCDGIJLOQSTUVYZbcfgijlnoqrstuvyz"
    faces = collections.defaultdict(list)
    for facts, pixels in frames(sys.stdin.buffer.read()):
        faces[facts["face"]].append(pixels)
    with open(name + ".train", "wb") as train, open(name + ".test", "wb") as test:
        for number, (face, glyphs) in enumerate(sorted(faces.items())):
            order = ("0123456789" if face.startswith("hand") else "") + plain + words
            if len(glyphs) != len(order):
                continue
            for label, pixels in zip(order, glyphs):
                if label.isupper() or label.isdigit():
                    (train, test)[number % 6 == 0].write(
                        b"P5\n# label=%s\n%d %d\n255\n" % (label.encode(), *pixels.shape[::-1]) + pixels.tobytes())


def runtime(model, frames_file):
    import onnxruntime
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    meta = session.get_modelmeta().custom_metadata_map
    x = np.array([p for _, p in frames(open(frames_file, "rb").read())], np.float32)[:, None]
    scale = float(meta["input_scale"])
    labels = meta["labels"].split()
    theirs = session.run(None, {session.get_inputs()[0].name: x * scale})[0].argmax(1)
    ours = [line.split("\t")[0] for line in sys.stdin]
    # Where nothing was found there is nothing to be asked.
    pairs = [(a, labels[b]) for a, b, p in zip(ours, theirs, x) if p.any()]
    same = sum(a == b for a, b in pairs)
    print(f"letters, as ONNX Runtime: {100 * same / len(pairs):.2f} %: {same} of {len(pairs)}, {len(labels)} classes")


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    {"draw": make, "check": check, "letters": letters, "runtime": runtime}[command](*rest)
