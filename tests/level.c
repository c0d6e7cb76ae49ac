/* kernel_best, as the programs of $(B)/level/ see it: the kernels of the level that the environment names,
 * so that tests/golden can look at every level of this CPU. */
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>

const struct kernels *__wrap_kernel_best(void);

const struct kernels *__wrap_kernel_best(void)
{
    const struct kernels *k = kernel_named(getenv("LEVEL"));
    if (!k) {
        fprintf(stderr, "LEVEL=%s: not on this CPU\n", getenv("LEVEL"));
        exit(1);
    }
    return k;
}
