# camgrab: pictures of every kind to gray frames. Pictures are made here, by ffmpeg.
load helper

setup() {
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    kill_background
}

make_picture() { # NAME [SIZE]: a test picture of the kind that NAME's ending says
    mkdir -p "$(dirname "$1")"
    ffmpeg -v error -y -f lavfi -i "testsrc=size=${2:-64x48}:rate=10" -frames:v 1 -strict -1 \
        -update 1 "./$1"
}

make_video() { # NAME SECONDS [ffmpeg's output options]
    local name=$1 seconds=$2
    shift 2
    ffmpeg -v error -y -f lavfi -i "testsrc=size=64x48:rate=10:duration=$seconds" "$@" "$name"
}

facts() { # KEY: the fact's values in the stream on standard input
    grep -a "^# $1=" | cut -d= -f2-
}

near() { # A B [DB]: two pictures differ by no more than a good JPEG does
    pnmpsnr -machine "$1" "$2" | awk -v least="${3:-35}" '
        { ok = $1 == "inf" || $1 >= least; if (!ok) print "PSNR " $1 " dB" } END { exit !ok }'
}

@test "an image file is one frame with its name" {
    make_picture photo.png
    run camgrab photo.png
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = P5 ]
    [ "${lines[1]}" = "# source=photo.png" ]
    [ "${lines[2]}" = "# frame=0" ]
    [ "${lines[3]}" = "64 48" ]
}

@test "every kind of image has the same luma as ffmpeg gives it" {
    for kind in jpg png webp bmp tif gif jp2 qoi pcx sgi xwd apng ppm pgm pam avif jxl; do
        make_picture "a.$kind"
        ffmpeg -v error -y -i "a.$kind" -frames:v 1 -pix_fmt gray -update 1 expected.pgm
        camgrab "a.$kind" >got.pgm
        near got.pgm expected.pgm 38 || { echo "$kind"; return 1; }
    done
}

@test "every kind of video has all its frames, none twice" {
    for kind in mp4 mov mkv webm avi mpg ts ogv flv gif mjpeg; do
        make_video "clip.$kind" 2 -r 25 -b:v 1M
        frames=$(ffprobe -v error -count_frames -select_streams v -show_entries \
            stream=nb_read_frames -of csv=p=0 "clip.$kind" | head -n 1 | tr -d ,)
        camgrab "clip.$kind" | facts frame >got
        seq 0 $((frames - 1)) | cmp - got || { echo "$kind"; return 1; }
    done
}

@test "time is that of the video, from 0" {
    make_video clip.mp4 1
    run bash -c 'camgrab clip.mp4 | grep -a "^# time=" | tr "\n" " "'
    [ "$output" = "# time=0.000 # time=0.100 # time=0.200 # time=0.300 # time=0.400 # time=0.500\
 # time=0.600 # time=0.700 # time=0.800 # time=0.900 " ]
}

@test "-F picks frames of a video, -n ends, -s drops the first seconds" {
    make_video clip.mp4 2
    run bash -c 'camgrab -F 2 clip.mp4 | grep -a "^# time="'
    [ "$output" = "# time=0.000
# time=0.500
# time=1.000
# time=1.500" ]
    [ "$(camgrab -n 3 clip.mp4 clip.mp4 | facts frame | tr '\n' ' ')" = "0 1 2 " ]
    [ "$(camgrab -s 1.75 clip.mp4 | facts frame | tr '\n' ' ')" = "18 19 " ]
}

@test "an empty frame of a video is not a frame lost: -f lavfi gives each" {
    [ "$(camgrab -f lavfi testsrc=duration=2:rate=10 | facts frame | wc -l)" -eq 20 ]
    [ "$(camgrab -f lavfi -o graph=testsrc=duration=1:rate=10 x | facts frame | wc -l)" -eq 10 ]
}

# ---- gray ----

@test "luma is full range, whatever the source's range, depth and layout" {
    # A ramp of luma 16..235 (limited) or 0..255 (full) becomes black to white in each.
    for format in yuv420p yuv422p10le yuv444p12le nv12 yuyv422 uyvy422 yuvj420p gray gray10le \
        gray16be rgb24 bgr0 rgba gbrp gbrp12le rgb48be rgb565le ya8 ya16be yuva420p yuva444p10le; do
        ffmpeg -v error -y -f lavfi -i 'gradients=size=256x64:c0=black:c1=white:x0=0:y0=32:x1=255:y1=32:n=2:duration=0.1:speed=0.00001' \
            -frames:v 1 -pix_fmt "$format" -c:v "$([ $format = ya16be ] && echo png || echo rawvideo)" clip.nut
        camgrab clip.nut >got.pgm
        pamsumm -min -brief got.pgm >low
        pamsumm -max -brief got.pgm >high
        [ "$(cat low)" -le 2 ] && [ "$(cat high)" -ge 253 ] || {
            echo "$format: $(cat low) to $(cat high)"
            return 1
        }
    done
}

@test "black, gray and white paper have the luma they should in limited and full range" {
    for range in tv pc; do
        ffmpeg -v error -y -f lavfi -i "color=gray:size=64x64,scale=out_range=$range" -frames:v 1 \
            -pix_fmt yuv420p -color_range $range -c:v ffv1 clip.mkv
        camgrab clip.mkv | pamsumm -mean -brief >mean
        awk '{ exit !($1 >= 127 && $1 <= 129) }' mean || { echo "$range: $(cat mean)"; return 1; }
    done
}

@test "transparent pictures are on white, half transparent ones half" {
    ffmpeg -v error -f lavfi -i 'color=black@0:size=32x32,format=rgba' -frames:v 1 clear.png
    ffmpeg -v error -f lavfi -i 'color=black@0.5:size=32x32,format=rgba' -frames:v 1 half.png
    ffmpeg -v error -f lavfi -i 'color=black@0:size=32x32,format=rgba' -frames:v 1 clear.webp
    ffmpeg -v error -f lavfi -i 'color=black@0:size=32x32,format=ya8' -frames:v 1 gray.png
    pgmmake 1 4 4 | pamtopng -transparent '#ffffff' >key.png
    ffmpeg -v error -f lavfi -i 'color=black@0:size=32x32:duration=0.1,format=rgba,split[a][b];[a]palettegen[p];[b][p]paletteuse' \
        -frames:v 1 palette.gif
    for name in clear.png clear.webp gray.png key.png palette.gif; do
        [ "$(camgrab $name | pamsumm -min -brief)" -eq 255 ] || { echo $name; return 1; }
    done
    mean=$(camgrab half.png | pamsumm -mean -brief)
    [ "${mean%.*}" -ge 126 ]
    [ "${mean%.*}" -le 129 ]
}

@test "white ink on a transparent picture is on black" {
    pgmmake 1 32 32 >white.pgm
    pgmmake 1 6 20 | pnmpad -black -width 32 -height 32 >alpha.pgm
    pnmtopng -alpha=alpha.pgm white.pgm >ink.png
    [ "$(camgrab ink.png | pamsumm -min -brief)" -eq 0 ]
    [ "$(camgrab ink.png | pamsumm -max -brief)" -eq 255 ]
}

# exif N FILE: FILE, a JPEG, with an EXIF orientation.
exif() {
    head -c 2 "$2"
    printf '\xff\xe1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x'"$(printf %02x "$1")"'\0\0\0\0\0\0\0'
    tail -c +3 "$2"
}

@test "EXIF orientations 1 to 8 are obeyed, others mean 1" {
    ffmpeg -v error -f lavfi -i testsrc=size=64x48 -frames:v 1 -pix_fmt gray upright.pgm
    # How each was stored: what turns it upright again, undone.
    stored=([0]=-null [1]=-null [2]=-lr [3]=-r180 [4]=-tb [5]=-xy [6]=-r90 [7]='-xform=transpose,leftright,topbottom' [8]=-r270 [9]=-null)
    for i in 0 1 2 3 4 5 6 7 8 9; do
        pamflip ${stored[i]} upright.pgm >stored.pgm
        ffmpeg -v error -y -i stored.pgm -q:v 1 plain.jpg
        exif "$i" plain.jpg >turned.jpg
        camgrab turned.jpg >got.pgm
        near got.pgm upright.pgm || { echo "orientation $i"; return 1; }
        camgrab - <turned.jpg | near - upright.pgm || { echo "orientation $i, by a pipe"; return 1; }
    done
}

@test "a phone's HEIF photo, in tiles and on its side, is whole and upright, or refused in words" {
    if [ "$(ffmpeg -version | sed -n 's/^ffmpeg version n\{0,1\}\([0-9]*\).*/\1/p')" -ge 7 ]; then
        ffmpeg -v error -f lavfi -i testsrc=size=96x80 -frames:v 1 -pix_fmt gray stored.pgm
        camgrab "$DATA/tiles.heic" >got.pgm
        pamflip -r270 stored.pgm | near got.pgm - 25
    else
        run camgrab "$DATA/tiles.heic"
        [ "$status" -eq 1 ]
        [[ "$output" = *"tiles.heic: a HEIF photo that this FFmpeg cannot read"* ]]
    fi
}

@test "a video's display matrix is obeyed" {
    make_video clip.mp4 1
    ffmpeg -v error -y -i clip.mp4 -c copy -metadata:s:v rotate=90 turned.mp4 ||
        ffmpeg -v error -y -display_rotation 270 -i clip.mp4 -c copy turned.mp4
    [ -n "$(ffprobe -v error -show_entries side_data=rotation -of csv=p=0 turned.mp4)" ] ||
        ffmpeg -v error -y -display_rotation 270 -i clip.mp4 -c copy turned.mp4
    ffmpeg -v error -i turned.mp4 -frames:v 1 -pix_fmt gray expected.pgm
    camgrab -n 1 turned.mp4 >got.pgm
    near got.pgm expected.pgm
}

@test "-x mirrors, -r cuts out a region of what is seen" {
    make_picture a.png
    camgrab a.png >a.pgm
    camgrab -x a.png | cmp - <(sed -n '1,3p' a.pgm; pamflip -lr a.pgm | tail -n +2)
    camgrab -r 10,5,20,30 a.png | tail -c 600 | cmp - <(pamcut 10 5 20 30 a.pgm | tail -c 600)
    camgrab -x -r 10,5,20,30 a.png | tail -c 600 |
        cmp - <(pamflip -lr a.pgm | pamcut 10 5 20 30 | tail -c 600)
    run camgrab -r 60,0,10,10 a.png
    [ "$status" -eq 1 ]
    [[ "$output" = *"camgrab: a.png: region 60,0,10,10 is not inside the 64x48 picture"* ]]
}

# ---- scans: pages, pixels that are not square, tiles ----

# tiff FILE PAGE...: a TIFF of pages of 2 rows of 4 pixels; a PAGE is "GRAY TAG=VALUE ...": its gray, and further
# tags by their numbers. next=N makes page N (from 0) follow, next=-1 one outside the file.
tiff() {
    cat >tiff.py <<'END'
import struct, sys
SIZE, DATA = 320, 288 # of a page; where its pixels are, before the values of two rationals
out = b"II*\0" + struct.pack("<I", 8)
for i, text in enumerate(sys.argv[2:]):
    gray, *more = text.split()
    more = dict(m.split("=") for m in more)
    begin = 8 + i * SIZE
    then = int(more.pop("next", i + 1 if i + 3 < len(sys.argv) else -2))
    link = {-2: 0, -1: 0xfffffff0}.get(then, 8 + then * SIZE)
    tags = {256: 4, 257: 2, 258: 8, 259: 1, 262: 1, 273: begin + DATA, 277: 1, 278: 2, 279: 8}
    tags.update((int(k), int(v)) for k, v in more.items())
    values = b""
    page = struct.pack("<H", len(tags))
    for tag, value in sorted(tags.items()):
        rational = tag in (282, 283)
        at = begin + DATA + 8 + len(values)
        page += struct.pack("<HHII", tag, 5 if rational else 4, 1, at if rational else value)
        values += struct.pack("<II", value, 1) if rational else b""
    page += struct.pack("<I", link)
    out += (page.ljust(DATA, b"\0") + bytes([int(gray)] * 8) + values).ljust(SIZE, b"\0")
open(sys.argv[1], "wb").write(out)
END
    python3 tiff.py "$@"
}

sizes() { # of the frames on standard input
    pamfile -allimages | grep -o '[0-9]* by [0-9]*' | xargs
}

@test "every page of a TIFF is a frame, its own way up; small copies of pages and masks are none" {
    bats_require_minimum_version 1.5.0
    tiff a.tif '10' '20 274=6' '30 254=1' '40 254=4' '50 254=2'
    camgrab a.tif >out
    [ "$(facts frame <out | xargs)" = '0 1 2' ]
    [ "$(sizes <out)" = '4 by 2 2 by 4 4 by 2' ]
    pamsplit out p%d.pgm
    [ "$(for p in p?.pgm; do pamsumm -max -brief "$p"; done | xargs)" = '10 20 50' ]
    camgrab - <a.tif | facts frame | cmp - <(seq 0 2)
    [ "$(camgrab -n 2 a.tif | facts frame | xargs)" = '0 1' ]
    # A page that cannot be decoded is named, and the others are read.
    tiff a.tif 10 '20 259=77' 30
    run -1 bash -c 'camgrab a.tif 2>err | grep -a ^#.frame; exit ${PIPESTATUS[0]}'
    [ "$output" = $'# frame=0\n# frame=2' ]
    [[ "$(<err)" = 'camgrab: a.tif: frame 1: not a whole tiff picture: '* ]]
}

@test "pages of a TIFF that go round, or out of the file, end" {
    bats_require_minimum_version 1.5.0
    tiff round.tif 10 20 '30 next=0'
    tiff self.tif '10 next=0'
    tiff outside.tif 10 '20 next=-1'
    ended() { # FILE FRAMES WORDS
        run -1 bash -c "camgrab $1 2>err"' | grep -ac ^#.frame; exit ${PIPESTATUS[0]}'
        [ "$output" -eq "$2" ]
        [ "$(<err)" = "camgrab: $1: its next page is $3" ]
    }
    ended round.tif 3 'empty, or one that was before'
    ended self.tif 1 'empty, or one that was before'
    ended outside.tif 2 'outside the file'
}

@test "pixels that are not square by the file's resolution are made square" {
    tiff fax.tif '10 282=204 283=98' '20 282=204 283=196' '30 282=100 283=200' '40 282=100' '50 282=1 283=600' \
        '60 282=204 283=98 274=6'
    [ "$(camgrab fax.tif | sizes)" = '4 by 4 4 by 2 8 by 2 4 by 2 4 by 2 4 by 4' ]
    # Rows between rows: a slope of 48 rows is one of 96.
    ffmpeg -v error -f lavfi -i "color=gray:size=64x48,geq='5*Y':128:128" -frames:v 1 -q:v 1 a.jpg
    density() { # UNIT X Y: a.jpg with that in its JFIF header
        head -c 13 a.jpg
        printf "\\x0$1\\x00\\x$(printf %02x "$2")\\x00\\x$(printf %02x "$3")"
        tail -c +19 a.jpg
    }
    density 1 200 100 >tall.jpg
    density 2 100 200 >wide.jpg
    density 1 100 100 >square.jpg
    density 0 200 100 >unsaid.jpg
    [ "$(camgrab tall.jpg wide.jpg square.jpg unsaid.jpg | sizes)" = '64 by 96 128 by 48 64 by 48 64 by 48' ]
    camgrab square.jpg | pamscale -linear -xsize 64 -ysize 96 >expected.pgm
    camgrab tall.jpg | near - expected.pgm 40
}

# tiles FILE WIDTH HEIGHT [TAG=VALUE...]: a TIFF in tiles of 32 x 16 of the slopes 3 x + 5 y, in packed bits.
tiles() {
    cat >tiles.py <<'END'
import struct, sys
name, w, h = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
across, down, lengths, places, data = -(-w // 32), -(-h // 16), [], [], b""
for t in range(across * down):
    x, y = t % across * 32, t // across * 16
    rows = b"".join(b"\x1f" + bytes((3 * (x + i) + 5 * (y + j)) & 255 for i in range(32)) for j in range(16))
    places.append(8 + len(data))
    lengths.append(len(rows))
    data += rows
def listed(tag, kind, values):
    global data
    packed = struct.pack("<%d%s" % (len(values), kind), *values)
    at = struct.pack("<I", 8 + len(data)) if len(packed) > 4 else packed.ljust(4, b"\0")
    data += packed if len(packed) > 4 else b""
    return struct.pack("<HHI", tag, 3 if kind == "H" else 4, len(values)) + at
lists = {324: listed(324, "I", places), 325: listed(325, "H", lengths)}
tags = {256: w, 257: h, 258: 8, 259: 32773, 262: 1, 277: 1, 322: 32, 323: 16}
tags.update((int(k), int(v)) for k, v in (m.split("=") for m in sys.argv[4:]))
entries = {tag: struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()} | lists
body = struct.pack("<H", len(entries)) + b"".join(entries[t] for t in sorted(entries)) + bytes(4)
open(name, "wb").write(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + body)
END
    python3 tiles.py "$@"
}

@test "a TIFF in tiles is whole; tiles that are not all there are told" {
    bats_require_minimum_version 1.5.0
    for size in '20 10' '64 16' '70 37' '32 48'; do
        read -r w h <<<"$size"
        tiles a.tif "$w" "$h"
        python3 -c 'import sys
w, h = int(sys.argv[1]), int(sys.argv[2])
sys.stdout.buffer.write(bytes((3 * x + 5 * y) & 255 for y in range(h) for x in range(w)))' "$w" "$h" >expected
        [ "$(camgrab a.tif | sizes)" = "$w by $h" ]
        camgrab a.tif | tail -c $((w * h)) | cmp - expected
    done
    tiles a.tif 64 32 274=6
    [ "$(camgrab a.tif | sizes)" = '32 by 64' ]
    for wrong in 322=0 322=1 323=70000 256=3000 256=0 284=2; do
        tiles a.tif 64 32 $wrong
        run -1 camgrab a.tif
        [[ "$output" = 'camgrab: a.tif: a TIFF in tiles that are damaged or of an unusual kind: '* ]]
    done
    for compression in 6 7; do
        tiles a.tif 64 32 259=$compression
        tiff b.tif "10 259=$compression"
        for name in a b; do
            run -1 camgrab $name.tif
            [[ "$output" = "camgrab: $name.tif: a TIFF of JPEG, which is not read: "* ]]
        done
    done
    tiles a.tif 64 32 259=77
    run -1 camgrab a.tif
    [[ "$output" = 'camgrab: a.tif: not a whole tiff picture: '* ]]
}

# pdf FILE PAGES: a PDF of pages of 72 x 36 points, 200 x 100 pixels, each with a black box in its left half.
pdf() {
    python3 - "$@" <<'END'
import sys
n = int(sys.argv[2])
ink = b"0 0 36 36 re f"
objects = [b"<</Type/Catalog/Pages 2 0 R>>",
           b"<</Type/Pages/Count %d/Kids[%s]>>" % (n, b" ".join(b"%d 0 R" % (4 + i) for i in range(n))),
           b"<</Length %d>>stream\n%s\nendstream" % (len(ink), ink)]
objects += [b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 36]/Contents 3 0 R/Resources<<>>>>"] * n
out, places = b"%PDF-1.4\n", []
for i, o in enumerate(objects):
    places.append(len(out))
    out += b"%d 0 obj%s endobj\n" % (i + 1, o)
table = b"".join(b"%010d 00000 n \n" % p for p in places)
out += b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF\n" % (
    len(objects) + 1, table, len(objects) + 1, len(out))
open(sys.argv[1], "wb").write(out)
END
}

@test "every page of a PDF is a frame, in a folder too" {
    bats_require_minimum_version 1.5.0
    mkdir scans
    pdf ./-a.pdf 3
    camgrab -- -a.pdf >out
    [ "$(facts source <out | sort -u)" = -a.pdf ]
    [ "$(facts frame <out | xargs)" = '0 1 2' ]
    [ "$(sizes <out)" = '200 by 100 200 by 100 200 by 100' ]
    pamcut -width 90 <out | pamsumm -max -brief | grep -qx 0
    pamcut -left 110 <out | pamsumm -min -brief | grep -qx 255
    cp ./-a.pdf scans/a.pdf
    cp ./-a.pdf 'scans/b; touch c'
    make_picture scans/c.png
    head -c 200 scans/a.pdf >scans/d.pdf
    pdf scans/e.pdf 40 # more than a pipe takes
    run -1 bash -c 'camgrab scans 2>err | grep -a ^#.source | uniq -c | xargs; exit ${PIPESTATUS[0]}'
    [ "$output" = "3 # source=scans/a.pdf 3 # source=scans/b;%20touch%20c 1 # source=scans/c.png 40 # source=scans/e.pdf" ]
    [ "$(<err)" = 'camgrab: scans/d.pdf: not a PDF that pdftoppm can read: it is damaged, or has a password' ]
    [ "$(camgrab -n 2 scans/e.pdf | facts frame | xargs)" = '0 1' ]
    [ "$(camgrab -l scans | head -n 1)" = scans/a.pdf ]
}

@test "a folder of more PDFs than descriptors are allowed at first" {
    mkdir scans
    pdf scans/0.pdf 1
    for i in {1..30}; do ln scans/0.pdf scans/$i.pdf; done
    ulimit -S -n 64
    [ "$(camgrab scans | grep -ac '^# source=')" -eq 31 ]
}

@test "a PDF without pdftoppm, or from standard input, is refused in words" {
    bats_require_minimum_version 1.5.0
    pdf a.pdf 1
    make_picture b.png
    mkdir bin
    ln -s "$(command -v camgrab)" bin
    PATH=$PWD/bin run -1 camgrab a.pdf
    [ "$output" = 'camgrab: a.pdf: a PDF, which takes the program pdftoppm to read: install the package poppler-utils' ]
    run -1 camgrab - <a.pdf
    [ "$output" = 'camgrab: -: a PDF, which is read only as a file that is named' ]
}

# ---- names, folders, labels, standard input ----

@test "a folder is its pictures in the order of their names; -R with the folders in it" {
    make_picture photos/b.png
    make_picture photos/a.jpg
    make_picture photos/album/d.png
    make_picture photos/.hidden.png
    ln -s .. photos/album/up
    echo 'no picture' >photos/notes.txt
    cp photos/b.png photos/c
    run bash -c 'camgrab photos | grep -a "^# source="'
    [ "$output" = "# source=photos/a.jpg
# source=photos/b.png
# source=photos/c" ]
    run bash -c 'camgrab -R photos/ | grep -a "^# source="'
    [ "$output" = "# source=photos/a.jpg
# source=photos/album/d.png
# source=photos/b.png
# source=photos/c" ]
    mkdir empty
    run camgrab empty
    [ "$output" = "camgrab: empty: no pictures in this folder (-R looks into the folders in it)" ]
}

@test "names with spaces, tabs, newlines, percent and UTF-8 stay one word" {
    for name in 'a b.png' $'tab\there.png' $'two\nlines.png' '100%.png' 'größe.png' '-dash.png' \
        'img%03d.png' 'a;b|c.png' $'\e[31mred.png'; do
        make_picture plain.png
        mv plain.png "./$name"
        camgrab -- "$name" | facts source >got
        [ "$(wc -l <got)" -eq 1 ]
        # Decoding it gives the name back.
        [ "$(printf '%b.' "$(sed 's/\\/\\\\/g; s/%/\\x/g' got)")" = "$name." ] || { cat got; return 1; }
    done
}

@test "the parent folder's name is the label, where it can be one" {
    make_picture mine/7/a.png
    make_picture mine/12/a.png
    make_picture 4/a.png
    make_picture mine/none/a.png
    make_picture mine/plus/a.png
    make_picture 'mine/two words/a.png'
    make_picture mine/-/a.png
    [ "$(camgrab mine/7/a.png | facts label)" = 7 ]
    [ "$(camgrab mine/7 | facts label)" = 7 ]
    [ "$(camgrab -R mine | facts label)" = 12$'\n'7$'\n'none$'\n'plus ]
    [ "$(cd mine && camgrab none//a.png | facts label)" = none ]
    [ "$(camgrab 4//a.png | facts label)" = 4 ]
    [ -z "$(camgrab 'mine/two words/a.png' mine/-/a.png | facts label)" ]
}

@test "one bad picture among several is reported and passed over" {
    make_picture a.jpg 320x240
    head -c 3000 a.jpg >cut.jpg
    : >empty.jpg
    echo '<html>not found</html>' >html.jpg
    make_picture z.png
    run bash -c 'camgrab a.jpg cut.jpg empty.jpg html.jpg missing.jpg z.png 2>err |
        grep -a "^# source="; exit ${PIPESTATUS[0]}'
    [ "$status" -eq 1 ]
    [ "$output" = "# source=a.jpg
# source=z.png" ]
    [ "$(cut -d: -f1,2 err)" = "camgrab: cut.jpg
camgrab: empty.jpg
camgrab: html.jpg
camgrab: missing.jpg" ]
}

@test "- is standard input: an image, several, a video, a stream of frames with its facts" {
    make_picture a.png
    make_picture a.jpg
    make_picture a.tif
    make_video clip.mkv 1
    [ "$(camgrab - <a.png | facts source)" = - ]
    [ "$(cat a.tif | camgrab - | pamfile | cut -f2)" = "PGM raw, 64 by 48  maxval 255" ]
    [ "$(cat a.jpg a.jpg a.jpg | camgrab - | facts frame | tr '\n' ' ')" = "0 1 2 " ]
    [ "$(cat clip.mkv | camgrab - | facts frame | wc -l)" -eq 10 ]
    camgrab clip.mkv >stream.pgm
    cat stream.pgm | camgrab - | cmp - stream.pgm
    camgrab stream.pgm | cmp - stream.pgm
}

# ---- pictures from strangers ----

build_shim() {
    cc -shared -fPIC -o shim.so "$TREE/tests/v4l2-shim.c" -ldl
}

@test "a playlist or script named photo.jpg makes it read no other file" {
    build_shim
    make_picture secret.png
    make_video secret.ts 1
    here=$PWD
    printf '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n%s/secret.ts\n#EXT-X-ENDLIST\n' "$here" >hls
    printf "ffconcat version 1.0\nfile '%s/secret.ts'\n" "$here" >concat
    printf 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 26\n' >sdp
    printf '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>%s/secret.ts</BaseURL></Representation></AdaptationSet></Period></MPD>' "$here" >dash
    printf '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="64" height="48"><image xlink:href="%s/secret.png" width="64" height="48"/></svg>' "$here" >svg
    for script in hls concat sdp dash svg; do
        cp $script photo.jpg
        rm -f opened
        run env LD_PRELOAD="$PWD/shim.so" FAKE_LOG=opened camgrab photo.jpg
        [ "$status" -eq 1 ] || { echo "$script was read"; return 1; }
        # What FFmpeg takes a text for depends on the path in it.
        [[ "$output" = "camgrab: photo.jpg: "@("not a picture or video"|"no pictures in it")* ]] || { echo "$script: $output"; return 1; }
        [ "$(grep -c . opened)" -ge 1 ]
        ! grep secret opened || false
    done
}

@test "even a format asked for by name reads no other file" {
    build_shim
    make_video secret.ts 1
    printf "ffconcat version 1.0\nfile '%s/secret.ts'\n" "$PWD" >list
    printf '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n%s/secret.ts\n#EXT-X-ENDLIST\n' "$PWD" >hls
    for format in 'concat -o safe=0' hls; do
        run env LD_PRELOAD="$PWD/shim.so" FAKE_LOG=opened camgrab -f $format "$([ "$format" = hls ] && echo hls || echo list)"
        [ "$status" -eq 1 ]
        ! grep secret opened || false
    done
}

# bats test_tags=once
@test "a picture that claims to be huge costs nothing" {
    pgmmake 0.5 16 16 | pamtopng >small.png
    # 100000 x 100000, its CRC made anew.
    { printf 'IHDR\0\1\x86\xa0\0\1\x86\xa0\x08\0\0\0\0' >ihdr
      head -c 12 small.png; cat ihdr; gzip -c ihdr | tail -c 8 | head -c 4 | xxd -p | fold -w 2 | tac | tr -d '\n' | xxd -r -p
      tail -c +34 small.png; } >bomb.png
    run bash -c "ulimit -v 1000000; camgrab bomb.png"
    [ "$status" -eq 1 ]
    [[ "$output" = "camgrab: bomb.png: "* ]]
}

# ---- URLs ----

@test "a URL that was typed is read over the network" {
    make_picture a.jpg
    make_video clip.mp4 1
    background perl "$TREE/tests/httpd.pl" . port
    wait_for test -s port
    url=http://127.0.0.1:$(cat port)
    [ "$(camgrab "$url/a.jpg" | facts source)" = "$url/a.jpg" ]
    [ "$(camgrab "$url/clip.mp4" | facts frame | wc -l)" -eq 10 ]
    run camgrab "$url/missing.jpg"
    [ "$status" -eq 1 ]
    [[ "$output" = "camgrab: $url/missing.jpg: "*404* ]]
}

@test "a URL cannot make it read a file" {
    build_shim
    make_video secret.ts 1
    printf '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://%s/secret.ts\n#EXT-X-ENDLIST\n' "$PWD" >list.m3u8
    printf "ffconcat version 1.0\nfile 'file:%s/secret.ts'\n" "$PWD" >list.txt
    background perl "$TREE/tests/httpd.pl" . port
    wait_for test -s port
    for name in list.m3u8 list.txt; do
        run timeout 60 env LD_PRELOAD="$PWD/shim.so" FAKE_LOG=opened camgrab "http://127.0.0.1:$(cat port)/$name"
        [ "$status" -eq 1 ]
        ! grep secret opened || false
    done
    run camgrab "file://$PWD/secret.ts"
    [ "$status" -eq 1 ]
}

# ---- screen ----

@test "the screen: -f x11grab, its size and a part of it" {
    background Xvfb -displayfd 4 -screen 0 320x200x24 4>display 2>/dev/null
    wait_for test -s display
    export DISPLAY=:$(cat display)
    camgrab -f x11grab -n 1 | pamfile | grep -q '320 by 200'
    camgrab -f x11grab -n 1 -g 100x50 "$DISPLAY+20,10" | pamfile | grep -q '100 by 50'
    [ "$(camgrab -f x11grab -n 3 | facts source | sort -u)" = x11grab ]
}

@test "a camera that is not there is told, with what the sandbox forbids others" {
    run camgrab /dev/video63
    [ "$status" -eq 1 ]
    [[ "$output" = "camgrab: /dev/video63: no such camera; "* ]]
}

@test "no display and a Wayland desktop are said in words" {
    run env -u DISPLAY camgrab -f x11grab
    [ "$status" -eq 1 ]
    [ "$output" = "camgrab: x11grab: no X display can be opened: is DISPLAY set?" ]
    printf '%s\n' '#include <string.h>' 'int XQueryExtension(void *d, const char *n, int *a, int *b, int *c)' \
        '{ (void)d; *a = *b = *c = 0; return !strcmp(n, "XWAYLAND"); }' >xwayland.c
    cc -shared -fPIC -o xwayland.so xwayland.c
    background Xvfb -displayfd 4 -screen 0 320x200x24 4>display 2>/dev/null
    wait_for test -s display
    DISPLAY=:$(cat display) LD_PRELOAD=$PWD/xwayland.so run camgrab -f x11grab
    [ "$status" -eq 1 ]
    [[ "$output" = "camgrab: x11grab: this is a Wayland desktop"* ]]
}

# ---- options and endings ----

@test "wrong options and values are usage errors that name them" {
    for wrong in '-g 640' '-g 0x5' '-n 0' '-n x' '-r 1,2,3' '-r -1,0,5,5' '-F 0' '-s -1' '-o out.pgm' '-Z'; do
        run bash -c "camgrab $wrong x.png | cat; exit \${PIPESTATUS[0]}"
        [ "$status" -eq 2 ] || { echo "$wrong: $status"; return 1; }
    done
    make_picture a.png
    run camgrab -o nonsense=1 -f png_pipe a.png
    [ "$status" -eq 1 ]
    [[ "$output" = *"no option nonsense"* ]]
    run camgrab -f nonsense a.png
    [ "$status" -eq 1 ]
    [[ "$output" = *"no input format nonsense"* ]]
    camgrab -h | grep -q '^usage: camgrab'
    camgrab -V | grep -q '^camgrab (inkpipe) '
}

@test "a reader that goes away ends it quietly; a full disk is said" {
    make_video clip.mkv 5
    run bash -c 'camgrab clip.mkv 2>err | head -c 100 >/dev/null; cat err'
    [ "$output" = "" ]
    run bash -c 'camgrab clip.mkv >/dev/full'
    [ "$status" -eq 1 ]
    [ "$output" = "camgrab: standard output: cannot write: No space left on device" ]
}

@test "a stream that is written into the folder it is made of is passed over" {
    make_picture photos/a.png
    make_picture photos/z.png
    run bash -c 'ulimit -f 1000; camgrab photos >photos/m.pgm'
    [ "$status" -eq 1 ]
    [ "$output" = "camgrab: photos/m.pgm: is also the file to write to" ]
    [ "$(facts source <photos/m.pgm | xargs)" = "photos/a.png photos/z.png" ]
}

# bats test_tags=once
@test "memory stays flat over many frames and files" {
    make_picture a.jpg 320x240
    for ((i = 0; i < 400; i++)); do printf '%s\0' a.jpg; done >names
    peak() { /usr/bin/time -f %M -o peak "$@" >/dev/null && cat peak; }
    few=$(peak camgrab a.jpg a.jpg a.jpg a.jpg)
    many=$(peak xargs -0 -a names camgrab)
    echo "$few KB for 4, $many KB for 400"
    [ "$many" -lt $((few + 2000)) ]
    few=$(peak camgrab -f lavfi testsrc=size=320x240:duration=1:rate=25)
    many=$(peak camgrab -f lavfi testsrc=size=320x240:duration=200:rate=25)
    echo "$few KB for 25, $many KB for 5000"
    [ "$many" -lt $((few + 4000)) ]
}

@test "the manual's examples" {
    ln -s "$TREE/tests" "$TREE/models" .
    examples camgrab.1 | head -n -2 >examples # the last two take a camera and a screen: camera.bats
    [ "$(wc -l <examples)" -ge 6 ]
    while IFS= read -r line; do
        bash -o pipefail -c "$line" >got </dev/null || { echo "$line"; return 1; }
        case $line in mkdir* | *'>'*) ;; *) [ -s got ] || { echo "$line"; return 1; } ;; esac
    done <examples
}

# bats test_tags=once
@test "a small file cannot ask for much memory or time" {
    bats_require_minimum_version 1.5.0
    cat >bombs.py <<'END'
import struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
# RGBA of 16 bits, 2.1 GB; only its first row is there.
open("bomb.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16200, 16200, 16, 6, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(bytes(16200 * 8 + 1))) + chunk(b"IEND", b""))
# 300 frames of one pixel on a canvas of 16 million.
frame = b"!\xf9\x04\x04\x0a\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
open("bomb.gif", "wb").write(b"GIF89a" + struct.pack("<HHBBB", 4000, 4000, 0x80, 0, 0)
    + b"\0\0\0\xff\xff\xff" + frame * 300 + b";")
END
    python3 bombs.py
    run -1 bash -c 'camgrab bomb.png 2>&1 >out'
    [ "$output" = 'camgrab: bomb.png: not a whole png picture: it takes more than 1 GiB of memory' ]
    [ "$(peak camgrab bomb.png)" -lt 200 ]
    run bash -c 'camgrab bomb.gif 2>err | grep -ac "^# frame="'
    [ "$output" -lt 120 ]
    [ "$(<err)" = 'camgrab: bomb.gif: more than 65536 pixels for each of its bytes: not read further' ]
}

@test "a picture of too many pixels is told by its sides and the limit" {
    bats_require_minimum_version 1.5.0
    # Their first rows are enough: what is decoded before its sides are looked at is told as not whole.
    pgmmake 0 400 90 | pnmtojpeg >small.jpg
    python3 - <<'END'
import struct, zlib
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
open("large.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16384, 16384, 8, 0, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(bytes(16385 * 16))) + chunk(b"IEND", b""))
small = open("small.jpg", "rb").read()
sides = small.index(b"\xff\xc0") + 5
open("large.jpg", "wb").write(small[:sides] + struct.pack(">HH", 9000, 40000) + small[sides + 4:])
END
    for picture in 'large.png 16384x16384' 'large.jpg 40000x9000'; do
        run ! camgrab "${picture% *}"
        [ "$output" = "camgrab: ${picture% *}: ${picture#* } pixels are too many: with 128 added to each side they must be fewer than 268435456" ]
    done
    # What is broken but not too large is told as it was.
    make_picture a.png 64x48
    head -c 100 a.png >part.png
    run ! camgrab part.png
    [[ $output = "camgrab: part.png: not a whole png picture: "* ]]
}

@test "users and passwords of URLs are in no fact and no error" {
    bats_require_minimum_version 1.5.0
    make_picture a.jpg 64x48
    background perl "$TREE/tests/httpd.pl" . port
    wait_for test -s port
    host=127.0.0.1:$(<port)
    # A snapshot that is named like a picture is read.
    camgrab "http://somebody:se.cr3t@$host/a.jpg" >out
    [ "$(facts source <out)" = "http://$host/a.jpg" ]
    # Many cameras take the password as a part of the query.
    camgrab "http://$host/a.jpg?user=somebody&pwd=se.cr3t" >out
    [ "$(facts source <out)" = "http://$host/a.jpg" ]
    long=$(printf 'cr3t%.0s' {1..300})
    for url in "http://somebody:se.cr3t@$host/none.jpg" "http://$host/none.jpg?pwd=se.cr3t" \
        "http://somebody:$long@$host/none.jpg" "http://$host/none.jpg?pwd=$long" 'rtsp://somebody:se.cr3t@127.0.0.1:1/x' 'http://somebody:se@cr3t@nowhere.invalid/' \
        'http://somebody:se/cr3t@nowhere.invalid/' 'http://some@body:se?cr3t@[::1]:1/' 'http://somebody:s#e cr3t@nowhere.invalid/'; do
        run ! camgrab "$url"
        [[ $output = "camgrab: ${url%%:*}://"* ]]
        [[ $output != *somebody* && $output != *cr3t* ]]
    done
}

@test "names steer no terminal" {
    bats_require_minimum_version 1.5.0
    for name in $'\e[31mred' $'a\u202eb' $'a\u2066b' $'a\x9bb' $'a\xc2\x9bb' $'a\u200fb'; do
        run ! camgrab "$name.png"
        [ "$(LC_ALL=C tr -d ' -~\n' <<<"$output")" = "" ]
        run -2 camgrab -g "$name"
        [ "$(LC_ALL=C tr -d ' -~\n' <<<"$output")" = "" ]
    done
    run ! camgrab größe.png
    [ "$output" = 'camgrab: größe.png: No such file or directory' ]
    run -2 camgrab $'-\e'
    [ "${lines[0]}" = 'camgrab: -?: there is no such option, or its value is missing' ]
}
