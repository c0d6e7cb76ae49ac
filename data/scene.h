/* A scene of SIDE x SIDE pixels: a page as somebody may have written on it, and where its digits
 * are. draw.c    ink on the page: glyphs, lines, and their boxes write.c   what people write:
 * digits, signs, words, scribbles layout.c  where: forms, rows, tables, scattered; pages without a
 * digit page.c    paper, desk, light, camera: ink becomes a picture scenes.c  the program All
 * lengths are pixels of the picture; layouts lie on a page that the view puts into it. */
#ifndef SCENE_H
#define SCENE_H

#include "glyph.h"
#include "photo.h"
#include "base/rng.h"

#define SIDE 256
#define PIXELS (SIDE * SIDE)
#define MAX_BOXES 1024
#define MIN_NEAR 6  /* pixels of the longest side of a digit: from here on it may be found or not, below it is none */
#define MIN_TALL 9  /* from here on it is to be found at this level */
#define MAX_TALL 60 /* up to here it is to be found, */
#define MAX_NEAR 72 /* and up to here it may be found or not */

enum {
    SIGN = 10, /* the first of SIGN_CLASSES */
    OTHER = 17, /* other writing; */
    NONE = 18,  /* other writing, and nobody would take it for a digit */
    ANY = 19    /* a box that counts for nothing */
}; /* classes after 0..9 */
#define SIGN_CLASSES ".,-/:+="

/* Left, top, right, bottom, the last two beyond it. */
struct box {
    int x0, y0, x1, y1, class;
};

struct point {
    double x, y;
};

struct scene {
    struct rng r;
    struct stock *stock;
    const char *kind;
    double view[9]; /* from the page to the picture: a homography, by rows */
    float *ink;     /* [SIDE][SIDE], 0..1: what is written */
    float *rule;    /* the same: what is printed on the paper, walls and lines */
    float *back;    /* the same: what shines through from the other side */
    float *picture; /* 0 black .. 1 white */
    float *spare;
    bool bare;       /* no page: nothing but a surface */
    bool thumb;      /* a small file of one digit, drawn or cut out before */
    double contrast; /* of ink on its paper, 0..1 */
    double tall;     /* of a digit */
    double pen;      /* width of a stroke, in heights of a digit; 0: as each glyph has it */
    double lean, slope, wide; /* of the hand: slant, angle, proportion */
    double unsteady;          /* how much its writings differ: 1 as usual */
    double wall, wall_ink;    /* width of lines, and how dark they are, 0..1 */
    double dash;              /* length of the dashes that lines are made of; 0: none */
    double strike;            /* how often a digit is struck out */
    struct box boxes[MAX_BOXES];
    int n;
};

/* Random numbers of the scene. */
double range(struct scene *s, double low, double high);
double log_range(struct scene *s, double low, double high);
double normal(struct scene *s, double deviation);
bool chance(struct scene *s, double probability);
int below(struct scene *s, int n);

/* draw.c */
struct point seen(const struct scene *s, double x, double y);

/* A glyph with the middle of its box at (x, y), h tall, turned and slanted. Its box, with class, is
 * added unless class is -1. */
void draw_glyph(struct scene *s, float *layer, const struct glyph *g, struct point at, double h,
                double gain, int class);

/* A line with round ends through n points. Its box, with class, is added unless class is -1; `tall`
 * is the height of the digits that it belongs with. */
void draw_path(struct scene *s, float *layer, const struct point *p, int n, double width,
               double gain);
void draw_line(struct scene *s, float *layer, double x0, double y0, double x1, double y1,
               double width, double gain);
/* With dashes, where the scene's lines have them. */
void draw_rectangle(struct scene *s, float *layer, double x0, double y0, double x1, double y1,
                    double width, double gain);
/* What is inside of a polygon of n points of the picture, convex or not, blurred edges: to value.
 */
void fill_polygon(float *layer, const struct point *p, int n, float value);
/* The box of what a path has drawn. */
void path_box(struct scene *s, const struct point *p, int n, double width, int class);

/* write.c */
void write_digit(struct scene *s, double x, double y, double h, double gain);
/* Write a text of digits and signs from x on, its digits' feet at y; where it ends. */
double write_number(struct scene *s, const char *text, double x, double y, double gap);
/* A letter, scribble, spot, tick or bracket. */
void write_other(struct scene *s, double x, double y, double h);
/* Words from x on, their line at y; where they end. Joined writing; letters of a face, printed or
 * written, of which `digits` are digits. What shines through from behind has no boxes. */
double write_cursive(struct scene *s, double x, double y, double h, int count);
double write_word(struct scene *s, float *layer, const char *face, double x, double y, double h,
                  int count, double digits);
/* Print of a script whose letters are squares of strokes; where it ends. */
double write_squares(struct scene *s, float *layer, double x, double y, double h, int count);
/* Signs and letters alone. */
void write_mark(struct scene *s, double x, double y, double h);
/* A number with its signs, into text; returns text. */
char *make_text(struct scene *s, char text[32]);

/* layout.c */
void lay_out(struct scene *s);

/* page.c */
void show(struct scene *s);

#endif
