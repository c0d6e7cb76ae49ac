/* lib/sha256 against the standard's examples, whole and in pieces. */
#include <string.h>

#include "../check.h"
#include "base/sha256.h"

static const char *digest(const char *bytes, size_t len, size_t piece)
{
    static char text[2 * SHA256_SIZE + 1];
    struct sha256 s;
    sha256_init(&s);
    for (size_t at = 0; at < len; at += piece)
        sha256_add(&s, bytes + at, len - at < piece ? len - at : piece);
    sha256_text(&s, text);
    return text;
}

int main(void)
{
    static char a[1000000];
    memset(a, 'a', sizeof a);
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    CHECK(!strcmp(digest("", 0, 1),
                  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), "empty");
    CHECK(!strcmp(digest("abc", 3, 3),
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), "abc");
    CHECK(!strcmp(digest(two, 56, 56),
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"), "two blocks");
    CHECK(!strcmp(digest(a, sizeof a, sizeof a),
                  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"), "a million");
    char whole[2 * SHA256_SIZE + 1];
    int differ = 0;
    for (size_t len = 0; len < 300; len++) {
        strcpy(whole, digest(a, len, len + 1));
        for (size_t piece = 1; piece < 130; piece += 7)
            differ += strcmp(whole, digest(a, len, piece)) != 0;
    }
    CHECK(!differ, "in pieces as in one");
    return check_done();
}
