/* The kernels of one level; see kernel.h. LEVEL is the level's name, given by the Makefile. */
#include "kernel.h"

#define NAME2(a, b) a##_##b
#define NAME(a, b) NAME2(a, b)
#define TEXT2(a) #a
#define TEXT(a) TEXT2(a)

extern const struct kernels NAME(kernels, LEVEL);
const struct kernels NAME(kernels, LEVEL) = {.name = TEXT(LEVEL)};
