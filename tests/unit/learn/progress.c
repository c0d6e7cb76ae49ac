/* lib/learn/progress and fit_line: what a person and a log get to see. */
#include <math.h>
#include <string.h>

#include "../check.h"
#include "learn/learn.h"

static int times_as(double seconds, const char *want)
{
    char text[32];
    return !strcmp(progress_time(seconds, text, sizeof text), want);
}

int main(void)
{
    struct fit_progress p = {.epoch = 2, .epochs = 10, .done = 500, .images = 1000, .loss = 0.0512,
                             .accuracy = 0.9912, .rate = 1834.4, .left = 83};
    const char *whole = "epoch 2/10 [============>           ]  1834 images/s  1:23 left  "
                        "loss 0.0512  99.12 %";
    char text[256];
    CHECK(!strcmp(progress_text(&p, 0, text, sizeof text), whole), "%s", text);
    CHECK(strlen(progress_text(&p, 40, text, sizeof text)) == 40 && !strncmp(text, whole, 40),
          "cut to the window: %s", text);
    CHECK(!strcmp(progress_text(&p, 500, text, sizeof text), whole), "a wide window");
    p.done = 1000;
    CHECK(strstr(progress_text(&p, 0, text, sizeof text), "[========================]"), "%s",
          text);
    CHECK(times_as(0, "0:00") && times_as(59.6, "1:00") && times_as(3599, "59:59") &&
              times_as(3600, "1:00:00") && times_as(360000, "100:00:00"),
          "minutes and hours");
    CHECK(times_as(NAN, "0:00") && times_as(-1, "0:00") && times_as(INFINITY, "0:00"), "no time");

    p.accuracy = NAN;
    CHECK(!strchr(progress_text(&p, 0, text, sizeof text), '%'), "a finder's: %s", text);

    struct epoch_record r = {3, 0.123456, 0.98765, 0.2, 0.96, 1.5e-3, 12.34, 4400.4, 0.1, 0.02, 0.01,
                             0.9, 0.8};
    CHECK(!strcmp(fit_line(&r, true, text, sizeof text),
                  "3\t0.12346\t0.10000\t0.02000\t0.01000\t0.9000\t0.8000\t0.0015\t12.3\t4400"),
          "%s", text);
    CHECK(!strcmp(fit_line(&r, false, text, sizeof text),
                  "3\t0.12346\t0.98765\t0.20000\t0.96000\t0.0015\t12.3\t4400"),
          "%s", text);
    r.validation_loss = r.validation_accuracy = NAN;
    CHECK(!strcmp(fit_line(&r, false, text, sizeof text),
                  "3\t0.12346\t0.98765\t-\t-\t0.0015\t12.3\t4400"),
          "%s", text);
    return check_done();
}
