#!/usr/bin/env python3
"""Make lib/ink/whole_table.h: the weights by which lib/ink/whole.c tells a whole digit from a part of one
and from several that touch.

usage: whole_table.py DATA > lib/ink/whole_table.h     (DATA: MNIST's IDX files; needs PyTorch)

A network of 196 means of 2x2 pixels, 96 and 48 hidden units and 11 outputs: the ten digits, and
none. It is trained on rows of one to four of MNIST's training digits pushed together until they touch, cut
along the paths that lib/ink/split.c would try: what holds nearly all of one digit and next to nothing
of others is that digit, everything else is none. Prints what rows of test digits give to standard
error."""
import sys
import numpy as np
import torch
import torch.nn.functional as F
from table_net import train

HIDDEN, DEEPER, SCALE, ROWS = 96, 48, 64, 46000
SLANT, STEP, REACH = 0.3, 0.1, 0.18
torch.manual_seed(1)
torch.set_num_threads(1)
rng = np.random.default_rng(5)


def crop(a):
    r, c = np.where(a.max(1) > 0.3)[0], np.where(a.max(0) > 0.3)[0]
    return a[r[0]:r[-1] + 1, c[0]:c[-1] + 1]


def resize(a, h, w):
    t = torch.from_numpy(np.ascontiguousarray(a, np.float32))[None, None]
    return F.interpolate(t, (h, w), mode='bilinear', antialias=True, align_corners=False)[0, 0].numpy()


def read(name):
    images = np.fromfile(sys.argv[1] + '/' + name + '-images-idx3-ubyte', np.uint8)[16:]
    labels = np.fromfile(sys.argv[1] + '/' + name + '-labels-idx1-ubyte', np.uint8)[8:]
    return images.reshape(-1, 28, 28), labels


def draw(images, i, level, steep, pen, tall):
    """A digit about `tall` pixels high, its strokes as wide as `level` has them."""
    a = crop(images[i] / 255)
    h, w = a.shape
    scale = tall / max(h, w / 1.6)
    h, w = max(4, round(h * scale)), max(3, round(w * scale * rng.uniform(0.85, 1.2)))
    a = np.clip((resize(np.pad(a, 1), h + 4, w + 4) - level) * steep + 0.5, 0, 1)
    t = torch.from_numpy(np.pad(a, 2).astype(np.float32))[None, None]
    if pen == 'thin':
        t = -F.max_pool2d(-t, 3, 1, 1)
    elif pen == 'thick':
        t = F.max_pool2d(t, 3, 1, 1)
    return crop(t[0, 0].numpy()) if t.max() > 0.5 and (t > 0.3).sum() > 20 else crop(a)


def row(images, labels):
    """Digits in a row: the ink of each, and their labels."""
    n = rng.choice([1, 2, 3, 4], p=[0.3, 0.4, 0.2, 0.1])
    level, steep = rng.uniform(0.2, 0.5), rng.uniform(1.5, 4)
    which, pen = rng.integers(len(images), size=n), rng.choice(['thin', 'thick', 'plain', 'plain'])
    digits = [draw(images, i, level, steep, pen, rng.uniform(34, 46)) for i in which]
    height = max(len(d) for d in digits) + rng.integers(0, 9)
    inks, end, before = [], 0, None
    for d in digits:
        y, enough = rng.integers(0, height - len(d) + 1), rng.integers(1, 12)
        start = end
        for overlap in range(0, min(28, d.shape[1], end)):
            start = end - overlap
            if (before[y:y + len(d), start:end] * d[:, :end - start][:, :overlap] > 0.2).sum() >= enough:
                break
        ink = np.zeros((height, 400), np.float32)
        ink[y:y + len(d), start:start + d.shape[1]] = d
        before = ink if before is None else np.maximum(before, ink)
        end = max(end, start + d.shape[1])
        inks.append(ink)
    inks = np.stack(inks)[:, :, :end]
    return inks, labels[which]


def paths(on):
    """The cheapest paths from top to bottom, one in each of the windows: x for each row."""
    h, w = on.shape
    middles = np.arange(STEP * h, w - 1, STEP * h)
    reach = max(2, int(REACH * h))
    if not len(middles):
        return np.zeros((0, h), int)
    columns = middles.astype(int)[:, None] + np.arange(-reach, reach + 1)
    outside = (columns < 1) | (columns > w - 2)
    ink = on[:, columns.clip(0, w - 1)].transpose(1, 0, 2).astype(np.float32)
    ink += 0.002 * np.abs(np.linspace(-2, 2, 2 * reach + 1)) + 1e3 * outside[:, None]
    cost, steps = ink[:, 0], np.zeros(ink.shape, np.int8)
    for y in range(1, h):
        left = np.pad(cost, ((0, 0), (1, 0)), constant_values=1e6)[:, :-1] + SLANT
        right = np.pad(cost, ((0, 0), (0, 1)), constant_values=1e6)[:, 1:] + SLANT
        best = np.minimum(cost, np.minimum(left, right))
        steps[:, y] = np.where(best == cost, 0, np.where(best == left, -1, 1))
        cost = best + ink[:, y]
    at, lowest, all_windows = cost.argmin(1), cost.min(1), np.arange(len(columns))
    x = np.zeros((len(columns), h), int)
    for y in range(h - 1, -1, -1):
        x[:, y] = columns[all_windows, at]
        at = at + steps[all_windows, y, at]
    keep = lowest < 900
    return np.unique(x[keep], axis=0)


def normalise(a):
    h, w = a.shape
    h, w = max(1, round(h * 20 / max(h, w))), max(1, round(w * 20 / max(h, w)))
    a = resize(a, h, w)
    a *= 255 / max(1e-6, a.max())
    y = round(28 - (a.sum(1) * (np.arange(h) + 0.5)).sum() / a.sum())
    x = round(28 - (a.sum(0) * (np.arange(w) + 0.5)).sum() / a.sum())
    frame = np.zeros((56, 56), np.float32)
    frame[y:y + h, x:x + w] = a
    return frame[14:42, 14:42]


def segments(images, labels):
    """A whole row, and some of what its cuts would leave: pictures and their classes, 10: none."""
    inks, digits = row(images, labels)
    masks, all_ink = inks > 0.4, inks.max(0)
    h, w = all_ink.shape
    cuts = paths(all_ink > 0.4)
    cuts = np.concatenate([np.full((1, h), -1), cuts, np.full((1, h), w)])
    means, x, out = cuts.mean(1), np.arange(w), []
    sums = masks.sum((1, 2))
    right, wrong = [], []
    for a in range(len(cuts)):
        for b in range(len(cuts)):
            if not 0.12 * h < means[b] - means[a] < 1.5 * h:
                continue
            inside = (x > cuts[a][:, None]) & (x < cuts[b][:, None])
            held = (masks & inside).sum((1, 2))
            share, most = held / sums, held.argmax()
            others = (held.sum() - held[most]) / max(1, held[most])
            if share[most] > 0.9 and others < 0.1:
                right.append((a, b, digits[most]))
            elif share[most] < 0.8 or others > 0.16:
                wrong.append((a, b, 10))
    some = [(0, len(cuts) - 1, digits[0] if len(digits) == 1 else 10)]
    for group, most in (right, 4), (wrong, 5):
        if group:
            some += [group[i] for i in rng.integers(len(group), size=min(most, len(group)))]
    for a, b, label in some:
        inside = (x > cuts[a][:, None]) & (x < cuts[b][:, None])
        part = all_ink * inside
        if (part > 0.3).sum() > 12:
            means = normalise(crop(part)).reshape(14, 2, 14, 2).mean((1, 3)).ravel()
            out.append((means, label))
    return out


def examples(name, count):
    images, labels = read(name)
    made = [e for _ in range(count) for e in segments(images, labels)]
    x = torch.from_numpy(np.stack([p for p, _ in made])) / 255
    return x, torch.tensor([int(c) for _, c in made])


x, y = examples('train', ROWS)
net = torch.nn.Sequential(torch.nn.Linear(196, HIDDEN), torch.nn.ReLU(),
                          torch.nn.Linear(HIDDEN, DEEPER), torch.nn.ReLU(), torch.nn.Linear(DEEPER, 11))
train(net, x, y, 0.05, SCALE)
with torch.no_grad():
    x, y = examples('t10k', ROWS // 20)
    log_p = net(x).log_softmax(1)
    odds = log_p[:, :10].logsumexp(1) - log_p[:, 10]
    print('%d wholes, %d others; told rightly %.4f' % (
        (y < 10).sum(), (y == 10).sum(), ((odds > 0) == (y < 10)).float().mean()), file=sys.stderr)
    for lost in 0.002, 0.01, 0.05:
        limit = odds[y < 10].quantile(lost)
        print('wholes lost %.3f: below %.2f, others found %.3f' %
              (lost, limit, (odds[y == 10] < limit).float().mean()), file=sys.stderr)


def table(name, p):
    words = ['%d,' % v for v in (p.detach() * SCALE).round().int().flatten().tolist()]
    lines = ['   ']
    for word in words:
        if len(lines[-1]) + len(word) > 97:
            lines.append('   ')
        lines[-1] += ' ' + word
    print('static const int16_t %s = {\n%s\n};' % (name, '\n'.join(lines)))


print('/* Made by tests/whole_table.py: %d times the weights of whole.c\'s network. */' % SCALE)
print('/* Rows of pixels are followed by 0s up to a multiple of 8, for vectors. */')
print('#define WHOLE_INPUTS 200\n#define WHOLE_HIDDEN %d\n#define WHOLE_DEEPER %d' % (HIDDEN, DEEPER))
print('#define WHOLE_SCALE %d' % SCALE)
table('whole_weight[WHOLE_HIDDEN * WHOLE_INPUTS]', F.pad(net[0].weight, (0, 4)))
table('whole_bias[WHOLE_HIDDEN]', net[0].bias)
table('whole_deeper_weight[WHOLE_DEEPER * WHOLE_HIDDEN]', net[2].weight)
table('whole_deeper_bias[WHOLE_DEEPER]', net[2].bias)
table('whole_out_weight[11 * WHOLE_DEEPER]', net[4].weight)
table('whole_out_bias[11]', net[4].bias)
