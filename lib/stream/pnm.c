/* Rasters of the formats that are not raw PGM, decoded by libnetpbm.
 *   in   a parsed header (pnm_header.c) and a source of the bytes behind it
 *   out  8-bit gray: luma of ITU-R BT.601, what is transparent on white
 * This is the only file that calls libnetpbm. That library reports errors by printing and exiting, or, when
 * asked, by a user's function and longjmp through static pointers: both are set only inside
 * pnm_decode, under a lock, and taken back before it returns. It is given a header of our own
 * making, so that what it believes about sizes has been checked. */
#define _GNU_SOURCE 1 /* fopencookie */
#include "pnm.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netpbm/pam.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* held while libnetpbm's statics are ours */
static char complaint[160]; /* libnetpbm's last error; guarded by `lock` */

static void keep_complaint(const char *message)
{
    snprintf(complaint, sizeof complaint, "%s", message);
}

static void ignore_message(const char *message)
{
    (void)message;
}

/* The file that libnetpbm reads: a header of our making, then the bytes of the source. */
struct netpbm_input {
    char header[160];
    size_t pos, len;
    pnm_source *source;
    void *arg;
    bool plain, ended;
};

static ssize_t netpbm_input_read(void *cookie, char *to, size_t n)
{
    struct netpbm_input *f = cookie;
    if (f->pos < f->len) {
        if (n > f->len - f->pos)
            n = f->len - f->pos;
        memcpy(to, f->header + f->pos, n);
        f->pos += n;
        return (ssize_t)n;
    }
    ssize_t got = f->source(f->arg, to, n);
    if (got == 0 && f->plain && !f->ended) { /* behind the last number white space may be missing */
        *to = '\n';
        got = 1;
        f->ended = true;
    } else if (got <= 0) {
        f->ended = true;
    }
    return got;
}

static void make_header(const struct pnm_header *h, struct netpbm_input *f)
{
    static const char *const types[] = {"", "GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"};
    int n;
    if (h->format == '7')
        n = snprintf(f->header, sizeof f->header,
                     "P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n",
                     h->width, h->height, h->depth, h->maxval, types[h->depth]);
    else if (h->format == '1' || h->format == '4')
        n = snprintf(f->header, sizeof f->header, "P%c\n%d %d\n", h->format, h->width, h->height);
    else
        n = snprintf(f->header, sizeof f->header, "P%c\n%d %d\n%d\n", h->format, h->width, h->height, h->maxval);
    f->len = (size_t)n;
}

/* Luma of ITU-R BT.601, composed over white by alpha, scaled from maxval to 0..255. */
static void row_to_gray(const struct pnm_header *h, tuple *row, uint8_t *gray)
{
    unsigned long maxval = (unsigned long)h->maxval;
    for (int x = 0; x < h->width; x++) {
        const sample *s = row[x];
        unsigned long v = s[0];
        if (h->depth >= 3)
            v = (299 * s[0] + 587 * s[1] + 114 * s[2] + 500) / 1000;
        if (h->depth == 2 || h->depth == 4) {
            unsigned long alpha = s[h->depth - 1];
            v = (v * alpha + maxval * (maxval - alpha) + maxval / 2) / maxval;
        }
        gray[x] = (uint8_t)((v * 255 + maxval / 2) / maxval);
    }
}

/* Read an image row by row. Called between setjmp and the end of its frame: libnetpbm may longjmp out of it,
 * so that the row it allocates is the caller's. */
static int read_rows(FILE *file, const struct pnm_header *h, struct frame *f, tuple *volatile *row, struct err *e)
{
    struct pam pam = {0};
    pnm_readpaminit(file, &pam, (int)(offsetof(struct pam, tuple_type) + sizeof pam.tuple_type));
    if (pam.width != h->width || pam.height != h->height || (int)pam.depth != h->depth)
        return err_set(e, "libnetpbm reads the header of this P%c image otherwise", h->format);
    *row = pnm_allocpamrow(&pam);
    size_t width = (size_t)h->width, total = width * (size_t)h->height;
    for (size_t done = 0; done < total; done += width) {
        if (frame_reserve(f, done + width, total, e) < 0)
            return -1;
        pnm_readpamrow(&pam, *row);
        row_to_gray(h, *row, f->gray + done);
    }
    return 0;
}

static int decode_locked(FILE *file, const struct pnm_header *h, struct frame *f, struct err *e)
{
    jmp_buf here, *outer;
    tuple *volatile row = NULL;
    volatile int status = -1;
    complaint[0] = '\0';
    pm_setusererrormsgfn(keep_complaint);
    pm_setusermessagefn(ignore_message);
    if (setjmp(here) == 0) {
        pm_setjmpbufsave(&here, &outer);
        status = read_rows(file, h, f, &row, e);
        pm_setjmpbuf(outer);
    } else {
        pm_setjmpbuf(NULL);
        err_set(e, "bad P%c image: %s", h->format, complaint);
    }
    pm_setusererrormsgfn(NULL);
    pm_setusermessagefn(NULL);
    if (row)
        pnm_freepamrow((tuple *)row);
    return status;
}

int pnm_decode(const struct pnm_header *h, pnm_source *source, void *arg, struct frame *f, struct err *e)
{
    struct netpbm_input input = {.source = source, .arg = arg, .plain = h->format <= '3'};
    make_header(h, &input);
    cookie_io_functions_t io = {.read = netpbm_input_read};
    FILE *file = fopencookie(&input, "r", io);
    if (!file)
        return err_errno(e, "cannot read");
    setvbuf(file, NULL, _IONBF, 0); /* a buffer would take bytes of the next frame */
    pthread_mutex_lock(&lock);
    int status = decode_locked(file, h, f, e);
    pthread_mutex_unlock(&lock);
    fclose(file);
    if (status < 0 && input.ended)
        err_set(e, "truncated: the stream ends inside a %dx%d P%c image", h->width, h->height, h->format);
    return status;
}
