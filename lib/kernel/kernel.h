/* The kernels: the inner loops, written once in kernel.c in GNU C vector types and compiled once
 * per instruction-set level into a table of function pointers. kernel_best() chooses at run time;
 * nothing else asks about the CPU.
 *
 * Activations are blocked: channels in blocks of BLOCK, [C/BLOCK][H][W][BLOCK], the same at every
 * level. */
#ifndef INKPIPE_KERNEL_H
#define INKPIPE_KERNEL_H

#include <stddef.h>

#define BLOCK 16

struct kernels {
    const char *name; /* "portable", "avx2", "avx512", "neon" */
};

/* The best level this CPU has. */
const struct kernels *kernel_best(void);

/* The level of that name, or NULL where it is not compiled in or the CPU lacks it. */
const struct kernels *kernel_named(const char *name);

#endif
