/* Winograd's convolution F(4x4, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural
 * Networks", 2015), a part of kernel.c: 4x4 outputs of a 3x3 convolution from a tile of 6x6 inputs
 * by 36 multiplications a pair of channels where the definition takes 144:
 *
 *     y = A' [ (G w G') . (B' x B) ] A        ' transposes, . multiplies place by place
 *
 * and the sum over input channels makes each of the 36 places a matrix product, tiles by input by
 * output channels. Tiles go through it in groups, so that what stands between the three stages
 * (v->scratch) stays in the cache. */

#define SIDE 6 /* of a tile's input */
#define OUT 4  /* of its output */
#define PLACES (SIDE * SIDE)

/* y = G w: six values of three. */
INLINE void weights_1d(const vf w[3], vf y[SIDE])
{
    vf even = w[0] + w[2], t = w[0] * (1 / 24.f) + w[2] * (1 / 6.f);
    y[0] = w[0] * 0.25f;
    y[1] = (even + w[1]) * (-1 / 6.f);
    y[2] = (even - w[1]) * (-1 / 6.f);
    y[3] = t + w[1] * (1 / 12.f);
    y[4] = t - w[1] * (1 / 12.f);
    y[5] = w[2];
}

/* y = B' x */
INLINE void input_1d(const vf x[SIDE], vf y[SIDE])
{
    vf even = x[4] - x[2] * 4, odd = x[3] - x[1] * 4;
    vf even2 = x[4] - x[2], odd2 = (x[3] - x[1]) * 2;
    y[0] = x[0] * 4 - x[2] * 5 + x[4];
    y[1] = even + odd;
    y[2] = even - odd;
    y[3] = even2 + odd2;
    y[4] = even2 - odd2;
    y[5] = x[1] * 4 - x[3] * 5 + x[5];
}

/* y = A' x */
INLINE void output_1d(const vf x[SIDE], vf y[OUT])
{
    vf even = x[1] + x[2], odd = x[1] - x[2], even2 = x[3] + x[4], odd2 = x[3] - x[4];
    y[0] = x[0] + even + even2;
    y[1] = odd + odd2 * 2;
    y[2] = even + even2 * 4;
    y[3] = odd + odd2 * 8 + x[5];
}

/* The transform of a square, column by column and then row by row: FROM is its value at row r, column s of
 * IN x IN; TO does with value[s] what is to be done with that at row r, column s of SIZE x SIZE. */
#define TRANSFORM(transform_1d, IN, FROM, SIZE, TO)                                                \
    do {                                                                                           \
        vf half[SIZE][IN], column[IN], value[SIZE];                                                \
        UNROLL for (int s = 0; s < (IN); s++) {                                                    \
            UNROLL for (int r = 0; r < (IN); r++) column[r] = FROM;                                \
            transform_1d(column, value);                                                           \
            UNROLL for (int r = 0; r < (SIZE); r++) half[r][s] = value[r];                         \
        }                                                                                          \
        UNROLL for (int r = 0; r < (SIZE); r++) {                                                  \
            transform_1d(half[r], value);                                                          \
            UNROLL for (int s = 0; s < (SIZE); s++) TO;                                            \
        }                                                                                          \
    } while (0)

static void winograd_weights(long pairs, long all, const float *w, float *out)
{
    for (long i = 0; i < pairs; i++)
        for (int j = 0; j < BLOCK * BLOCK; j += VW)
            TRANSFORM(weights_1d, 3, load(w + ((i * 9 + r * 3 + s) * BLOCK * BLOCK) + j), SIDE,
                      store(out + ((r * SIDE + s) * all + i) * BLOCK * BLOCK + j, value[s]));
}

/* The tile whose first pixel is x -> 36 vectors, `place` floats apart. */
INLINE void input_tile(const float *x, long x_row, long x_pixel, float *y, long place)
{
    TRANSFORM(input_1d, SIDE, load(x + r * x_row + s * x_pixel), SIDE,
              store(y + (r * SIDE + s) * place, value[s]));
}

/* Back: 36 vectors -> 4x4 pixels. */
INLINE void output_tile(const float *x, long place, vf y[OUT][OUT])
{
    TRANSFORM(output_1d, SIDE, load(x + (r * SIDE + s) * place), OUT, y[r][s] = value[s]);
}

/* Where a tile of a group of images is. */
struct tile {
    int image, row, pixel; /* of its first output */
    int rows, pixels;      /* of the part's outputs from there on */
};

/* How many of `n` neighbouring pixels are a part's: every d-th, from the first on. */
static int every(int n, int d)
{
    return (n + d - 1) / d;
}

/* The tiles of an image are those of the part that begins at row 0, pixel 0, then at pixel 1, and so on. */
static struct tile tile_at(const struct winograd *v, int tile)
{
    int d = v->dilation, side = OUT * d;
    int across = (v->conv.pixels + side - 1) / side, down = (v->conv.rows + side - 1) / side;
    int part = tile / (across * down), in_part = tile % (across * down);
    int row = part / d % d + in_part / across * side, pixel = part % d + in_part % across * side;
    return (struct tile){part / (d * d), row, pixel, every(v->conv.rows - row, d), every(v->conv.pixels - pixel, d)};
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* A tile that reaches over the picture's edge, filled up with zeros. */
static void pad_tile(const float *x, long x_row, long x_pixel, int rows, int pixels, float *patch)
{
    for (int i = 0; i < PLACES * BLOCK; i++)
        patch[i] = 0;
    for (int r = 0; r < rows; r++)
        for (int s = 0; s < pixels; s++)
            for (int i = 0; i < BLOCK; i++)
                patch[(r * SIDE + s) * BLOCK + i] = x[r * x_row + s * x_pixel + i];
}

/* The tiles first..first + count - 1 of x to v->scratch. */
static void input_tiles(const struct winograd *v, const float *x, int first, int count)
{
    long place = (long)v->conv.runs * v->tiles * BLOCK;
    for (int t = 0; t < count; t++) {
        struct tile at = tile_at(v, first + t);
        const float *xt = x + at.image * v->x_image + at.row * v->conv.x_row + at.pixel * BLOCK;
        int rows = smaller(SIDE, at.rows + 2), pixels = smaller(SIDE, at.pixels + 2);
        for (int b = 0; b < v->conv.runs; b++) {
            const float *xb = xt + b * v->x_block;
            float patch[PLACES * BLOCK], *y = v->scratch + ((long)b * v->tiles + t) * BLOCK;
            long x_row = v->conv.x_row * v->dilation, x_pixel = (long)BLOCK * v->dilation;
            if (rows < SIDE || pixels < SIDE) {
                pad_tile(xb, x_row, x_pixel, rows, pixels, patch);
                xb = patch;
                x_row = SIDE * BLOCK;
                x_pixel = BLOCK;
            }
            for (int j = 0; j < BLOCK; j += VW)
                input_tile(xb + j, x_row, x_pixel, y + j, place);
        }
    }
}

/* One vector of a tile's outputs, channels from k on: what is inside the picture is stored, or the
 * greatest of each 2x2 of it, or the sum with `add`. */
INLINE void store_tile(const struct winograd *v, long k, vf y[OUT][OUT], const float *add, float *to,
                       int rows, int pixels)
{
    long y_row = v->conv.y_row * v->dilation, add_row = v->add_row * v->dilation;
    long pixel = (long)BLOCK * v->dilation;
    vf bias = v->conv.bias ? load(v->conv.bias + k) : (vf){0};
    UNROLL for (int r = 0; r < OUT; r++)
        UNROLL for (int s = 0; s < OUT; s++) y[r][s] = finished(&v->conv, k, y[r][s] + bias);
    if (v->pool) {
        UNROLL for (int r = 0; r < OUT / 2; r++)
            UNROLL for (int s = 0; s < OUT / 2; s++)
                if (2 * r + 1 < rows && 2 * s + 1 < pixels)
                    store(to + r * v->conv.y_row + s * BLOCK,
                          larger(larger(y[2 * r][2 * s], y[2 * r][2 * s + 1]),
                                 larger(y[2 * r + 1][2 * s], y[2 * r + 1][2 * s + 1])));
    } else if (add) {
        UNROLL for (int r = 0; r < OUT; r++)
            UNROLL for (int s = 0; s < OUT; s++)
                if (r < rows && s < pixels) {
                    vf sum = y[r][s] + load(add + r * add_row + s * pixel);
                    store(to + r * y_row + s * pixel, v->relu_sum ? positive(sum) : sum);
                }
    } else {
        UNROLL for (int r = 0; r < OUT; r++)
            UNROLL for (int s = 0; s < OUT; s++)
                if (r < rows && s < pixels)
                    store(to + r * y_row + s * pixel, y[r][s]);
    }
}

/* `products` holds the 36 places of output blocks b.. b + n. */
static void output_tiles(const struct winograd *v, const float *products, int b, int n, float *y,
                         int first, int count)
{
    const int shrink = v->pool ? 2 : 1;
    long place = (long)n * v->tiles * BLOCK;
    for (int t = 0; t < count; t++) {
        struct tile at = tile_at(v, first + t);
        const float *add = v->add ? v->add + at.image * v->add_image + at.row * v->add_row + at.pixel * BLOCK
                                  : NULL;
        float *yt = y + at.image * v->y_image + at.row / shrink * v->conv.y_row +
                    at.pixel / shrink * BLOCK;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < BLOCK; j += VW) {
                vf out[OUT][OUT];
                output_tile(products + ((long)i * v->tiles + t) * BLOCK + j, place, out);
                store_tile(v, (long)(b + i) * BLOCK + j, out, add ? add + (b + i) * v->add_block + j : NULL,
                           yt + (b + i) * v->conv.y_block + j, at.rows, at.pixels);
            }
    }
}

static void winograd(const struct winograd *v, const float *x, float *y)
{
    int groups = (v->count + v->tiles - 1) / v->tiles;
    long in_place = (long)v->conv.runs * v->tiles * BLOCK;
    float *products = v->scratch + PLACES * in_place;
    struct conv one = {.runs = v->conv.runs, .run = BLOCK, .rows = 1, .offset = v->conv.offset,
                       .y_block = (long)v->tiles * BLOCK};
    for (int g = 0, first = 0; g < groups; g++, first += one.pixels) {
        one.pixels = (v->count - first + groups - g - 1) / (groups - g);
        input_tiles(v, x, first, one.pixels);
        for (int b = 0; b < v->conv.blocks; b += GROUP) {
            int n = smaller(GROUP, v->conv.blocks - b);
            one.w = v->conv.w;
            for (int p = 0; p < PLACES; p++) {
                float *yp = products + p * n * v->tiles * BLOCK;
                if (n == GROUP)
                    conv_row(&one, v->scratch + p * in_place, b * BLOCK, yp, VECTORS, BLOCK);
                else
                    conv_row(&one, v->scratch + p * in_place, b * BLOCK, yp, PER_BLOCK, BLOCK);
                one.w += (long)v->conv.blocks * v->conv.runs * BLOCK * BLOCK;
            }
            output_tiles(v, products, b, n, y, first, one.pixels);
        }
    }
}

/* ---- The gradient of the weights: the same stages turned round ----
 *
 *     dw = G' [ (B' x B) . (A dy A') ] G
 *
 * where the middle is summed over tiles, and over images, before the last stage. */

/* y = A x */
INLINE void dy_1d(const vf x[OUT], vf y[SIDE])
{
    vf even = x[0] + x[2], odd = x[1] + x[3], even2 = x[0] + x[2] * 4, odd2 = x[1] * 2 + x[3] * 8;
    y[0] = x[0];
    y[1] = even + odd;
    y[2] = even - odd;
    y[3] = even2 + odd2;
    y[4] = even2 - odd2;
    y[5] = x[3];
}

/* y = G' x */
INLINE void dw_1d(const vf x[SIDE], vf y[3])
{
    vf even = (x[1] + x[2]) * (1 / 6.f), even2 = x[3] + x[4];
    y[0] = x[0] * 0.25f - even + even2 * (1 / 24.f);
    y[1] = (x[2] - x[1]) * (1 / 6.f) + (x[3] - x[4]) * (1 / 12.f);
    y[2] = even2 * (1 / 6.f) - even + x[5];
}

/* The 4x4 pixels from dy on, of which rows x pixels are inside the picture -> 36 vectors. */
INLINE void dy_tile(const float *dy, long dy_row, long dy_pixel, int rows, int pixels, float *y,
                    long place)
{
    TRANSFORM(dy_1d, OUT, r < rows && s < pixels ? load(dy + r * dy_row + s * dy_pixel) : (vf){0}, SIDE,
              store(y + (r * SIDE + s) * place, value[s]));
}

static void dy_tiles(const struct winograd *v, const float *dy, int first, int count, float *y)
{
    long place = (long)v->conv.blocks * v->tiles * BLOCK;
    long dy_row = v->conv.y_row * v->dilation, dy_pixel = (long)BLOCK * v->dilation;
    for (int t = 0; t < count; t++) {
        struct tile at = tile_at(v, first + t);
        const float *from = dy + at.row * v->conv.y_row + at.pixel * BLOCK;
        for (int b = 0; b < v->conv.blocks; b++)
            for (int j = 0; j < BLOCK; j += VW) {
                const float *tile = from + b * v->conv.y_block + j;
                float *to = y + ((long)b * v->tiles + t) * BLOCK + j;
                if (at.rows >= OUT && at.pixels >= OUT)
                    dy_tile(tile, dy_row, dy_pixel, OUT, OUT, to, place);
                else
                    dy_tile(tile, dy_row, dy_pixel, at.rows, at.pixels, to, place);
            }
    }
}

/* What waits in scratch, `tiles` of it, is multiplied at each place. */
static void grad_places(const struct winograd *v, const float *dy, int tiles, bool first, float *sums)
{
    const float *x = v->scratch;
    struct conv g = {.blocks = v->conv.blocks, .rows = 1, .pixels = tiles, .runs = v->conv.runs, .run = BLOCK,
                     .offset = v->conv.offset, .x_pixel = BLOCK, .y_block = (long)v->tiles * BLOCK};
    for (int p = 0; p < PLACES; p++) {
        conv_grad(&g, first, x, dy, sums);
        x += (long)g.runs * v->tiles * BLOCK;
        dy += (long)g.blocks * v->tiles * BLOCK;
        sums += (long)g.blocks * g.runs * BLOCK * BLOCK;
    }
}

static void grad_weights(long pairs, const float *sums, float *dw)
{
    for (long i = 0; i < pairs; i++)
        for (int j = 0; j < BLOCK * BLOCK; j += VW)
            TRANSFORM(dw_1d, SIDE, load(sums + ((r * SIDE + s) * pairs + i) * BLOCK * BLOCK + j), 3,
                      store(dw + (i * 9 + r * 3 + s) * BLOCK * BLOCK + j, value[s]));
}

static void winograd_grad(const struct winograd *v, int image, bool last, const float *x,
                          const float *dy, float *dw)
{
    int tiles = winograd_tiles(v->conv.rows, v->conv.pixels, v->dilation);
    int together = v->tiles / tiles;
    int wait = together > 1 ? image % together * tiles : 0;
    bool start = image < (together > 1 ? together : 1);
    float *dy_places = v->scratch + (long)PLACES * v->conv.runs * v->tiles * BLOCK;
    float *sums = dy_places + (long)PLACES * v->conv.blocks * v->tiles * BLOCK;
    struct winograd slots = *v;
    slots.scratch += (long)wait * BLOCK;
    for (int first = 0, count; first < tiles; first += count) {
        count = smaller(tiles - first, v->tiles);
        input_tiles(&slots, x, first, count);
        dy_tiles(v, dy, first, count, dy_places + (long)wait * BLOCK);
        if (last || wait + count + tiles > v->tiles)
            grad_places(v, dy_places, wait + count, start && first == 0, sums);
    }
    if (last)
        grad_weights((long)v->conv.blocks * v->conv.runs, sums, dw);
}
