"""What tests/bench/forms writes into its forms, and how much of it was read."""
import json
import random
import sys

LISTED = 500
MOST = [12, 20, 18]  # points of the questions of examples/exam.form
FIELDS = ["id", "q1", "q2", "q3", "total"]
CELLS = [8, 2, 2, 2, 2]


def make(folder, pages, seed):
    """students.tsv, and values: a line for each page. Of 500 listed students a hundred are there, in turns."""
    chance = random.Random(seed)
    students = sorted(chance.sample(range(20200000, 20260000), LISTED))
    with open(folder + "/students.tsv", "w") as f:
        f.write("id\tname\n")
        f.writelines(f"{s}\tStudent {i}\n" for i, s in enumerate(students))
    present = chance.sample(students, pages)
    with open(folder + "/values", "w") as f:
        for student in present:
            points = [chance.randint(0, most) for most in MOST]
            f.write("\t".join(map(str, [student, *points, sum(points)])) + "\n")


def table(name):
    with open(name) as f:
        head, *rows = [line.rstrip("\n").split("\t") for line in f]
    return {int(row["page"]): row for row in (dict(zip(head, r)) for r in rows)}


def say(what, right, of):
    print(f"  {what:44} {right:6} of {of:6}  {100 * right / max(of, 1):7.2f} %")


def score_cells(values, folder):
    """Returns the part of the written cells that are right."""
    right = {True: 0, False: 0}
    total = {True: 0, False: 0}
    with open(folder + "/answers") as f:
        read = {(a["page"], a["field"], a["cell"]): a["digit"] for a in map(json.loads, f)}
    for page, row in enumerate(values, 1):
        for field, cells, value in zip(FIELDS, CELLS, row):
            for cell, digit in enumerate(value.rjust(cells)):
                got = read.get((str(page), field, cell), "no such cell")
                written = digit != " "
                total[written] += 1
                good = got == digit if written else got in (None, "none", "-")
                right[written] += good
                if not good:
                    print(f"    page {page} {field} {cell}: {digit!r} read as {got}")
    say("cells with a digit", right[True], total[True])
    say("empty cells", right[False], total[False])
    return right[True] / max(total[True], 1)


def score(folder, least):
    with open(folder + "/values") as f:
        values = [line.rstrip("\n").split("\t") for line in f]
    ruled, alone = table(folder + "/table"), table(folder + "/alone")
    cells = score_cells(values, folder)
    fields = named = wrong = 0
    right = {"id alone": 0, "id": 0, "total alone": 0, "total": 0}
    for page, row in enumerate(values, 1):
        truth = dict(zip(FIELDS, row))
        for field in FIELDS:
            got = ruled.get(page)
            check = got is None or field in [c.split(":")[0] for c in got["check"].split()]
            good = got is not None and got[field].lstrip("0") == truth[field].lstrip("0")
            fields += 1
            named += check
            wrong += not check and not good
            if field in right:
                right[field] += good
                only = alone.get(page)
                right[field + " alone"] += only is not None and only[field].lstrip("0") == truth[field].lstrip("0")
    say("identities, each digit by itself", right["id alone"], len(values))
    say("identities, with the list", right["id"], len(values))
    say("totals, each digit by itself", right["total alone"], len(values))
    say("totals, with the sum", right["total"], len(values))
    say("fields named in check", named, fields)
    say("fields not named that are wrong", wrong, fields - named)
    with open(folder + "/time") as f:
        seconds = sum(float(t) for t in f.read().split()[-2:])
    print(f"  {'pages a second of one CPU (preproc -f)':44} {len(values) / max(seconds, 1e-9):6.1f}")
    return 0 if cells >= least else 1


if sys.argv[1] == "make":
    make(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
else:
    sys.exit(score(sys.argv[2], float(sys.argv[3])))
