/* The library as its users see it: pictures without ink, arguments that cannot be, labels. */
#include <string.h>

#include "inkpipe.h"

#include "../check.h"

#define SIDE 100

int main(void)
{
    static unsigned char gray[SIDE * SIDE];
    const struct inkpipe_digit *digit;
    char error[256] = "";
    CHECK(!inkpipe_open("tests/data/tiny.net", NULL, error, sizeof error) &&
              strstr(error, "tests/data/tiny.net: "),
          "what is no model is named: %s", error);
    CHECK(!inkpipe_open("none.onnx", NULL, NULL, 0), "a missing model, and nowhere to say so");
    struct inkpipe *r = inkpipe_open("models/seed.onnx", "models/find.onnx", error, sizeof error);
    CHECK(r, "a model is opened");
    if (!r)
        return check_done();
    CHECK(inkpipe_classes(r) == 10 && !strcmp(inkpipe_label(r, 9), "9"), "its classes have names");
    CHECK(!inkpipe_label(r, 10) && !inkpipe_label(r, -1), "others have none");
    CHECK(inkpipe_read(r, gray, SIDE, SIDE, SIDE, 1, &digit) == 0 && !digit, "nothing is no digit");
    for (int y = 20; y < 80; y++)
        memset(gray + y * SIDE + 47, 255, 6);
    CHECK(inkpipe_read(r, gray, SIDE, SIDE, SIDE, 1, &digit) == 1 && !strcmp(digit->label, "1") &&
              digit->probability == digit->probabilities[1],
          "a stroke is a 1");
    CHECK(digit && digit->y >= 18 && digit->y + digit->h <= 82 && digit->x >= 45, "and lies there");
    CHECK(inkpipe_read(r, gray, SIDE - 1, SIDE, SIDE, 0, &digit) == -1 && *inkpipe_error(r),
          "a stride too short: %s", inkpipe_error(r));
    CHECK(inkpipe_read(r, gray, SIDE, 0, SIDE, 0, &digit) == -1, "no width: %s", inkpipe_error(r));
    CHECK(inkpipe_read(r, NULL, SIDE, SIDE, SIDE, 0, &digit) == -1, "no pixels: %s",
          inkpipe_error(r));
    CHECK(inkpipe_read(r, gray, SIDE, SIDE, SIDE, 0, &digit) == 1 && !*inkpipe_error(r),
          "and goes on");
    inkpipe_close(r);
    inkpipe_close(NULL);
    return check_done();
}
