"""One peer, one measurement: images a second, the best round of some seconds.

    peer.py onnxruntime MODEL BATCH THREADS SECONDS
    peer.py openvino    MODEL BATCH THREADS SECONDS    (asked for f32: its own choice is bf16)
    peer.py ncnn        MODEL BATCH THREADS SECONDS    (MODEL without .onnx: NAME.ncnn.param, .bin)
    peer.py mnn         MODEL BATCH THREADS SECONDS    (MODEL without .mnn; asked for fp32)
    peer.py tract       MODEL BATCH THREADS SECONDS
    peer.py torch       MODEL BATCH THREADS SECONDS    (seed.net, channels_last, fp32)
    peer.py pytorch     -     BATCH THREADS SECONDS    (the same, training)
    peer.py pytorch_bf16 -    BATCH THREADS SECONDS    (the same under bf16 autocast)
"""
import os
import subprocess
import sys
import time

name, model, batch, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:5])
seconds = float(sys.argv[5])


def best_rate(step, images):
    """step() runs so many images; short steps are taken together."""
    rounds = max(1, 64 // images)
    step()
    best, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(rounds):
            step()
        best = max(best, rounds * images / (time.perf_counter() - start))
    return best


def onnxruntime_rate():
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options)
    feed = {session.get_inputs()[0].name: numpy.random.rand(batch, 1, 28, 28).astype("float32")}
    return best_rate(lambda: session.run(None, feed), batch)


def openvino_rate():
    import numpy
    import openvino

    core = openvino.Core()
    net = core.read_model(model)
    net.reshape([batch, 1, 28, 28])
    hint = "LATENCY" if batch == 1 else "THROUGHPUT"
    request = core.compile_model(net, "CPU", {
        "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": hint, "NUM_STREAMS": 1}).create_infer_request()
    x = openvino.Tensor(numpy.random.rand(batch, 1, 28, 28).astype("float32"))
    return best_rate(lambda: request.infer([x], share_inputs=True, share_outputs=True), batch)


def a_net_a_thread():
    """What nets of one thread do together, each in a process of its own."""
    command = [sys.executable, __file__, name, model, str(batch), "1", str(seconds)]
    nets = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(threads)]
    return sum(float(net.communicate()[0].split()[-1]) for net in nets)


def ncnn_rate():
    """ncnn has no batches: image after image. On two threads it is best as a net a thread, where
    there are images enough."""
    import ncnn
    import numpy

    if threads > 1 and batch > 1:
        return a_net_a_thread()
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.load_param(model + ".ncnn.param")
    net.load_model(model + ".ncnn.bin")
    x = ncnn.Mat(numpy.random.rand(1, 28, 28).astype("float32"))

    def step():
        for _ in range(batch):
            extractor = net.create_extractor()
            extractor.input("in0", x)
            extractor.extract("out0")

    return best_rate(step, batch)


def mnn_rate():
    """On two threads it is best as a net a thread, too."""
    import MNN
    import numpy

    if threads > 1 and batch > 1:
        return a_net_a_thread()
    runtime = MNN.nn.create_runtime_manager(({"backend": "CPU", "numThread": threads, "precision": "high", "power": "high"},))
    net = MNN.nn.load_module_from_file(model + ".mnn", [], [], runtime_manager=runtime, shape_mutable=False)
    x = MNN.expr.const(numpy.random.rand(batch, 1, 28, 28).astype("float32"), [batch, 1, 28, 28], MNN.expr.NCHW)
    return best_rate(lambda: net.forward([x])[0].read(), batch)


def tract_rate():
    """tract takes longer for an image of a batch than for one alone, and has no threads: image after
    image, a net a thread."""
    import numpy
    import tract

    if threads > 1 and batch > 1:
        return a_net_a_thread()
    net = tract.onnx().load(model)
    net.set_input_fact(0, "1,1,28,28,f32")
    net = net.into_model().into_runnable()
    x = tract.Tensor.from_numpy(numpy.random.rand(1, 1, 28, 28).astype("float32"))
    return best_rate(lambda: [net.run([x])[0].to_numpy() for _ in range(batch)], batch)


def torch_net():
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
    return net, torch.rand(batch, 1, 28, 28).to(memory_format=torch.channels_last)


def torch_rate():
    import torch

    net, x = torch_net()
    with torch.inference_mode():
        net = torch.jit.freeze(torch.jit.trace(net.eval(), x))
        return best_rate(lambda: net(x), batch)


def pytorch_rate(bf16=False):
    import torch

    net, x = torch_net()
    optimizer = torch.optim.Adam(net.parameters(), 1e-4)
    y = torch.zeros(batch, dtype=torch.long)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            loss = torch.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()

    return best_rate(step, batch)


def pytorch_bf16_rate():
    return pytorch_rate(bf16=True)


print(round(globals()[name + "_rate"]()))
sys.stdout.flush()
os._exit(0)  # some peers are slow to take themselves down
