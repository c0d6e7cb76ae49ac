/* Memory for what lives as long as its owner and is read over and over, weights above all: taken
 * piece by piece, given back all at once. It lies on pages of 2 MB where the system has them: a
 * page of 4 KB costs a microsecond when it is first touched, and a look-up in the page table
 * whenever reading comes to it. */
#ifndef INKPIPE_PAGES_H
#define INKPIPE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

struct pages;

/* NULL when out of memory. Free with pages_free, which frees all that was taken. */
struct pages *pages_new(void);
void pages_free(struct pages *p);

/* n zeroed things of that size, the first at the start of a cache line; NULL when out of memory. */
void *pages_take(struct pages *p, size_t n, size_t size);

/* Whether there was too little memory for something that was asked for. */
bool pages_short(const struct pages *p);

#endif
