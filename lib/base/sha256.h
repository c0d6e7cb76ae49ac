/* SHA-256 (FIPS 180-4), to say which data and options a model was made from. */
#ifndef INKPIPE_SHA256_H
#define INKPIPE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32

struct sha256 {
    uint32_t state[8];
    uint64_t len; /* bytes so far */
    uint8_t block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *bytes, size_t len);

/* The digest of what was added; s itself is not changed, so that more can follow. */
void sha256_digest(const struct sha256 *s, uint8_t digest[SHA256_SIZE]);

/* The same as text: 64 hexadecimal digits. */
void sha256_text(const struct sha256 *s, char text[2 * SHA256_SIZE + 1]);

#endif
