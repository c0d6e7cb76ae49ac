#!/usr/bin/env python3
"""Make tests/data/torch.txt, what PyTorch computes for a small network: tests/unit/torch.c compares
lib/engine/train.c with it, tensor by tensor. Needs PyTorch (2.13 made the shipped file); the test does not.

    python3 tests/make-torch-fixture.py > tests/data/torch.txt

Each line is a tensor: a name, then its values. Layer numbers are those of the .net in torch.c.
"""
import torch
import torch.nn as nn

torch.manual_seed(1)
torch.use_deterministic_algorithms(True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Conv2d(1, 6, 3)
        self.l3 = nn.BatchNorm2d(6, eps=1e-3, momentum=0.01)
        self.l4 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.l5 = nn.BatchNorm2d(6, eps=1e-3, momentum=0.01)
        self.l10 = nn.Linear(150, 12)
        self.l12 = nn.BatchNorm1d(12, eps=1e-3, momentum=0.01)
        self.l13 = nn.Linear(12, 10)

    def forward(self, x):
        a = self.l3(torch.relu(self.l1(x)))
        x = torch.relu(self.l5(self.l4(a)) + a)
        x = torch.max_pool2d(x, 2).flatten(1)
        return self.l13(self.l12(torch.relu(self.l10(x))))


def show(name, tensor):
    print(name, *("%.9g" % v for v in tensor.detach().flatten().tolist()))


def show_params(prefix, net, grad=False):
    for name, p in net.named_parameters():
        show(f"{prefix}.{name}", p.grad if grad else p)


net = Net()
with torch.no_grad():
    for p in net.parameters():
        if p.dim() == 1:
            p += 0.2 * torch.randn_like(p)
x = torch.randn(16, 1, 12, 12)
label = torch.randint(0, 10, (16,))
optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, betas=(0.9, 0.99), eps=1e-8, weight_decay=0)
show("x", x)
show("label", label)
show_params("initial", net)
for step in range(3):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(x), label, label_smoothing=0.1)
    loss.backward()
    show(f"loss{step}", loss)
    if step == 0:
        show_params("gradient", net, grad=True)
    optimizer.step()
show_params("stepped", net)
for name, b in net.named_buffers():
    if b.dtype == torch.float32:
        show(f"stepped.{name}", b)
net.eval()
show("logits", net(x))
