"""The tables of `make accuracy`; tests/bench/accuracy starts it. usage: accuracy.py [-f|-w FLOORS] FOLDER...

A single digit is right when the answer is that digit. Numbers and sheets are compared as one string,
lines joined: digits right = length - edits, or those in common where the order is `any`. Pages that
lie on their side (rot90 in the notes) have a table of their own. `-t 0.9` is the share of the
pictures that are answered when what is under 0.9 is refused (of a sheet, any number on it), `of them`
the share of these answers that are wholly right.

-f names a file of floors, lines of kind, condition and percent: the status is 1 when a share of the
column `inkpipe` is below its floor, or a condition that was measured has none. -w writes the file's floors anew
(floor() is the rule) and leaves the comment at its head."""
import collections
import csv
import importlib.util
import math
import os
import subprocess
import sys
import urllib.parse

BENCH = os.path.dirname(os.path.abspath(__file__))
SURE = 0.9
OURS = "xargs -d '\\n' camgrab | {preproc} | cnn-predict {options}"
THEIRS = f"'{sys.executable}' '{BENCH}/threshold.py' | cnn-predict -m models/seed.onnx"
HAVE_THEIRS = importlib.util.find_spec("cv2") is not None
TITLES = {"single": "single digits", "number": "numbers by edit distance",
          "sheet": "sheets by edit distance", "none": "pictures without a digit"}
COLUMNS = {"right": ("inkpipe", "n"), "theirs": ("usual", "n"), "exact": ("whole", "pictures"),
           "sure": ("-t 0.9", "pictures"), "sure_right": ("of them", "sure")}


def answers(pipe, paths):
    """path -> the answers' (digits, probability) in order."""
    run = subprocess.run(["bash", "-c", pipe], input="\n".join(paths) + "\n", text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    got = collections.defaultdict(list)
    for line in run.stdout.splitlines():
        digits, probability, source = line.split("\t")[:3]
        if digits != "-":
            got[urllib.parse.unquote(source)].append((digits, float(probability)))
    return got


def edits(s, t):
    """Levenshtein's distance."""
    row = list(range(len(t) + 1))
    for i, a in enumerate(s, 1):
        above, row = row, [i]
        for j, b in enumerate(t, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


def digits_right(truth, got, order):
    if order == "any":
        common = sum((collections.Counter(truth) & collections.Counter(got)).values())
        return common - max(0, len(got) - len(truth))
    return len(truth) - edits(truth, got)


def count(picture, ours, theirs):
    """What one picture adds to the sums of its row."""
    truth = picture["truth"].strip("-").replace("/", "")
    got, usual = ("".join(digits for digits, _ in a) for a in (ours, theirs))
    sure = bool(got) and all(p >= SURE for _, p in ours)
    sums = {"pictures": 1, "n": 1, "right": got == truth, "theirs": usual == truth,
            "exact": got == truth, "sure": sure, "sure_right": sure and got == truth}
    if picture["kind"] in ("number", "sheet"):
        sums["n"] = len(truth)
        sums["right"] = max(0, digits_right(truth, got, picture["order"]))
        sums["theirs"] = max(0, digits_right(truth, usual, picture["order"]))
    return sums


def print_row(name, sums, columns):
    shares = ""
    for column in columns:
        whole = sums[COLUMNS[column][1]]
        shares += f"{100 * sums[column] / whole:8.2f} %" if whole else f"{'-':>10}"
    print(f"  {name[:36]:36} {sums['pictures']:8}{sums['n']:10}{shares}")


def print_table(title, rows, single):
    columns = [c for c in COLUMNS if (c != "theirs" or HAVE_THEIRS) and (c != "exact" or not single)]
    heads = "".join(f"{COLUMNS[c][0]:>10}" for c in columns)
    print(f"\n{title:38} {'pictures':>8}{'digits':>10}{heads}")
    for name, sums in rows.items():
        print_row(name, sums, columns)
    if len(rows) > 1:
        print_row("all", sum(rows.values(), collections.Counter()), columns)


def below(tables, file):
    """What is wrong with the tables by a file of floors, a line each."""
    with open(file, encoding="utf-8") as lines:
        floors = {(TITLES[kind], condition): float(percent) for kind, condition, percent in
                  (line.split() for line in lines if line.strip() and not line.startswith("#"))}
    rows = {(title, name): sums for title, table in tables.items() for name, sums in table.items()}
    wrong = [f"{title}, {name}: no floor" for title, name in rows.keys() - floors.keys()]
    wrong += [f"{title}, {name}: no picture" for title, name in floors.keys() - rows.keys()]
    for row in rows.keys() & floors.keys():
        share = 100 * rows[row]["right"] / rows[row]["n"]
        if share < floors[row]:
            wrong.append(f"{', '.join(row)}: {share:.2f} %, the floor is {floors[row]:g} %")
    return sorted(wrong)


def floor(percent):
    """Of a share that was measured: one and a half points lower, and down to a half or whole one."""
    return math.floor(2 * (percent - 1.5)) / 2


def write_floors(tables, file):
    with open(file, encoding="utf-8") as lines:
        head = [line for line in lines if line.startswith("#")]
    with open(file, "w", encoding="utf-8") as out:
        out.writelines(head)
        for kind, title in TITLES.items():
            for name, sums in tables[title].items():
                print(kind, name, f"{floor(100 * sums['right'] / sums['n']):g}", sep="\t", file=out)


def main(folder):
    """Print the folder's tables, and return them: title -> condition -> sums."""
    with open(os.path.join(folder, "labels.tsv"), encoding="utf-8") as file:
        pictures = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    tables = collections.defaultdict(lambda: collections.defaultdict(collections.Counter))
    for many in (False, True):
        some = [p for p in pictures if (p["kind"] in ("number", "sheet")) == many]
        paths = [os.path.join(folder, p["path"]) for p in some]
        ours = answers(OURS.format(preproc="preproc -m" if many else "preproc",
                                   options="-w" if many else ""), paths)
        theirs = answers(THEIRS, paths) if HAVE_THEIRS else {}
        for picture, path in zip(some, paths):
            title = TITLES[picture["kind"]] + (", on their side" if "rot90" in picture["notes"] else "")
            sums = count(picture, ours.get(path, []), theirs.get(path, []))
            tables[title][picture["source"].removeprefix(picture["group"] + "/")].update(sums)
    for title in sorted(tables, key=lambda t: [t.startswith(known) for known in TITLES.values()],
                        reverse=True):
        print_table(title, tables[title], "by edit distance" not in title)
    return tables


if __name__ == "__main__":
    arguments, how, floors_file, wrong = sys.argv[1:], None, None, []
    if arguments[:1] in (["-f"], ["-w"]):
        how, floors_file, arguments = arguments[0], arguments[1], arguments[2:]
    for argument in arguments:
        print(f"\n\n{os.path.basename(argument.rstrip('/'))}")
        measured = main(argument)
        if how == "-f":
            wrong += below(measured, floors_file)
        elif how == "-w":
            write_floors(measured, floors_file)
    print(*wrong, sep="\n", end="\n" if wrong else "")
    sys.exit(bool(wrong))
