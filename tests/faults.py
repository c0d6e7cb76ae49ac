#!/usr/bin/env python3
"""usage: [B=DIR] tests/faults.py [-a] SWEEP...

The programs when the system lets them down. Each sweep runs programs again and again, each time with
one fault at another place, and looks at how they end. Prints one line a sweep; status 1 when one
found something. Without -a a few places are tried a program, always the same ones; -a: all.

    memory     an allocation fails: no crash, nothing left allocated, a message; the output is cut
    calls      open, read, write, close, fsync, rename or pthread_create fails: the same
    disk       the file written to ends after N bytes, as a full disk does
    pieces     short reads and writes, interrupted calls, a clock that jumps: the output is the same
    space      ulimit -v and ulimit -n, from too little to enough
    pipe       the last reader of a pipeline goes away after N bytes: every program ends quietly
    kill       training is ended by signals at random moments and resumed: the same model
    order      a model is on the disk before its name is, and its name before the run is over
    flat       many small frames (-a: ten million) take no more memory than the first tenth of them
    valgrind   every program under valgrind: no error, no leak
    races      several threads, in programs built with -fsanitize=thread: no race
"""
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
B = os.path.join(TREE, os.environ.get("B", "build"))
DATA = os.path.join(TREE, "tests/data")
CALLS = ("open", "read", "write", "close", "fsync", "rename", "thread")
# What UCX, which Debian 13's Open MPI stands on, says by itself where memory is short.
UCX = re.compile(r"^\[\S+:\d+ *:\d+:\d+\] .* failed: .*\n", re.M)


def read(name):
    with open(name, "rb") as f:
        return f.read()


class Ended:
    """How a run ended: status, output, talk, files it left, what the shim wrote."""

    def __init__(self, status, out, talk, files, log):
        self.status, self.out, self.talk, self.files = status, out, talk, files
        words = [line.split() for line in log.splitlines()]
        self.counts = {w[0]: int(w[1]) for w in words if len(w) == 2 and w[1].isdigit()}
        self.file_calls = [w for w in words if w[0] in ("fsync", "rename", "unlink") and
                            not w[1].isdigit()]


class Program:
    """A program, and what it gives when nothing fails."""

    def __init__(self, name, arguments, stdin=os.devnull):
        self.name, self.stdin = name, stdin
        self.command = [os.path.join(B, name)] + arguments
        self.whole = self.run()
        if self.whole.status:
            sys.exit(f"{name}: status {self.whole.status}: {self.whole.talk}")

    def run(self, fault="", limits=(), out_limit=None, seconds=300):
        """Run it in a folder of its own, with the shim or with limits ((what, value), ...)."""
        with tempfile.TemporaryDirectory() as folder:
            env = dict(os.environ, FAULT=fault, FAULT_LOG=folder + "/log", LC_ALL="C.UTF-8")
            if not limits and out_limit is None:
                env["LD_PRELOAD"] = shim
            limits = list(limits)
            if out_limit is not None:
                limits.append((resource.RLIMIT_FSIZE, out_limit))

            def prepare():
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                for what, value in limits:
                    resource.setrlimit(what, (value, value))

            work = folder + "/work"
            os.mkdir(work)
            with open(folder + "/out", "wb") as out, open(self.stdin, "rb") as stdin:
                p = subprocess.run(self.command, cwd=work, env=env, stdin=stdin,
                                   stdout=out, stderr=subprocess.PIPE, preexec_fn=prepare,
                                   restore_signals=False, timeout=seconds)
            files = {}
            for path, _, names in os.walk(work):
                for name in names:
                    name = os.path.join(path, name)
                    files[os.path.relpath(name, work)] = read(name)
            log = read(folder + "/log").decode() if os.path.exists(folder + "/log") else ""
            talk = UCX.sub("", p.stderr.decode())
            return Ended(p.returncode, read(folder + "/out"), talk, files, log)

    def says_of_pictures(self, r):
        """Whether each picture that inkpipe-read has come to has its answers, or a line that begins
        with ! in place of some."""
        pictures, whole = r.out.split(b".\n"), self.whole.out.split(b".\n")
        lines = [(set(p.splitlines()), set(w.splitlines())) for p, w in zip(pictures, whole)]
        lacking = [said for p, w in lines[:-1 if r.status else None] if (said := p - w) or w - p]
        return len(pictures) <= len(whole) and (r.status or len(pictures) == len(whole)) and \
            all(said and all(line[:1] == b"!" for line in said) for said in lacking)

    def trouble(self, r, *says):
        """What is wrong with an end that a fault may have caused; "" when nothing is. The output may
        be cut, a file may be missing, but none may be half of what it should be."""
        # A line or frame that there was no memory for is left out of the table and of the report.
        partly = self.name == "formtable" or "-e" in self.command
        timeless = self.name == "cnn-train" or (partly and r.status)
        for name, content in r.files.items():
            if name.endswith(".ckpt"):
                continue
            if name not in self.whole.files:
                return f"left {name} behind"
            if content != self.whole.files[name]:
                return f"left {name} of {len(content)} bytes"
        if r.status not in (0, 1):
            return f"status {r.status}: {r.talk}"
        if self.name == "inkpipe-read":
            timeless = self.says_of_pictures(r)
        if not timeless and not self.whole.out.startswith(r.out):
            return "other output"
        if r.status == 0 and not timeless and (r.out != self.whole.out or
                                               r.files != self.whole.files):
            return "status 0, but not all is there"
        # Libraries may say something of their own before.
        if r.status == 1 and not any(line.startswith(self.name + ": ") for line in r.talk.splitlines()):
            return f"status 1 and no message but {r.talk!r}"
        if r.status == 1 and says and not any(word in r.talk.lower() for word in says):
            return f"the message is {r.talk!r}"
        if r.counts.get("live", 0):
            return f"{r.counts['live']} blocks of memory not given back: {r.talk}"
        return ""


def desk(digit):
    """Of a PGM of 28x28 a picture of that digit on a sheet of paper on a table with a grain: nothing
    that is found at the first look."""
    width, height, ink = 320, 240, digit[-28 * 28:]
    grain = random.Random(1)
    rows = []
    for y in range(height):
        row = bytearray(grain.randrange(70, 130) for _ in range(width))
        if 60 <= y < 180:
            row[90:230] = bytes([220]) * 140
            for x in range(130, 186):
                if 84 <= y < 140:
                    row[x] -= 3 * ink[(y - 84) // 2 * 28 + (x - 130) // 2] // 4
        rows.append(bytes(row))
    return b"P5\n%d %d\n255\n" % (width, height) + b"".join(rows)


def make(name, content):
    """A file in the scratch folder."""
    path = os.path.join(scratch, name)
    with open(path, "wb") as f:
        f.write(content)
    return path


def output(command, **how):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, **how).stdout


def make_scenes(digits):
    """What a finder learns from: one digit on gray paper each."""
    scenes = b""
    for i, digit in enumerate(digits):
        rows = [bytes([200]) * 64] * 64
        rows[20:48] = [bytes([200]) * 18 + bytes(200 - v // 2 for v in row) + bytes([200]) * 18
                       for row in zip(*[iter(digit[-28 * 28:])] * 28)]
        scenes += b"P5\n# boxes=22,24,20,20,%d\n64 64\n255\n" % (i % 10) + b"".join(rows)
    return scenes


def inputs(frames):
    """What the programs read, by name."""
    digits = [DATA + "/digits-images.gz", DATA + "/digits-labels.gz"]
    few = make("few.pgm", output([B + "/mnist2pgm", "-r", f"0:{frames}"] + digits))
    tiles = "".join(f" {scratch}/{i}.pgm" for i in range(8))
    page = make("page.pgm", output(f"pamsplit -quiet '{few}' '{scratch}/%d.pgm'; "
                                   f"pnmcat -lr {tiles} | pamscale 2", shell=True))
    sheet = make("sheet.pgm", desk(read(scratch + "/0.pgm")))
    photo = make("photo.png", output(["pnmtopng", "-quiet", sheet]))
    make("list.tsv", b"a\tname\n12\tAda\n34\tEmmy\n")
    return {
        "digits": digits, "few": few, "page": page, "sheet": sheet, "photo": photo,
        "filled": make("filled.pgm", output(f"'{B}/formprint' '{DATA}/sum.form' | "
                                            "pdftoppm -gray -r 100", shell=True)),
        "form": make("list.form", b"page a4\nfield a digits 2 in list.tsv unique\n"
                                  b"field b digits 2 rising\nfield sum digits 3\n"),
        "sent": make("sent", b"".join(b"%d %s\n" % (os.path.getsize(name), os.path.basename(name).encode())
                                      + read(name) for name in (photo, few))),
        "mapping": make("mapping.txt", b"".join(b"%d %d\n" % (i, ord("A") + i) for i in range(10))),
        "found": make("found.pgm", output([B + "/preproc", "-m", page])),
        "finder": make("finder.net", b"input 1 64 64\nconv 8 3x3 stride 2 pad same\nbatchnorm\nrelu\n"
                                     b"conv 8 3x3 stride 2 pad same\nrelu\nconv 23 1x1\nboxes\n"),
        "scenes": make("scenes.pgm", make_scenes(read(f"{scratch}/{i}.pgm") for i in range(min(frames, 12)))),
        "model": DATA + "/models/mean-image.onnx", "chain": DATA + "/models/zoo-mnist-12.onnx"}


def programs(frames=120):
    """Each program at a small piece of its work."""
    of = inputs(frames)
    digits, few, model = of["digits"], of["few"], of["model"]
    return [Program("mnist2pgm", ["-r", "0:40"] + digits),
            Program("mnist2pgm", ["-T", "-d", "digits", "-r", "0:3"] + digits),
            Program("mnist2pgm", ["-M", of["mapping"], "-r", ":40"] + digits),
            Program("preproc", ["-m", of["page"]]),
            Program("preproc", ["-j", "2", few]),
            Program("preproc", [of["sheet"]]),
            Program("preproc", ["-f", DATA + "/sum.form", "-j", "2", of["filled"]]),
            Program("camgrab", [of["photo"]]),
            Program("formprint", ["-n", "2", DATA + "/sum.form"]),
            Program("formtable", ["-k", "3", DATA + "/sum.form", DATA + "/sum.json"]),
            Program("formtable", ["-o", "csv", of["form"], DATA + "/sum.json"]),
            Program("inkpipe-read", ["-m", model], of["sent"]),
            Program("cnn-predict", ["-m", model, "-w", "-o", "json", of["found"]]),
            Program("cnn-predict", ["-m", model, "-k", "2", few]),
            Program("cnn-predict", ["-m", TREE + "/models/default.onnx", "-j", "2", "-e", few]),
            Program("cnn-train", ["-q", "-i", of["chain"], "-o", "m.onnx", "-v", str(frames // 6), few]),
            Program("cnn-train", ["-n", of["finder"], "-o", "m.onnx", "-e", "2", "-v", "3", of["scenes"]]),
            Program("cnn-train", ["-n", DATA + "/tiny.net", "-o", "m.onnx", "-e", "2", "-j", "2",
                                  few])]


def places(count, n=10):
    """Of the places 1..count those to try: all with -a, else n, among them the first and last."""
    if every or count <= n:
        return range(1, count + 1)
    return sorted({1, count} | {random.randint(1, count) for _ in range(n - 2)})


def memory():
    for p in programs():
        for n in places(p.whole.counts["malloc"], 16):
            for more in ("", "+"):
                # FFmpeg's decoders have words of their own for it.
                yield (f"{p.name}: malloc={n}{more}",
                       p.trouble(p.run(f"malloc={n}{more}"), "memory", "cannot start thread", "png decoder",
                                 "not a whole png"))


def calls():
    for p in programs():
        for call in CALLS:
            for n in places(p.whole.counts.get(call, 0), 6):
                yield f"{p.name}: {call}={n}", p.trouble(p.run(f"{call}={n}"))


def disk():
    for p in programs():
        largest = max([len(p.whole.out)] + [len(f) for f in p.whole.files.values()])
        for n in {0, 1, largest - 1} | {random.randrange(largest) for _ in range(100 if every else 6)}:
            r = p.run(out_limit=n)
            bad = p.trouble(r, "file too large")
            if not bad and r.status == 0 and b"\n!" not in r.out: # the picture did not fit into TMPDIR
                bad = "status 0"
            yield f"{p.name}: {n} of {largest} bytes", bad


def pieces():
    for p in programs():
        for fault in ("short", "eintr", "clock", "short,eintr,clock"):
            if p.name == "mnist2pgm" and "eintr" in fault:
                continue # zlib does not read on; but the program has no handlers of signals
            r = p.run(fault)
            bad = p.trouble(r)
            if not bad and (r.status or r.files != p.whole.files):
                bad = f"status {r.status}: {r.talk}"
            yield f"{p.name}: {fault}", bad


def space():
    for p in programs():
        for n in range(4, 9):
            yield f"{p.name}: ulimit -n {n}", p.trouble(p.run(limits=[(resource.RLIMIT_NOFILE, n)]))
        # The least that the dynamic linker is content with, in steps of 256 KB: between low and high.
        low, high = 0, 1 << 20
        while p.run(limits=[(resource.RLIMIT_AS, high)]).status not in (0, 1):
            low, high = high, 2 * high
        while high - low > 1 << 18:
            middle = (low + high) // 2
            if p.run(limits=[(resource.RLIMIT_AS, middle)]).status in (0, 1):
                high = middle
            else:
                low = middle
        low = high
        for n in range(20 if every else 4):
            r = p.run(limits=[(resource.RLIMIT_AS, low + (n << (18 if every else 20)))])
            yield f"{p.name}: ulimit -v {(low >> 10) + (n << 8)}", p.trouble(r)


def pipe():
    digits = f"{DATA}/digits-images.gz {DATA}/digits-labels.gz"
    line = f"mnist2pgm -r 0:300 {digits} | preproc | cnn-predict"
    env = dict(os.environ, PATH=B + ":" + os.environ["PATH"])
    for stages in (1, 2, 3):
        part = " | ".join(line.split(" | ")[:stages])
        whole = len(subprocess.run(part, shell=True, env=env, stdout=subprocess.PIPE).stdout)
        for n in {0, 1, whole - 1} | {random.randrange(whole) for _ in range(60 if every else 5)}:
            command = f"{part} | head -c {n} >/dev/null; echo ${{PIPESTATUS[*]}}"
            r = subprocess.run(["bash", "-c", command], env=env, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, timeout=60)
            ends = [int(s) for s in r.stdout.split()]
            bad = "" if set(ends) <= {0, 141} and not r.stderr else f"{ends} {r.stderr.decode()}"
            yield f"{part} | head -c {n}", bad


def kill():
    train = Program("cnn-train", ["-V"])
    train.command[1:] = ["-n", DATA + "/tiny.net", "-e", "12", "-r", "-o"]
    data = os.path.join(scratch, "digits.pgm")
    with open(data, "wb") as f:
        subprocess.run([B + "/mnist2pgm", DATA + "/digits-images.gz", DATA + "/digits-labels.gz"],
                       stdout=f, check=True)
    began = time.monotonic()
    subprocess.run(train.command + [scratch + "/whole.onnx", data], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    takes = time.monotonic() - began
    whole = read(scratch + "/whole.onnx")
    kills = runs = 0
    while kills < (50 if every else 6) or runs == 0:
        p = subprocess.Popen(train.command + [scratch + "/m.onnx", data],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        which = random.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
        try:
            p.wait(random.uniform(0, takes / 2) if kills % 7 != 6 else None)
        except subprocess.TimeoutExpired:
            p.send_signal(which)
        talk = p.communicate()[1].decode()
        bad = ""
        if p.returncode == 0:
            runs += 1
            bad = "" if read(scratch + "/m.onnx") == whole else "another model"
            os.remove(scratch + "/m.onnx")
        elif p.returncode != -which:
            bad = f"status {p.returncode}: {talk}"
        elif os.path.exists(scratch + "/m.onnx"):
            bad = "a model is there"
        kills += p.returncode != 0
        if p.returncode == 0 and kills % 7 == 6:
            kills += 1
        yield f"run {runs}, {which.name}", bad


def order():
    steps = [[call] + [os.path.basename(n) or n for n in names] + [names[0]]
             for call, *names in programs()[-1].whole.file_calls]
    renamed = []
    for i, (call, name, *rest) in enumerate(steps):
        before, after = steps[i - 1], steps[i + 1] if i + 1 < len(steps) else ["", "", ""]
        if call == "rename":
            renamed.append(rest[0])
            good = before[0] == after[0] == "fsync" and before[1] == name and \
                after[-1] == os.path.dirname(before[-1])
            yield rest[0], "" if good else f"{steps}"
        if call == "unlink":
            yield name, "" if name == "m.onnx.ckpt" and renamed[-1] == "m.onnx" else f"{steps}"
    yield "all", "" if renamed == ["m.onnx.ckpt"] * 2 + ["m.onnx"] else f"{steps}"


def resident(pid):
    """Kilobytes of memory that a process has in use."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def flat():
    frames, block = 10**7 if every else 10**5, 1000
    data = subprocess.run([B + "/mnist2pgm", DATA + "/digits-images.gz"], stdout=subprocess.PIPE,
                          check=True).stdout
    for command in (["preproc"], ["cnn-predict", "-m", DATA + "/models/mean-image.onnx"]):
        p = subprocess.Popen([os.path.join(B, command[0])] + command[1:], stdin=subprocess.PIPE,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for i in range(frames // block):
            if i == frames // block // 10:
                early = resident(p.pid)
            p.stdin.write(data)
        grown = resident(p.pid) - early
        p.stdin.close()
        status = p.wait()
        yield command[0], "" if grown < 256 and not status else f"{grown} KB, status {status}"


def valgrind():
    for p in programs(120 if every else 8):
        if not every and "-e" in p.command and p.name == "cnn-predict":
            continue # the largest network
        p.command[:0] = ["valgrind", "-q", "--leak-check=full", "--error-exitcode=9"]
        r = p.run(limits=[(resource.RLIMIT_CORE, 0)], seconds=3600)
        yield p.name, "" if r.status == 0 and "==" not in r.talk else f"{r.status}: {r.talk}"


def races():
    of = inputs(300)
    pages, scans = make("pages.pgm", 6 * read(of["page"])), make("scans.pgm", 4 * read(of["filled"]))
    train = ["cnn-train", "-j", "4", "-o", scratch + "/m.onnx"]
    for command in (["preproc", "-j", "4", of["few"]], ["preproc", "-m", "-j", "4", pages],
                    ["preproc", "-f", DATA + "/sum.form", "-j", "4", scans],
                    ["cnn-predict", "-j", "4", "-e", of["few"]],
                    train + ["-e", "2", "-n", DATA + "/tiny.net", of["few"]],
                    train + ["-e", "2", "-v", "3", "-n", of["finder"], of["scenes"]],
                    train + ["-q", "-v", "20", "-i", of["chain"], of["few"]]):
        r = subprocess.run(["setarch", "-R", os.path.join(B, command[0])] + command[1:],
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=600)
        yield " ".join(command[:3]), "" if r.returncode == 0 else f"{r.returncode}: {r.stderr.decode()}"
    r = subprocess.run(["setarch", "-R", B + "/unit/inkpipe_threads"], cwd=TREE, timeout=600,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    yield "libinkpipe", "" if r.returncode == 0 else f"{r.returncode}: {r.stdout.decode()}"


def main():
    global every, scratch, shim
    arguments = sys.argv[1:]
    every = arguments[:1] == ["-a"]
    sweeps = arguments[every:]
    known = {f.__name__: f for f in (memory, calls, disk, pieces, space, pipe, kill, order, flat,
                                  valgrind, races)}
    if not sweeps or not set(sweeps) <= set(known):
        sys.exit(__doc__)
    status = 0
    for sweep in sweeps:
        random.seed(1)
        scratch = tempfile.mkdtemp()
        shim = scratch + "/shim.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", shim, TREE + "/tests/faultshim.c"],
                       check=True)
        tried = found = 0
        for what, bad in known[sweep]():
            tried += 1
            if bad:
                found += 1
                print(f"{sweep}: {what}: {bad.strip()}", flush=True)
        shutil.rmtree(scratch)
        print(f"{sweep}: {tried} tried, {found} found", flush=True)
        status |= found > 0 or tried == 0
    sys.exit(status)


if __name__ == "__main__":
    main()
