/* The unit tests' harness: a test file is a program; each CHECK prints one TAP line.
 *
 *     int main(void)
 *     {
 *         CHECK(1 + 1 == 2, "one and one");
 *         return check_done();
 *     }
 */
#ifndef INKPIPE_CHECK_H
#define INKPIPE_CHECK_H

#include <stdio.h>

static int check_count, check_failed;

/* One test: `condition` must hold; the rest is a printf format that names it. */
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        int held = (condition) ? 1 : 0;                                                            \
        check_failed += !held;                                                                     \
        printf("%sok %d - ", held ? "" : "not ", ++check_count);                                   \
        printf(__VA_ARGS__);                                                                       \
        printf("\n");                                                                              \
        if (!held)                                                                                 \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                               \
    } while (0)

/* Print the plan; main returns this. */
static inline int check_done(void)
{
    printf("1..%d\n", check_count);
    return check_failed != 0;
}

#endif
