/* A parser under a shortage of memory, with no fuzzer: linked with a target of tests/fuzz, this reads
 * each file named (a folder: the files in it) as it is, and then again and again with the first,
 * second, third ... allocation failing, until none fails. The target's own checks hold as ever;
 * sanitizers see leaks. One TAP line. Run: build/corpus/NAME tests/fuzz/corpus/NAME */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Allocations in a row that are tried; one in so many beyond. */
enum { EACH = 300, SAMPLE = 37 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long left; /* allocations until one fails; 0: none does */

static int fails(void)
{
    return left > 0 && --left == 0;
}

/* The linker sends the calls of our own objects here (--wrap). */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}

static long files, shortages;

static void try(const uint8_t *data, size_t size)
{
    LLVMFuzzerTestOneInput(data, size);
    files++;
    for (long n = 1;; n += n < EACH ? 1 : SAMPLE) {
        left = n;
        LLVMFuzzerTestOneInput(data, size);
        if (left > 0)
            break;
        shortages++;
    }
    left = 0;
}

static void read_file(const char *name)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(name, "rb");
    if (!file) {
        perror(name);
        exit(1);
    }
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    uint8_t *exact = __real_malloc(size ? size : 1); /* what is read beyond it is seen */
    memcpy(exact, data, size);
    try(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    char name[4096];
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if (!dir)
            read_file(argv[i]);
        for (struct dirent *entry; dir && (entry = readdir(dir));)
            if (entry->d_name[0] != '.') {
                snprintf(name, sizeof name, "%s/%s", argv[i], entry->d_name);
                read_file(name);
            }
        if (dir)
            closedir(dir);
    }
    printf("%sok 1 - %ld files, memory short %ld times\n1..1\n", files ? "" : "not ", files,
           shortages);
    return !files;
}
