"""The table of `make bench-pages`; tests/bench/pages starts it. usage: pages.py FOLDER...

Each contender reads all numbers and sheets of a folder in one process on one core, ROUNDS times, all in
turns; its seconds are the median's, its start included. A page's numbers are compared as one string, as
accuracy.py does. RapidOCR reads all kinds of text: its digits alone are counted, in the order of its lines."""
import collections
import csv
import importlib.util
import os
import statistics
import sys
import time

from accuracy import OURS, answers, digits_right

ROUNDS = 3
INKPIPE = OURS.format(preproc="preproc -m", options="-w")
RAPIDOCR = f"'{sys.executable}' '{os.path.abspath(__file__)}' -r"


def read_lines():
    """RapidOCR's answer lines to the pictures that standard input names: digits, probability, source."""
    from rapidocr_onnxruntime import RapidOCR

    reader = RapidOCR()
    for path in sys.stdin.read().splitlines():
        for _, text, probability in reader(path)[0] or []:
            digits = "".join(c for c in text if c in "0123456789")
            if digits:
                print(digits, probability, path, sep="\t", flush=True)


def right(page, got):
    """(digits, of them right, whether all are) of a page."""
    truth, string = page["truth"].replace("/", ""), "".join(digits for digits, _ in got)
    return len(truth), max(0, digits_right(truth, string, page["order"])), string == truth


def main(folder):
    with open(os.path.join(folder, "labels.tsv"), encoding="utf-8") as file:
        pages = [p for p in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
                 if p["kind"] in ("number", "sheet") and "rot90" not in p["notes"]]
    paths = [os.path.join(folder, p["path"]) for p in pages]
    pipes = {"inkpipe": INKPIPE}
    if importlib.util.find_spec("rapidocr_onnxruntime"):
        pipes["RapidOCR"] = RAPIDOCR
    took, got = collections.defaultdict(list), {}
    for _ in range(ROUNDS):
        for name, pipe in pipes.items():
            start = time.perf_counter()
            got[name] = answers(pipe, paths)
            took[name].append(time.perf_counter() - start)
    print(f"\n{os.path.basename(folder.rstrip('/'))[:36]:36} {'pictures':>8}{'digits':>8}{'right':>10}"
          f"{'whole':>10}{'ms a picture':>14}")
    for name in pipes:
        digits, correct, whole = map(sum, zip(*(right(p, got[name].get(path, [])) for p, path in zip(pages, paths))))
        print(f"  {name:34} {len(pages):8}{digits:8}{100 * correct / digits:8.2f} %{100 * whole / len(pages):8.2f} %"
              f"{1000 * statistics.median(took[name]) / len(pages):14.1f}", flush=True)


if sys.argv[1:] == ["-r"]:
    read_lines()
else:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for argument in sys.argv[1:]:
        main(argument)
