"""How the small networks of turn_table.py and whole_table.py are trained."""
import torch
import torch.nn.functional as F

EPOCHS, BATCH = 12, 512


def train(net, x, y, weight_decay, scale):
    """To tell the classes y of the rows of x; in the end weights are whole multiples of 1 / scale."""
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, EPOCHS * (len(x) // BATCH))
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for i in range(0, len(x) - BATCH + 1, BATCH):
            some = order[i:i + BATCH]
            optimiser.zero_grad()
            F.cross_entropy(net(x[some]), y[some]).backward()
            optimiser.step()
            schedule.step()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_((p * scale).round() / scale)
