"""The table of `make bench`; tests/bench/run starts it. Every figure is the median of ROUNDS
measurements; in each round all contenders of a row are measured one after another."""
import os
import shutil
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
    return float(run.stdout.split()[-1]) if run.returncode == 0 else None


def medians(commands):
    """Of what each prints, interleaved."""
    rounds = [[number(*command) for command in commands] for _ in range(ROUNDS)]
    columns = [[v for v in column if v] for column in zip(*rounds)]
    return [statistics.median(c) if c else None for c in columns]


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


def best(values):
    """A peer is taken at its best, ourselves at the median."""
    return max((v for v in values if v), default=None)


def beside(commands):
    """Our median and each peer's best, of rounds in which all take turns."""
    rounds = [[number(*command) for command in commands] for _ in range(ROUNDS)]
    ours, *peers = zip(*rounds)
    return [statistics.median(v for v in ours if v)] + [best(p) for p in peers]


def ratio(ours, peer):
    return f"{ours / peer:.2f}" if peer else "-"


def convert(scratch):
    """seed.onnx in the forms of ncnn and MNN, where they are there: scratch/seed.*"""
    shutil.copy(MODEL, scratch)
    for tool, *options in (("pnnx", "seed.onnx", "inputshape=[1,1,28,28]", "fp16=0"),
                           ("mnnconvert", "-f", "ONNX", "--modelFile", "seed.onnx", "--MNNModel", "seed.mnn",
                            "--bizCode", "seed")):
        tool = os.path.join(os.path.dirname(sys.executable), tool)
        if os.path.exists(tool):
            subprocess.run([tool, *options], cwd=scratch, capture_output=True, check=False)


def fp32_rows(scratch):
    """Running seed.net in floats beside each peer, and the share of the machine's peak: counted by
    the definition, so that Winograd's algorithm may pass 100 %."""
    products = 10.2e6  # multiply-adds an image
    tool = os.path.join(os.path.dirname(engine), "peak")
    peak, bf16 = number(tool, "fp32"), number(tool, "bf16")
    convert(scratch)
    peers = (("onnxruntime", MODEL), ("openvino", MODEL), ("ncnn", f"{scratch}/seed"), ("mnn", f"{scratch}/seed"),
             ("tract", MODEL), ("torch", MODEL))
    print(f"one thread at most: fp32 {peak:.0f}, bf16 dot products {bf16:.0f} GFLOP/s")
    print(f"{'images/s, seed.net, fp32':34} {'inkpipe':>8}   ratio to: {'ORT':>6} {'OpenVINO':>9} "
          f"{'ncnn':>6} {'MNN':>6} {'tract':>6} {'PyTorch':>8}   of the peak")
    for threads in ("1", "2"):
        for batch in ("1", "64", "256"):
            commands = [[engine, "infer", MODEL, batch, threads, SECONDS]]
            commands += [[sys.executable, PEER, peer, file, batch, threads, SECONDS]
                         for peer, file in peers]
            ours, *others = beside(commands)
            r = [ratio(ours, o) for o in others]
            share = 200 * ours * products / (peak * 1e9 * int(threads)) if peak else 0
            print(f"{f'run, batch {batch}, threads {threads}':34} {ours:8.0f} {'':11} {r[0]:>6} "
                  f"{r[1]:>9} {r[2]:>6} {r[3]:>6} {r[4]:>6} {r[5]:>8}   {share:.0f} %", flush=True)
    for name, command in (("inkpipe (cnn-predict)", ["cnn-predict", "-m", MODEL, f"{scratch}/one.pgm"]),
                          *((f"{peer} in Python", [sys.executable, PEER, peer, file, "1", "1", "0"])
                            for peer, file in peers)):
        took, kilobytes = process(command)
        if took:
            print(f"{f'first answer: {name}':44} {1000 * took:7.1f} ms {kilobytes / 1024:7.1f} MB")


def process(command):
    """Wall seconds and resident kilobytes of a process from start to end, the best of five; None
    where it fails."""
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = status
        runs.append((time.perf_counter() - start, usage.ru_maxrss))
        if status:
            return None, 0
    return min(runs)


def train_rows():
    print(f"\n{'images/s, seed.net':44} {'inkpipe':>10} {'peer':>10}    ratio")
    for precision, mode, torch in (("fp32", "train", "pytorch"),
                                   ("bf16", "train-bf16", "pytorch_bf16")):
        for threads in ("1", "2"):
            ours = [engine, mode, "models/seed.net", "64", threads, SECONDS]
            peer = [sys.executable, PEER, torch, "-", "64", threads, SECONDS]
            row(f"train in {precision}, batch 64, threads {threads} (PyTorch)", *beside([ours, peer]))


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
    fp32_rows(scratch)
    train_rows()
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
