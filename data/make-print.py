#!/usr/bin/env python3
"""Make models/print.pgm.gz again: digits, and letters no digit is mistaken for, in fonts of Debian's
packages: frames of 40x40, white on black, 16 levels, labelled. Needs python3-pil, and the packages
fonts-breip fonts-beteckna fonts-comic-neue fonts-dejavu-core fonts-dkg-handwriting fonts-dustin
fonts-freefont-ttf fonts-humor-sans fonts-klaudia-berenika fonts-lato fonts-liberation
fonts-roboto-unhinted fonts-rufscript fonts-sjfonts fonts-tuffy fonts-urw-base35.
usage: make-print.py >models/print.pgm.gz"""
import gzip
import sys

from PIL import Image, ImageDraw, ImageFont

from fonts import fonts

SIDE = 40
LETTERS = "AEHKMNRWXkmwx@#"
PRINT = """C059-Roman C059-Bold C059-Italic NimbusMonoPS-Regular NimbusRoman-Regular
NimbusRoman-Bold NimbusSans-Regular NimbusSans-Bold NimbusSansNarrow-Regular P052-Roman P052-Italic
URWBookman-Light URWBookman-Demi URWGothic-Book URWGothic-Demi Z003-MediumItalic BetecknaGS DejaVuSans
DejaVuSans-Bold DejaVuSansCondensed-Oblique DejaVuSerif DejaVuSerif-Bold FreeMono FreeSans FreeSerif
FreeSerifItalic LiberationSans-Regular LiberationSerif-Bold LiberationSansNarrow-Regular Lato-Regular
Lato-Black Lato-Light Roboto-Regular Roboto-Black Roboto-Light RobotoCondensed-Regular Tuffy
Klaudia"""
HANDS = """ComicNeue-Regular ComicNeue-Bold ComicNeue-Italic Humor-Sans dkg dkgBd Rufscript010 SteveHand
Breip Domestic_Manners Dustismo"""


def frame(font, character):
    big = Image.new("L", (400, 400))
    draw = ImageDraw.Draw(big)
    draw.text((100, 60), character, font=font, fill=255)
    ink = big.crop(big.getbbox())
    scale = (SIDE - 6) / max(ink.size)
    ink = ink.resize([max(1, round(side * scale)) for side in ink.size], Image.LANCZOS)
    page = Image.new("L", (SIDE, SIDE))
    page.paste(ink, ((SIDE - ink.width) // 2, (SIDE - ink.height) // 2))
    return bytes(level // 16 * 17 for level in page.tobytes())


def main():
    where = fonts()
    out = bytearray()
    for name in PRINT.split() + 2 * HANDS.split():
        font = ImageFont.truetype(where[name], 160)
        for character in "0123456789" + LETTERS:
            label = character if character in "0123456789" else "none"
            out += b"P5\n# label=%s\n%d %d\n255\n" % (label.encode(), SIDE, SIDE)
            out += frame(font, character)
    sys.stdout.buffer.write(gzip.compress(bytes(out), 9, mtime=0))


main()
