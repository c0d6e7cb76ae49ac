/* Ink on a page becomes a picture (scene.h): paper, what shines through, what is printed on it,
 * ink; the desk it lies on; light and shadow; lens, sensor, JPEG; what is cut out of it. */
#include "scene.h"

#include <math.h>
#include <string.h>

/* A row of n values, -1..1. */
static void draw_row(uint64_t seed, int row, float *to, int n)
{
    struct rng r = rng_seed(seed, (uint64_t)row);
    for (int i = 0; i < n; i++)
        to[i] = (float)(rng_uniform(&r) * 2 - 1);
}

/* Add smooth noise of n by n cells, +-size, stretched along y by `tall`. */
static void add_noise(struct scene *s, float *layer, int n, double tall, double size)
{
    uint64_t seed = rng_bits(&s->r);
    float grid[66] = {0}, next[66] = {0}, row[66] = {0}; /* n is at most 64 */
    int last = -2;
    double step = (double)n / SIDE;
    for (int y = 0; y < SIDE; y++) {
        double at = y * step / tall;
        int iy = (int)at;
        if (iy != last) {
            draw_row(seed, iy, grid, n + 2);
            draw_row(seed, iy + 1, next, n + 2);
            last = iy;
        }
        float f = (float)(at - iy);
        f = f * f * (3 - 2 * f);
        for (int i = 0; i <= n + 1; i++)
            row[i] = grid[i] + f * (next[i] - grid[i]);
        for (int x = 0; x < SIDE; x++) {
            float ax = (float)(x * step);
            int ix = (int)ax;
            float t = ax - (float)ix;
            t = t * t * (3 - 2 * t);
            layer[y * SIDE + x] += (float)size * (row[ix] + t * (row[ix + 1] - row[ix]));
        }
    }
}

/* Noise of every size, each as strong as chance has it. */
static void add_cloud(struct scene *s, float *layer, double size)
{
    for (int n = 4, k = 1; n <= 64; n *= 2, k++)
        add_noise(s, layer, n, 1, size * range(s, 0, 1) * 1.6 / k);
}

static void add_grain(struct scene *s, float *layer, double size)
{
    struct rng r = rng_seed(rng_bits(&s->r), 1);
    for (int i = 0; i < PIXELS; i++)
        layer[i] += (float)(size * bell(&r));
}

static void transpose(float *layer)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < y; x++) {
            float t = layer[y * SIDE + x];
            layer[y * SIDE + x] = layer[x * SIDE + y], layer[x * SIDE + y] = t;
        }
}

/* Waves of that length, crossed by others at `weave`, as cloth has them. */
static void add_waves(struct scene *s, float *layer, double length, double size)
{
    double angle = range(s, 0, 6.28), c = cos(angle) * 6.28 / length,
           n = sin(angle) * 6.28 / length;
    double weave = chance(s, 0.5) ? range(s, 0.5, 1) : 0;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double v = sin(x * c + y * n) + weave * sin(x * n - y * c);
            layer[y * SIDE + x] += (float)(size * v);
        }
}

/* Joints of tiles or boards: lines from side to side. */
static void add_joints(struct scene *s, float *layer)
{
    double pitch = range(s, 20, 130), angle = range(s, 0, 3.14), width = range(s, 0.7, 5);
    float dark = (float)range(s, -0.3, 0.1);
    bool both = chance(s, 0.6);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double u = x * cos(angle) + y * sin(angle), v = y * cos(angle) - x * sin(angle);
            double off = fabs(remainder(u, pitch));
            off = both ? fmin(off, fabs(remainder(v, pitch * 1.3))) : off;
            layer[y * SIDE + x] += dark * clamp((float)(width / 2 + 0.5 - off));
        }
}

/* Wood, tiles, cloth, stone, an even table. */
static void make_texture(struct scene *s, float *layer)
{
    float base = (float)range(s, 0.06, 0.95);
    double strong = log_range(s, 0.01, 0.2);
    for (int i = 0; i < PIXELS; i++)
        layer[i] = base;
    int what = below(s, 6);
    if (what)
        add_cloud(s, layer, strong);
    if (what == 1) {
        for (int k = 0; k < 3; k++)
            add_noise(s, layer, 8 << (k % 3 + chance(s, 0.5)), range(s, 5, 40), strong);
        if (chance(s, 0.5))
            transpose(layer);
    }
    if (what == 2 || what == 3)
        add_joints(s, layer);
    if (what == 4)
        add_waves(s, layer, range(s, 2.5, 20), strong);
    if (chance(s, 0.5))
        add_grain(s, layer, strong * 0.5);
}

/* Where the page is not, boxes go. */
static void drop_outside(struct scene *s, const float *mask)
{
    int n = 0;
    for (int i = 0; i < s->n; i++) {
        struct box b = s->boxes[i];
        float low = 1, high = 0;
        for (int y = b.y0; y < b.y1; y++)
            for (int x = b.x0; x < b.x1; x++) {
                float m = mask[y * SIDE + x];
                low = fminf(low, m), high = fmaxf(high, m);
            }
        if (high < 0.1f)
            continue;
        b.class = low > 0.9f ? b.class : b.class >= SIGN && b.class != ANY ? -1 : ANY;
        if (b.class >= 0)
            s->boxes[n++] = b;
    }
    s->n = n;
}

/* Where the mask in spare is 0 something else lies there. */
static void lay_beside(struct scene *s)
{
    blur(s->spare, SIDE, SIDE, range(s, 0.4, 1.8));
    float *other = s->rule; /* what was on it is in the picture */
    make_texture(s, other);
    for (int i = 0; i < PIXELS; i++)
        s->picture[i] = s->picture[i] * s->spare[i] + other[i] * (1 - s->spare[i]);
    drop_outside(s, s->spare);
}

/* One side of the page, two or all are to be seen. */
static void lay_on_desk(struct scene *s)
{
    struct point p[4] = {{0, 0}, {SIDE, 0}, {SIDE, SIDE}, {0, SIDE}};
    int side = below(s, 4);
    for (int i = 0; i < 4; i++) {
        bool in = side == 3 || i == side || i == (side + 1) % 4;
        double far = in ? range(s, -20, 90) : range(s, -160, -40);
        p[i].x += i == 0 || i == 3 ? far : -far;
        far = side == 3 || i == side ? range(s, -20, 90) : range(s, -160, -40);
        p[i].y += i < 2 ? far : -far;
    }
    memset(s->spare, 0, PIXELS * sizeof(float));
    fill_polygon(s->spare, p, 4, 1);
    lay_beside(s);
}

/* Fingers, a pen, a cup, a clip: round things that reach over the edge. */
static void lay_on_page(struct scene *s)
{
    for (int i = 0; i < PIXELS; i++)
        s->spare[i] = 1;
    int side = below(s, 4);
    double along = range(s, 0, SIDE), turn = range(s, -0.5, 0.5), step = range(s, 20, 60);
    for (int n = 1 + below(s, 4); n > 0; n--, along += step) {
        struct point p[24];
        double reach = range(s, 20, 120), wide = step * range(s, 0.3, 0.55);
        for (int i = 0; i < 24; i++) {
            double x = wide * cos(6.2832 * i / 24), y = reach * sin(6.2832 * i / 24),
                   across = side % 2 ? SIDE : 0;
            double u = along + x * cos(turn) - y * sin(turn),
                   v = across + x * sin(turn) + y * cos(turn);
            p[i] = side < 2 ? (struct point){u, v} : (struct point){v, u};
        }
        fill_polygon(s->spare, p, 24, 0);
    }
    lay_beside(s);
}

/* Paper with what is printed and written on it. */
static void make_paper(struct scene *s)
{
    float base = (float)(chance(s, 0.75) ? range(s, 0.6, 0.98) : range(s, 0.3, 0.7));
    float dark = base * (float)(1 - s->contrast),
          back = (float)(range(s, 0.05, 0.35) * s->contrast);
    float wall = (float)(s->wall_ink * fmax(s->contrast, 0.3));
    for (int i = 0; i < PIXELS; i++)
        s->picture[i] = base;
    if (chance(s, 0.7))
        add_cloud(s, s->picture, range(s, 0, 0.03));
    if (chance(s, 0.4))
        add_grain(s, s->picture, range(s, 0, 0.02));
    blur(s->back, SIDE, SIDE, range(s, 0.5, 1.6));
    if (chance(s, 0.35)) { /* pencil, a dry pen */
        float part = (float)range(s, 0.1, 0.55), *grain = s->spare;
        memset(grain, 0, PIXELS * sizeof *grain);
        add_noise(s, grain, 64, 1, 0.7);
        add_grain(s, grain, 0.5);
        for (int i = 0; i < PIXELS; i++)
            s->ink[i] *= 1 - part * clamp(fabsf(grain[i]));
    }
    for (int i = 0; i < PIXELS; i++) {
        float v = s->picture[i] * (1 - back * s->back[i]) * (1 - wall * s->rule[i]);
        s->picture[i] = v + s->ink[i] * (fminf(v, dark) - v);
    }
}

static void add_light(struct scene *s)
{
    double angle = range(s, 0, 6.28), slope = range(s, 0, 0.9) / SIDE;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double at = (x - SIDE / 2) * cos(angle) + (y - SIDE / 2) * sin(angle);
            s->picture[y * SIDE + x] *= (float)(1 + slope * at);
        }
}

static void add_shadow(struct scene *s)
{
    struct point p[5];
    int n = 3 + below(s, 3);
    double cx = range(s, -0.2, 1.2) * SIDE, cy = range(s, -0.2, 1.2) * SIDE,
           turn = range(s, 0, 6.28);
    for (int i = 0; i < n; i++) {
        double angle = turn + 6.28 * i / n, far = range(s, 30, 260);
        p[i] = (struct point){cx + far * cos(angle), cy + far * sin(angle)};
    }
    memset(s->spare, 0, PIXELS * sizeof(float));
    fill_polygon(s->spare, p, n, (float)range(s, 0.1, 0.65));
    blur(s->spare, SIDE, SIDE, chance(s, 0.5) ? 0.7 : range(s, 1, 8));
    for (int i = 0; i < PIXELS; i++)
        s->picture[i] *= 1 - s->spare[i];
}

static void add_sensor_noise(struct scene *s)
{
    double size =
        (chance(s, 0.85) ? range(s, 0, 0.02) : range(s, 0, 0.06)) * fmin(1, 2 * s->contrast);
    double soft = chance(s, 0.5) ? range(s, 0.4, 2) : 0;
    if (!soft) {
        add_grain(s, s->picture, size);
        return;
    }
    memset(s->spare, 0, PIXELS * sizeof(float));
    add_grain(s, s->spare, 1);
    blur(s->spare, SIDE, SIDE, soft);
    float gain = (float)(size * fmax(1, 3.5 * soft)); /* what the blur has taken */
    for (int i = 0; i < PIXELS; i++)
        s->picture[i] += gain * s->spare[i];
}

static void keep_inside(struct scene *s, struct box in)
{
    int n = 0;
    for (int i = 0; i < s->n; i++) {
        struct box b = s->boxes[i], c = b;
        c.x0 = b.x0 > in.x0 ? b.x0 : in.x0, c.y0 = b.y0 > in.y0 ? b.y0 : in.y0;
        c.x1 = b.x1 < in.x1 ? b.x1 : in.x1, c.y1 = b.y1 < in.y1 ? b.y1 : in.y1;
        if (c.x0 >= c.x1 || c.y0 >= c.y1)
            continue;
        bool whole = c.x0 == b.x0 && c.y0 == b.y0 && c.x1 == b.x1 && c.y1 == b.y1;
        if (!whole && b.class >= SIGN && b.class != ANY)
            continue;
        c.class = whole ? b.class : ANY;
        s->boxes[n++] = c;
    }
    s->n = n;
}

/* A small picture: what is beyond a rectangle is as its nearest pixel is. Mostly around a digit,
 * tight, or with one side near to it. */
static void cut_out(struct scene *s)
{
    struct box in = {0, 0, SIDE, SIDE, 0}, b;
    b = s->boxes[below(s, s->n)];
    int how = below(s, 3), most = how == 2 ? 40 : 6;
    int *sides[4] = {&in.x0, &in.y0, &in.x1, &in.y1}, at[4] = {b.x0, b.y0, b.x1, b.y1};
    for (int k = 0; k < 4; k++) {
        int margin = below(s, most);
        if (how == 1 && chance(s, 0.6))
            continue;
        *sides[k] = k < 2 ? at[k] - margin : at[k] + margin;
        *sides[k] = *sides[k] < 0 ? 0 : *sides[k] > SIDE ? SIDE : *sides[k];
    }
    memcpy(s->spare, s->picture, PIXELS * sizeof(float));
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int fx = x < in.x0 ? in.x0 : x >= in.x1 ? in.x1 - 1 : x;
            int fy = y < in.y0 ? in.y0 : y >= in.y1 ? in.y1 - 1 : y;
            s->picture[y * SIDE + x] = s->spare[fy * SIDE + fx];
        }
    keep_inside(s, in);
}

/* Two digits that hide each other count for nothing. */
static void drop_overlaps(struct scene *s)
{
    static const double most = 0.45; /* of the smaller one */
    bool bad[MAX_BOXES] = {false};
    for (int i = 0; i < s->n; i++)
        for (int j = 0; j < i; j++) {
            struct box a = s->boxes[i], b = s->boxes[j];
            int w = (a.x1 < b.x1 ? a.x1 : b.x1) - (a.x0 > b.x0 ? a.x0 : b.x0);
            int h = (a.y1 < b.y1 ? a.y1 : b.y1) - (a.y0 > b.y0 ? a.y0 : b.y0);
            double area = fmin((a.x1 - a.x0) * (a.y1 - a.y0), (b.x1 - b.x0) * (b.y1 - b.y0));
            if (a.class < SIGN && b.class < SIGN && w > 0 && h > 0 && w * h > most * area)
                bad[i] = bad[j] = true;
        }
    for (int i = 0; i < s->n; i++)
        s->boxes[i].class = bad[i] ? ANY : s->boxes[i].class;
}

/* What is left of a picture in pixels twice or three times as large, enlarged again. */
static void lose_resolution(struct scene *s)
{
    int times = 2 + chance(s, 0.3), n = SIDE / times;
    bool blocks = chance(s, 0.3);
    float *small = s->spare;
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            float sum = 0;
            for (int k = 0; k < times * times; k++)
                sum += s->picture[(y * times + k / times) * SIDE + x * times + k % times];
            small[y * n + x] = sum / (float)(times * times);
        }
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            float ax = ((float)x + 0.5f) / (float)times - 0.5f,
                  ay = ((float)y + 0.5f) / (float)times - 0.5f;
            if (blocks)
                ax = (float)(x / times), ay = (float)(y / times);
            ax = ax < 0 ? 0 : ax > (float)n - 1.01f ? (float)n - 1.01f : ax;
            ay = ay < 0 ? 0 : ay > (float)n - 1.01f ? (float)n - 1.01f : ay;
            int ix = (int)ax, iy = (int)ay;
            const float *a = small + iy * n + ix, *b = a + n;
            float top = a[0] + (ax - (float)ix) * (a[1] - a[0]),
                  low = b[0] + (ax - (float)ix) * (b[1] - b[0]);
            s->picture[y * SIDE + x] = top + (ay - (float)iy) * (low - top);
        }
}

static void invert(struct scene *s)
{
    float gain = (float)range(s, 0.6, 1);
    for (int i = 0; i < PIXELS; i++)
        s->picture[i] = 1 - s->picture[i] * gain;
}

/* As phones and scanners sharpen: what differs from its surroundings differs more. */
static void sharpen(struct scene *s)
{
    float much = (float)range(s, 0.3, 2);
    memcpy(s->spare, s->picture, PIXELS * sizeof(float));
    blur(s->spare, SIDE, SIDE, range(s, 0.6, 2.5));
    for (int i = 0; i < PIXELS; i++)
        s->picture[i] += much * (s->picture[i] - s->spare[i]);
}

/* A scan in black and white, or nearly: split at a level between ink and paper. */
static void make_hard(struct scene *s)
{
    double sum = 0;
    for (int i = 0; i < PIXELS; i++)
        sum += s->picture[i];
    float level = (float)(sum / PIXELS * (1 - s->contrast * range(s, 0.2, 0.6)));
    float steep = (float)log_range(s, 4, 400);
    for (int i = 0; i < PIXELS; i++)
        s->picture[i] = clamp((s->picture[i] - level) * steep + 0.5f);
}

static void lens(struct scene *s)
{
    if (chance(s, 0.5))
        add_light(s);
    if (chance(s, 0.25))
        add_shadow(s);
    if (chance(s, 0.5))
        blur(s->picture, SIDE, SIDE, range(s, 0.4, fmin(2, 0.06 * s->tall) + 0.41));
    bool hard = chance(s, 0.05);
    if (hard)
        make_hard(s);
    if (chance(s, 0.2))
        invert(s);
    if (!hard && chance(s, 0.8))
        add_sensor_noise(s);
    if (!hard && chance(s, 0.12))
        sharpen(s);
}

/* A drawn or scanned digit, small and without a camera's faults: even paper, any contrast. */
static void show_thumb(struct scene *s)
{
    float paper = (float)range(s, 0, 1), ink = (float)range(s, 0, 1);
    if (fabsf(paper - ink) < 0.12f || chance(s, 0.4))
        paper = 0, ink = (float)range(s, 0.25, 1);
    for (int i = 0; i < PIXELS; i++)
        s->picture[i] = paper + s->ink[i] * (ink - paper);
    if (chance(s, 0.3))
        add_sensor_noise(s);
    if (chance(s, 0.7))
        lose_resolution(s);
    if (s->n && chance(s, 0.7))
        cut_out(s);
}

/* How far the ink in a box differs from what is around it, in the deviations of the latter; 0 where that is less
 * than can be seen. */
static double legible(const struct scene *s, struct box b)
{
    static const double least = 7 / 255.0; /* difference of gray that a camera gives */
    double on = 0, dark = 0, off = 0, sum = 0, squares = 0;
    for (int y = b.y0; y < b.y1; y++)
        for (int x = b.x0; x < b.x1; x++) {
            double v = clamp(s->picture[y * SIDE + x]), ink = s->ink[y * SIDE + x];
            if (ink > 0.5)
                on++, dark += v;
            else if (ink < 0.05)
                off++, sum += v, squares += v * v;
        }
    if (on < 1 || off < 1)
        return 1e9; /* a box full of ink, or of thin lines that are nowhere full */
    double apart = fabs(dark / on - sum / off);
    return apart < least ? 0 : apart / (sqrt(fmax(0, squares / off - sum / off * (sum / off))) + 1e-3);
}

/* What light, shadow, texture or noise have made illegible counts for nothing: a person would not read it, and
 * to learn it blunts what is learnt of the rest. */
static void drop_illegible(struct scene *s)
{
    static const double least = 1.3; /* deviations: below this scenes could not be read by eye */
    for (int i = 0; i < s->n; i++)
        if (legible(s, s->boxes[i]) < least)
            s->boxes[i].class = ANY;
}

void show(struct scene *s)
{
    s->contrast = chance(s, 0.35) ? range(s, 0.08, 0.5) : range(s, 0.5, 0.97);
    drop_overlaps(s);
    if (s->thumb) {
        show_thumb(s);
    } else {
        if (s->bare)
            make_texture(s, s->picture);
        else
            make_paper(s);
        if (!s->bare && chance(s, 0.3))
            lay_on_desk(s);
        if (!s->bare && chance(s, 0.04))
            lay_on_page(s);
        lens(s);
        if (chance(s, 0.1))
            lose_resolution(s);
        if (s->n && chance(s, 0.1))
            cut_out(s);
    }
    if (chance(s, 0.3))
        jpeg(s->picture, SIDE, SIDE, 20 + below(s, 76));
    drop_illegible(s);
}
