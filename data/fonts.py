"""Fonts that are installed, for make-print.py and make-letters.py."""
import os
import subprocess


def fonts():
    """Name to file; of several formats the one that is not Type 1."""
    files = subprocess.run(["fc-list", ":", "file"], capture_output=True, text=True, check=True)
    found = {}
    for line in files.stdout.split("\n"):
        name, kind = os.path.splitext(os.path.basename(line.strip(": ")))
        if kind in (".ttf", ".otf"):
            found[name] = line.strip(": ")
    return found
