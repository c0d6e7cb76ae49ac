/* The room of streams: PGM frames with facts in their comments, in and out (pgm-stream(5)), MNIST's IDX files, and
 * pipes that must not wait: a reader that is fed live (feed), an output whose reader is slow (outlet). */
#ifndef INKPIPE_STREAM_H
#define INKPIPE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/files.h"
#include "base/label.h"

/* The frame stream: raw PGM images one after another, with facts in their header comments.
 * pgm-stream(5) is the format's description.
 *
 * A frame is 8-bit gray: 0 black, 255 white, rows from the top, no padding between rows.
 * Samples of another maxval (1..65535) are scaled to 0..255 by maxval when read. */

/* Limits, checked before memory is allocated: a frame beyond one of them is an error. */
#define FRAME_MAX_SIDE 16384        /* A side has at most so many pixels. */
#define FRAME_MAX_PIXELS (1L << 28) /* A frame has at most so many pixels in all. */
#define FRAME_MAX_HEADER 65536      /* A header has at most so many bytes, facts included. */
#define FRAME_SOURCE 4096           /* Bytes of the fact `source` with its NUL; a longer one is cut. */

/* A frame owns its pixels and facts; all-zero is an empty frame. Reading into a frame again reuses its memory. */
struct frame {
    int width, height;  /* pixels, 1..FRAME_MAX_SIDE */
    uint8_t *gray;      /* [height][width] */
    size_t gray_size;   /* bytes allocated at gray */
    char *facts;        /* "key=value\n" lines as in the header without "# ", printable ASCII (other
                           bytes are read as '?'); NULL or "": none */
    size_t facts_len, facts_size; /* bytes used (without the final NUL) and allocated */
};

/* Check a size against the limits. Returns 0 or -1. */
int frame_check_size(long long width, long long height, struct err *e);

void frame_free(struct frame *f);

/* Make room for n bytes at f->gray of the `total` that are to come, in doubling steps: a reader
 * calls it as bytes arrive, so that a header that lies costs nothing. Returns 0 or -1. */
int frame_reserve(struct frame *f, size_t n, size_t total, struct err *e);

/* Make room for n bytes at f->facts, the final NUL among them. Returns 0 or -1. */
int frame_reserve_facts(struct frame *f, size_t n, struct err *e);

/* Make f width x height. Its pixels are undefined afterwards, its facts stay. Returns 0, or -1 when the
 * size is beyond the limits or memory is short. */
int frame_resize(struct frame *f, int width, int height, struct err *e);

/* The value of fact `key`, copied into value (cut to size - 1), or NULL when it is not there. */
const char *frame_fact(const struct frame *f, const char *key, char *value, size_t size);

/* A fact that is a whole number from 0, and the fact `time` in seconds; -1 when it is not there or malformed. */
long long frame_whole_fact(const struct frame *f, const char *key);
double frame_time(const struct frame *f);

/* Add or replace a fact; value NULL removes it. Returns 0; -1 when memory is short or key or value hold bytes that may
 * not be in them (text_percent helps). Of several lines with one key the first counts; setting leaves one. */
int frame_set_fact(struct frame *f, const char *key, const char *value, struct err *e);

/* The same for a number from 0; one below removes the fact. */
int frame_set_number(struct frame *f, const char *key, long long number, struct err *e);

/* What a fact may be made of: a key of letters, digits, '_', '-' and '.', a value of printable ASCII. */
static inline bool fact_key_byte(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '-' || c == '.';
}
static inline bool fact_value_byte(int c)
{
    return c >= ' ' && c <= '~';
}

/* Make to's facts those of from. Returns 0 or -1. */
int frame_copy_facts(struct frame *to, const struct frame *from, struct err *e);

/* The ground truth of a frame, its fact `label`, into label. Returns 1; 0 when the fact is missing; -1 when its
 * value can be no label (label_is_word): label then holds what of it fits. */
int frame_label(const struct frame *f, char label[static LABEL_SIZE]);

/* A stream being read: one file descriptor, owned by the reader (standard input is not closed). */
struct frame_reader;

/* Open a named file; NULL or "-" is standard input. Returns NULL on failure. */
struct frame_reader *frame_open(const char *name, struct err *e);

/* Go on with a stream that is open as fd, of which the `len` bytes at `begun` (a header's worth at most) have been read
 * to see what it is. fd is the reader's from now on, also on failure, unless name is "-". */
struct frame_reader *frame_open_begun(int fd, const char *name, const void *begun, size_t len, struct err *e);
void frame_close(struct frame_reader *r);

/* Read the next frame. Returns 1, 0 at the stream's end (also for an empty stream), -1 on a bad
 * or truncated frame: e then names file and frame, and nothing more can be read from r. P5 is
 * read here; P1..P4, P6 and P7 through libnetpbm, turned to gray by luma. A frame that carries
 * no `source` or `frame` fact is given none: see frame_source and frame_number. */
int frame_read(struct frame_reader *r, struct frame *f, struct err *e);

/* True when the next frame_read would have to wait for the writer: no whole frame is buffered, all
 * that has arrived was taken into the buffer, and the descriptor is not readable. Programs flush
 * their output before they wait. Never waits itself. A frame larger than the reader's buffer
 * (128 KiB) that has filled it counts as being there: its writer is at work. */
bool frame_would_block(struct frame_reader *r);

/* The descriptor, for poll(2); ask frame_would_block first, since frames may be buffered. */
int frame_fd(const struct frame_reader *r);

/* The name of the stream as it was opened ("-" for standard input). Owned by r. */
const char *frame_stream_name(const struct frame_reader *r);

/* True when a sample above maxval was met in the last frame read (it was clipped). */
bool frame_was_clipped(const struct frame_reader *r);

/* Source and number of the frame last read: its facts where it has them, else the stream's name
 * (percent-encoded) and the count in the stream from 0. */
const char *frame_source(const struct frame_reader *r, const struct frame *f, char *text, size_t size);
long long frame_number(const struct frame_reader *r, const struct frame *f);

/* Write a frame with its facts to fd, in one call where fd takes it whole. Returns 0; or -1, with errno as
 * write(2) left it (EPIPE: the reader has gone), EINVAL for a frame that cannot be written. */
int frame_write(int fd, const struct frame *f, struct err *e);

/* Append the frame as it stands on the wire to a growing buffer (*buf of *len bytes, *size
 * allocated, owned by the caller, released with free). Returns 0 or -1. */
int frame_append(char **buf, size_t *len, size_t *size, const struct frame *f, struct err *e);

/* For live streams: shrink the pipe at fd to one page, so that no more than a few small frames
 * can wait in it. Does nothing where fd is no pipe or the system cannot. */
void pipe_shrink(int fd);

/* True when fd is a pipe of one page, as pipe_shrink makes it: its stream is live, and a reader that is late
 * may skip old frames. A recorded stream, or a video file's, never comes from one. */
bool pipe_is_live(int fd);

/* True when fd is a pipe whose reader is there and has not taken all that was written to it. */
bool pipe_holds(int fd);

/* For live streams, before the next frame is read: wait until the reader of the pipe at fd has taken all that was
 * written to it, or has gone, so that what it gets next is not old. Returns true when there was something to wait for:
 * the reader is slower than the stream. Does nothing where fd is no pipe. */
bool pipe_wait_taken(int fd);

/* IDX files, the format MNIST comes in: big-endian header, then unsigned bytes, all images or all
 * labels in a row. Read item after item, plain or gzip, from a file or a pipe; memory does not
 * depend on what the header says.
 *
 *     00 00 08 03  N(4) H(4) W(4)  N images of H rows of W bytes
 *     00 00 08 01  N(4)            N labels of one byte
 *     00 00 0c 02  N(4) K(4)       N labels of K integers of four bytes, the first is the label (QMNIST)
 */

/* Images and the labels that go with them. */
struct stream_idx;

/* Open both, labels NULL: images alone; a name "-" is standard input. NULL when one is no IDX file of its kind, its
 * images are beyond FRAME_MAX_SIDE or FRAME_MAX_PIXELS, or there are not as many of both. The names must outlive it.
 * Close with idx_close. */
struct stream_idx *idx_open(const char *images, const char *labels, struct err *e);
void idx_close(struct stream_idx *x);

/* The size of an image. */
int idx_width(const struct stream_idx *x);
int idx_height(const struct stream_idx *x);

/* Read the next image, idx_height rows of idx_width bytes, and its label: 0..255, of QMNIST 0..INT_MAX, -1 without
 * labels. Returns 1; 0 when all that the header counts have been read; -1 when a file ends before, goes on behind
 * the last one, or is a broken gzip file: e then names file and item. */
int idx_read(struct stream_idx *x, uint8_t *image, int *label, struct err *e);

/* An image of width columns and height rows with rows and columns exchanged (EMNIST stores them
 * so): to has height columns and width rows. The two must not overlap. */
void idx_transpose(const uint8_t *from, int width, int height, uint8_t *to);

/* Frames read by a thread of their own, so that a window never waits for a writer that stops in the
 * middle of one, nor a camera for a reader. Exactly one frame is read ahead. */

struct stream_feed;

/* A frame and where it is from. All-zero is empty; release it with frame_free(&.frame). */
struct stream_item {
    struct frame frame;
    char source[FRAME_SOURCE]; /* of files: percent-encoded, the frame's fact or the stream's name */
    long long number;         /* of files: the frame's fact, or its place in the stream from 0 */
    double time;              /* of what feed_newest reads: as that says */
};

enum stream_result {
    FEED_FRAME,   /* an item was taken */
    FEED_NOTHING, /* none has arrived: poll feed_fd */
    FEED_ERROR,   /* a stream was bad (e says how); the next one is read */
    FEED_END      /* the last stream has ended */
};

/* Read the named files one after another; none: standard input. A taker that takes none holds the writer
 * back. The names must outlive the feed. What is taken goes on to the descriptor `out` (-1: nowhere), which
 * none of them may be. NULL when no thread can be started. */
struct stream_feed *feed_new(char *const *names, int count, int out, struct err *e);

/* Read the next frame into item, in the feed's thread. Returns 1; 0 at the end; -1 when something was bad,
 * and is then called again. */
typedef int feed_source(void *from, struct stream_item *item, struct err *e);

/* Read a live source, each frame as it comes, and keep the newest: a slow taker gets a fresh frame each time
 * instead of an old one. `from` must outlive the feed. NULL when no thread can be started. */
struct stream_feed *feed_newest(feed_source *read, void *from, struct err *e);

/* Stop reading, wherever the thread is (it is cancelled, pthread_cancel), and release the feed. NULL is none. */
void feed_free(struct stream_feed *f);

/* A descriptor that is readable while feed_take would not return FEED_NOTHING. Owned by the feed. */
int feed_fd(const struct stream_feed *f);

/* Take what was read. The feed's item and the caller's are exchanged, so that their memory is used again. */
enum stream_result feed_take(struct stream_feed *f, struct stream_item *item, struct err *e);

/* Frames on their way out of a program that must not wait: a window's. What the reader has no room
 * for is kept and written when it has. */

struct stream_outlet {
    int fd;
    bool piecewise; /* fd may make a writer wait (no regular file, nor nonblocking): it gets pieces of a page */
    char *data;
    size_t len, size, sent; /* bytes held, allocated; of those held, bytes written */
};

/* Write to fd, which stays the caller's. */
void outlet_init(struct stream_outlet *o, int fd);
void outlet_free(struct stream_outlet *o);

/* Add a frame. Returns 0, or -1 when memory is short. */
int outlet_add(struct stream_outlet *o, const struct frame *f, struct err *e);

/* True when bytes are left to write. */
bool outlet_busy(const struct stream_outlet *o);

/* Write what can be written without waiting. Returns 0, or -1 with errno set (EPIPE: the reader has gone). */
int outlet_work(struct stream_outlet *o, struct err *e);

/* Write all that is held, waiting for the reader. Returns as outlet_work. */
int outlet_flush(struct stream_outlet *o, struct err *e);

/* True when fd is a pipe whose reader has gone. Writes nothing to find out. */
bool outlet_is_closed(const struct stream_outlet *o);

/* Frames put away into files by a key press. */

/* Write f into a new file PREFIX-NNNN.pgm, the first such name that is free; name gets it (cut to
 * size). Returns 0; -1 when it cannot be written, and then there is no such file. */
int save_numbered(const char *prefix, const struct frame *f, char *name, size_t size, struct err *e);

/* Append f to a file, made when it is not there. Returns 0 or -1; what was in the file stays. */
int save_append(const char *file, const struct frame *f, struct err *e);

#endif
