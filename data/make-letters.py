#!/usr/bin/env python3
"""Make models/letters.pgm.gz again: letters and digits of print and of handwriting fonts, as the words of
scenes take them: frames of 40x40, white on black, 16 levels. Facts: label, a digit, `none` for what no
digit is mistaken for, `letter` for what only stands in words (an O alone is a nought); face, what is
of one font; line, the rows where a capital letter begins and ends.
Fonts are those of make-print.py's packages, of Debian's fonts-bwht fonts-klee
fonts-dancingscript fonts-kristi, and of npm's @fontsource/NAME, which
npm install @fontsource/NAME... puts into DIRECTORY/node_modules. Needs python3-pil.
usage: make-letters.py DIRECTORY >models/letters.pgm.gz"""
import gzip
import sys

from PIL import Image, ImageDraw, ImageFont

from fonts import fonts

SIDE, CAP, FOOT = 40, 20, 29
PLAIN = "AEFHKMNPRWXadehkmpwx#&@"
WORDS = "BCDGIJLOQSTUVYZbcfgijlnoqrstuvyz"
GREEK = "αδθλμξπφχψωΓΔΠΣΨΩ"
CYRILLIC = "жцшщыэюяДЖИЛФЦШЮЯ"
KANJI = "題号得分総一二三四試験氏名日月年学生点数第回計図表問答者時間国語算社理科男女大小人金"
PRINT = """C059-Roman NimbusMonoPS-Regular NimbusRoman-Regular NimbusRoman-Italic NimbusSans-Bold P052-Roman
DejaVuSans DejaVuSerif FreeSans LiberationSans-Regular LiberationSerif-Regular Lato-Regular
Roboto-Regular RobotoCondensed-Regular"""
HANDS = """ComicNeue-Regular Humor-Sans dkg Rufscript010 SteveHand Breip Domestic_Manners
BecauseWeBuild-Regular BecauseWeConnect-Regular BecauseWeCreate-Regular BecauseWeLearn-Regular
BecauseWeMentor-Regular KleeOne-Regular DancingScript-Regular Kristi"""
NPM = """architects-daughter caveat cedarville-cursive covered-by-your-grace gaegu
gloria-hallelujah homemade-apple indie-flower kalam nanum-pen-script patrick-hand permanent-marker
reenie-beanie rock-salt shadows-into-light"""


def sized(file):
    """The font in the size whose capitals are 4 CAP tall."""
    box = ImageFont.truetype(file, 400).getbbox("H", anchor="ls")
    return ImageFont.truetype(file, round(400 * 4 * CAP / -box[1]))


def frame(font, character):
    """Black when the font lacks the character or it does not fit."""
    big = Image.new("L", (8 * SIDE, 8 * SIDE))
    ImageDraw.Draw(big).text((4 * SIDE, 4 * SIDE), character, font=font, fill=255, anchor="ls")
    box = big.getbbox()
    if not box or box[2] - box[0] > 4 * SIDE - 8 or box[3] > 4 * SIDE + 4 * (SIDE - FOOT) or \
            box[1] < 4 * SIDE - 4 * FOOT:
        return None
    left, top = (box[0] + box[2]) // 2 - 2 * SIDE, 4 * SIDE - 4 * FOOT
    page = big.crop((left, top, left + 4 * SIDE, top + 4 * SIDE)).resize((SIDE, SIDE), Image.BOX)
    return bytes(level // 16 * 17 for level in page.tobytes())


def add(out, face, file, characters, label=None):
    font = sized(file)
    missing = frame(font, "\ue123")
    for character in characters:
        pixels = frame(font, character)
        if not pixels or pixels == missing:
            continue
        told = label or (character if character.isdigit() else "none" if character in PLAIN else "letter")
        out += b"P5\n# label=%s\n# face=%s\n# line=%d,%d\n%d %d\n255\n" % (
            told.encode(), face.encode(), FOOT - CAP, FOOT, SIDE, SIDE)
        out += pixels


def main():
    where, out = fonts(), bytearray()
    for number, name in enumerate(PRINT.split()):
        add(out, f"print{number}", where[name], PLAIN + WORDS)
    add(out, "print90", where["FreeSerif"], GREEK, "none")
    add(out, "print91", where["DejaVuSans"], CYRILLIC, "none")
    add(out, "print92", where["KleeOne-SemiBold"], KANJI, "letter")
    files = [where[name] for name in HANDS.split()] + [
        f"{sys.argv[1]}/node_modules/@fontsource/{name}/files/{name}-latin-400-normal.woff" for name in NPM.split()]
    for number, file in enumerate(files):
        add(out, f"hand{number}", file, "0123456789" + PLAIN + WORDS)
    add(out, "hand90", where["KleeOne-Regular"], KANJI, "letter")
    add(out, "hand91", where["FreeSerifItalic"], GREEK, "none")
    sys.stdout.buffer.write(gzip.compress(bytes(out), 9, mtime=0))


main()
