#!/usr/bin/env python3
"""Make lib/pair_table.h: the weights by which lib/pair.c tells two touching digits from a wide one.

usage: pair_table.py DATA > lib/pair_table.h     (DATA: MNIST's IDX files; needs PyTorch)

A network of 140 means of 2x2 pixels (rows 4 to 23), 32 hidden units and one output, trained on
pairs of MNIST's training digits pushed together until they touch and on single ones, some
stretched, all wider than 0.9 times their height. Prints what the test digits give to standard
error."""
import sys
import numpy as np
import torch
import torch.nn.functional as F

HIDDEN, SCALE, COUNT = 32, 64, 25000
torch.manual_seed(1)
torch.set_num_threads(1)
rng = np.random.default_rng(5)


def crop(a):
    r, c = np.where(a.any(1))[0], np.where(a.any(0))[0]
    return a[r[0]:r[-1] + 1, c[0]:c[-1] + 1]


def digits(name):
    return [crop(a) for a in np.fromfile(sys.argv[1] + '/' + name, np.uint8)[16:].reshape(-1, 28, 28)]


def resize(a, h, w):
    t = torch.from_numpy(a.astype(np.float32))[None, None]
    return F.interpolate(t, (h, w), mode='bilinear', antialias=True, align_corners=False)[0, 0].numpy()


def normalise(a):
    h, w = a.shape
    h, w = max(1, round(h * 20 / max(h, w))), max(1, round(w * 20 / max(h, w)))
    a = resize(a, h, w)
    a *= 255 / max(1, a.max())
    y = round(28 - (a.sum(1) * np.arange(h)).sum() / a.sum())
    x = round(28 - (a.sum(0) * np.arange(w)).sum() / a.sum())
    frame = np.zeros((56, 56), np.float32)
    frame[y:y + h, x:x + w] = a
    return frame[14:42, 14:42]


def pair(all_digits):
    a, b = (all_digits[rng.integers(len(all_digits))] for _ in range(2))
    height = max(len(a), len(b)) + rng.integers(0, 5)
    ya, yb = (rng.integers(0, height - len(d) + 1) for d in (a, b))
    enough = rng.integers(1, 4)
    for overlap in range(-1, min(12, a.shape[1])):
        left = np.zeros((height, a.shape[1] + b.shape[1] + 2), np.uint8)
        right, x = left.copy(), a.shape[1] - overlap
        left[ya:ya + len(a), :a.shape[1]] = a
        right[yb:yb + len(b), x:x + b.shape[1]] = b
        if ((left > 100) & (right > 100)).sum() >= enough:
            break
    return crop(np.maximum(left, right))


def single(all_digits):
    a = all_digits[rng.integers(len(all_digits))]
    stretch = rng.uniform(1, 1.6) if rng.random() < 0.6 else 1
    return resize(a, len(a), max(1, int(a.shape[1] * stretch)))


def some(make, all_digits, count):
    out = []
    while len(out) < count:
        a = make(all_digits)
        if a.shape[1] >= 0.9 * len(a):
            out.append(normalise(a))
    return torch.from_numpy(np.stack(out))[:, None] / 255


def examples(name, count):
    all_digits = digits(name)
    x = torch.cat([some(pair, all_digits, count), some(single, all_digits, count)])
    means = F.avg_pool2d(x[:, :, 4:24], 2).reshape(len(x), -1)
    return means, torch.cat([torch.ones(count), torch.zeros(count)])


x, y = examples('train-images-idx3-ubyte', COUNT)
net = torch.nn.Sequential(torch.nn.Linear(140, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 1))
epochs, batch = 15, 512
optimiser = torch.optim.AdamW(net.parameters(), weight_decay=0.05)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, epochs * (len(x) // batch))
for epoch in range(epochs):
    order = torch.randperm(len(x))
    for i in range(0, len(x) - batch + 1, batch):
        part = order[i:i + batch]
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(net(x[part])[:, 0], y[part]).backward()
        optimiser.step()
        schedule.step()

with torch.no_grad():
    for p in net.parameters():
        p.copy_((p * SCALE).round() / SCALE)
    x, y = examples('t10k-images-idx3-ubyte', COUNT // 5)
    logit = net(x)[:, 0]
    for false in 0.002, 0.005, 0.01, 0.02, 0.05:
        limit = logit[y == 0].quantile(1 - false)
        found = (logit[y == 1] > limit).float().mean()
        print('singles taken for pairs %.3f: above %.2f, pairs found %.3f' % (false, limit, found),
              file=sys.stderr)


def table(name, p):
    words = ['%d,' % v for v in (p.detach() * SCALE).round().int().flatten().tolist()]
    lines = ['   ']
    for word in words:
        if len(lines[-1]) + len(word) > 97:
            lines.append('   ')
        lines[-1] += ' ' + word
    print('static const int16_t %s = {\n%s\n};' % (name, '\n'.join(lines)))


print('/* Made by tests/pair_table.py: %d times the weights of pair.c\'s network. */' % SCALE)
print('#define PAIR_INPUTS 140\n#define PAIR_HIDDEN %d\n#define PAIR_SCALE %d' % (HIDDEN, SCALE))
table('pair_weight[PAIR_HIDDEN * PAIR_INPUTS]', net[0].weight)
table('pair_bias[PAIR_HIDDEN]', net[0].bias)
table('pair_out_weight[PAIR_HIDDEN]', net[2].weight)
table('pair_out_bias[1]', net[2].bias)
