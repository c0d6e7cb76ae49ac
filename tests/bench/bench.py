"""The table of `make bench`; tests/bench/run starts it. Every figure is the median of ROUNDS
measurements; in each round all contenders of a row are measured one after another."""
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 5
SECONDS = "1"
MODEL = "models/seed.onnx"
PEER = os.path.join(os.path.dirname(__file__), "peer.py")
engine = sys.argv[1]


def number(*command):
    """What a command prints, or None where it cannot run."""
    run = subprocess.run(command, capture_output=True, text=True)
    return float(run.stdout) if run.returncode == 0 else None


def medians(commands):
    """Of what each prints, interleaved."""
    rounds = [[number(*command) for command in commands] for _ in range(ROUNDS)]
    columns = [[v for v in column if v] for column in zip(*rounds)]
    return [statistics.median(c) if c else None for c in columns]


def rates(ours, peer):
    return medians([ours, peer])


def row(name, ours, peer):
    ratio = f"{ours / peer:8.2f}" if peer else "       -"
    print(f"{name:44} {ours:10.0f} {peer or float('nan'):10.0f} {ratio}", flush=True)


def seconds(command):
    start = time.perf_counter()
    subprocess.run(["bash", "-c", command], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def pipe_rate(frames, threads):
    """Frames a second of cnn-predict, start and reading included, from 60 times 1,000 frames."""
    count = 60000
    took = seconds(f"cnn-predict -j {threads} -m {MODEL} {' '.join([frames] * 60)}")
    return count / took


print(f"{'images/s, network seed.net, fp32':44} {'inkpipe':>10} {'peer':>10}    ratio")
for threads in ("1", "2"):
    for batch in ("1", "64", "256"):
        ours = [engine, "infer", MODEL, batch, threads, SECONDS]
        peer = [sys.executable, PEER, "onnxruntime", MODEL, batch, threads, SECONDS]
        row(f"run, batch {batch}, threads {threads} (ONNX Runtime)", *rates(ours, peer))
for threads in ("1", "2"):
    ours = [engine, "train", "models/seed.net", "64", threads, SECONDS]
    peer = [sys.executable, PEER, "pytorch", "-", "64", threads, SECONDS]
    row(f"train, batch 64, threads {threads} (PyTorch)", *rates(ours, peer))



def int8_rows(model):
    """The same network in 8 bits beside ONNX Runtime in floats, and both peers on the same file."""
    products = 10.2e6  # multiply-adds an image
    peak = number(os.path.join(os.path.dirname(engine), "peak8"))
    print(f"\n{'images/s, seed.net in 8 bits':34} {'inkpipe':>8} {'ratio to':>10} {'ORT fp32':>9} "
          f"{'ORT int8':>9} {'OpenVINO int8':>14}   of the peak ({peak:.0f} billion products/s)")
    for threads in ("1", "2"):
        for batch in ("1", "64", "256"):
            commands = [[engine, "infer", model, batch, threads, SECONDS]]
            commands += [[sys.executable, PEER, peer, file, batch, threads, SECONDS]
                         for peer, file in (("onnxruntime", MODEL), ("onnxruntime", model),
                                            ("openvino", model))]
            ours, *peers = medians(commands)
            ratios = [f"{ours / p:.2f}" if p else "-" for p in peers]
            share = 100 * ours * products / (peak * 1e9 * int(threads)) if peak else 0
            print(f"{f'run, batch {batch}, threads {threads}':34} {ours:8.0f} {'':10} "
                  f"{ratios[0]:>9} {ratios[1]:>9} {ratios[2]:>14}   {share:.0f} %", flush=True)


with tempfile.TemporaryDirectory() as scratch:
    frames = os.path.join(scratch, "frames.pgm")
    one = os.path.join(scratch, "one.pgm")
    data = "tests/data/digits-images.gz tests/data/digits-labels.gz"
    seconds(f"mnist2pgm {data} > {frames}; mnist2pgm -r 0:1 {data} > {one}")
    for threads in (1, 2):
        pairs = [(pipe_rate(frames, threads),
                  number(engine, "infer", MODEL, "64", str(threads), SECONDS)) for _ in range(ROUNDS)]
        pipe, alone = map(statistics.median, zip(*pairs))
        row(f"cnn-predict on a stream, threads {threads} (its engine)", pipe, alone)
    seconds(f"cnn-train -q -i {MODEL} -o {scratch}/int8.onnx {frames}")
    int8_rows(os.path.join(scratch, "int8.onnx"))
    print()
    first = statistics.median(seconds(f"exec cnn-predict {one}") for _ in range(20))
    empty = statistics.median(seconds("exec true") for _ in range(20))
    print(f"{'start to first answer, default model':44} {1000 * (first - empty):7.1f} ms")
    usage = subprocess.run(["bash", "-c", f"cnn-predict -m {MODEL} {frames} >/dev/null & "
                            "pid=$!; while kill -0 $pid 2>/dev/null; do "
                            "grep VmHWM /proc/$pid/status 2>/dev/null; done | tail -n 1; wait"],
                           capture_output=True, text=True, check=True).stdout.split()
    print(f"{'cnn-predict, resident at most (seed.onnx)':44} {int(usage[1]) / 1024:7.1f} MB")
