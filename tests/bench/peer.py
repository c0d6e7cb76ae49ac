"""One peer, one measurement: images a second, the best batch of some seconds.

    peer.py onnxruntime MODEL BATCH THREADS SECONDS
    peer.py openvino    MODEL BATCH THREADS SECONDS
    peer.py pytorch     -     BATCH THREADS SECONDS    (training seed.net, channels_last, fp32)
"""
import sys
import time

name, model, batch, threads, seconds = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])


def best_rate(step, images):
    step()
    best, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        step()
        best = max(best, images / (time.perf_counter() - start))
    return best


def onnxruntime_rate():
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options)
    x = numpy.random.rand(batch, 1, 28, 28).astype(numpy.float32)
    rounds = max(1, 64 // batch)

    def step():
        for _ in range(rounds):
            session.run(None, {session.get_inputs()[0].name: x})

    return best_rate(step, rounds * batch)


def openvino_rate():
    import numpy
    import openvino

    network = openvino.Core().read_model(model)
    network.reshape([batch, 1, 28, 28])
    request = openvino.compile_model(
        network, "CPU", {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
                         "INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    request.set_input_tensor(
        openvino.Tensor(numpy.random.rand(batch, 1, 28, 28).astype(numpy.float32)))
    rounds = max(1, 64 // batch)

    def step():
        for _ in range(rounds):
            request.infer()

    return best_rate(step, rounds * batch)


def pytorch_rate():
    import torch
    from torch import nn

    def block(c, k):
        return [nn.Conv2d(c, k, 3), nn.ReLU(), nn.BatchNorm2d(k)]

    torch.set_num_threads(threads)
    net = nn.Sequential(
        *block(1, 32), *block(32, 32), nn.MaxPool2d(2), nn.Dropout(0.25),
        *block(32, 64), *block(64, 64), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(1024, 512), nn.ReLU(), nn.BatchNorm1d(512), nn.Dropout(0.5),
        nn.Linear(512, 10)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), 1e-4)
    x = torch.rand(batch, 1, 28, 28).to(memory_format=torch.channels_last)
    y = torch.zeros(batch, dtype=torch.long)

    def step():
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    return best_rate(step, batch)


rates = {"onnxruntime": onnxruntime_rate, "openvino": openvino_rate, "pytorch": pytorch_rate}
print(round(rates[name]()))
