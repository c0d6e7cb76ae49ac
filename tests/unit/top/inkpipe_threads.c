/* The library in several threads, as its header promises: readers of their own that are opened,
 * used and closed at the same time, and one that is handed from thread to thread. make faults runs
 * this under ThreadSanitizer. */
#include <pthread.h>
#include <string.h>

#include "inkpipe.h"

#include "../check.h"

enum { SIDE = 100, THREADS = 4, ROUNDS = 3, PICTURES = 3 };

static unsigned char picture[PICTURES][SIDE * SIDE];
static double expected[PICTURES];
static struct inkpipe *shared;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* Strokes: a 1, a 7 and a ring, the last dark on light. */
static void draw(void)
{
    for (int y = 20; y < 80; y++)
        for (int x = 25; x < 75; x++) {
            int away = (x - 50) * (x - 50) + (y - 50) * (y - 50);
            picture[0][y * SIDE + x] = x >= 47 && x < 53 ? 255 : 0;
            picture[1][y * SIDE + x] =
                (y < 27 && x > 32) || (2 * x + y > 138 && 2 * x + y < 155) ? 255 : 0;
            picture[2][y * SIDE + x] = away > 324 && away < 625 ? 255 : 0;
        }
    for (int i = 0; i < SIDE * SIDE; i++)
        picture[2][i] = 255 - picture[2][i];
}

/* The probability of the answer to a picture, or -1. */
static double answer(struct inkpipe *r, int p)
{
    const struct inkpipe_digit *digit;
    return inkpipe_read(r, picture[p], SIDE, SIDE, SIDE, 1, &digit) == 1 ? digit->probability : -1;
}

/* How many answers are not as they are to one thread alone. */
static void *work(void *argument)
{
    long *wrong = argument, number = *wrong;
    *wrong = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct inkpipe *own = inkpipe_open("models/default.onnx", "models/find.onnx", NULL, 0);
        const struct inkpipe_digit *digit;
        for (int i = 0; i < PICTURES; i++) {
            int p = (int)(i + number) % PICTURES;
            *wrong += !own || answer(own, p) != expected[p];
            pthread_mutex_lock(&turn);
            *wrong += answer(shared, p) != expected[p];
            pthread_mutex_unlock(&turn);
        }
        *wrong += !own || inkpipe_read(own, NULL, 0, SIDE, SIDE, 0, &digit) != -1;
        *wrong += !own || !*inkpipe_error(own);
        inkpipe_close(own);
        *wrong += inkpipe_open("none.onnx", NULL, NULL, 0) != NULL;
    }
    return NULL;
}

int main(void)
{
    pthread_t thread[THREADS];
    long wrong[THREADS];
    draw();
    shared = inkpipe_open("models/default.onnx", "models/find.onnx", NULL, 0);
    CHECK(shared, "a model is opened");
    if (!shared)
        return check_done();
    for (int p = 0; p < PICTURES; p++) {
        expected[p] = answer(shared, p);
        CHECK(expected[p] > 0.5, "picture %d is read: %f", p, expected[p]);
    }
    for (int i = 0; i < THREADS; i++) {
        wrong[i] = i;
        CHECK(!pthread_create(&thread[i], NULL, work, &wrong[i]), "thread %d starts", i);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        CHECK(wrong[i] == 0, "its answers are those of one thread alone: %ld are not", wrong[i]);
    }
    CHECK(!*inkpipe_error(shared), "errors of other readers are not this one's");
    inkpipe_close(shared);
    return check_done();
}
