#!/usr/bin/env python3
"""Make lib/ink/turn_table.h: the weights by which lib/ink/turn.c tells how a page lies.

usage: turn_table.py DATA > lib/ink/turn_table.h     (DATA: MNIST's IDX files; needs PyTorch)

A network of 49 means of 4x4 pixels, 32 hidden units and 3 classes (upright, turned right, turned
left), trained on MNIST's training digits and the same digits turned, centred again as preproc would.
Prints what the test digits give to standard error."""
import sys
import numpy as np
import torch
import torch.nn.functional as F
from table_net import train

HIDDEN, SCALE = 32, 64
torch.manual_seed(1)
torch.set_num_threads(1)


def images(name):
    raw = np.fromfile(sys.argv[1] + '/' + name, np.uint8)[16:]
    return torch.from_numpy(raw.reshape(-1, 1, 28, 28)).float() / 255


def turned(x):
    right = torch.roll(torch.rot90(x, -1, (2, 3)), 1, 3)
    left = torch.roll(torch.rot90(x, 1, (2, 3)), 1, 2)
    return [F.avg_pool2d(y, 4).reshape(len(y), -1) for y in (x, right, left)]


x = torch.cat(turned(images('train-images-idx3-ubyte')))
y = torch.arange(3).repeat_interleave(len(x) // 3)
net = torch.nn.Sequential(torch.nn.Linear(49, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 3))
train(net, x, y, 0.02, SCALE)
with torch.no_grad():
    for k, t in enumerate(turned(images('t10k-images-idx3-ubyte'))):
        log_p = net(t).log_softmax(1)
        for group in (1, 4, 8, 16):
            sums = log_p[:len(t) // group * group].reshape(-1, group, 3).sum(1)
            print(k, group, '%.4f' % (sums.argmax(1) == k).float().mean(), file=sys.stderr)


def table(name, kind, p):
    rows = [' '.join('%d,' % round(v) for v in row) for row in (p * SCALE).reshape(-1, p.shape[-1]).tolist()]
    out = []
    for row in rows:
        line = '   '
        for word in row.split():
            if len(line) + len(word) > 97:
                out.append(line)
                line = '   '
            line += ' ' + word
        out.append(line)
    print('static const %s %s = {\n%s\n};' % (kind, name, '\n'.join(out)))


print('/* Made by tests/turn_table.py: %d times the weights of turn.c\'s network. */' % SCALE)
print('#define TURN_HIDDEN %d\n#define TURN_SCALE %d' % (HIDDEN, SCALE))
table('turn_weight[TURN_HIDDEN * 49]', 'int16_t', net[0].weight.detach())
table('turn_bias[TURN_HIDDEN]', 'int16_t', net[0].bias.detach())
table('turn_out_weight[3 * TURN_HIDDEN]', 'int16_t', net[2].weight.detach())
table('turn_out_bias[3]', 'int16_t', net[2].bias.detach())
