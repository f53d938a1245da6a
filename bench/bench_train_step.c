/* bench_train_step - whole training steps as `lipopose train` makes them, 8 crops of 224 x 224 of
 * the standard network, on the back end that is named: crops up, loss down, a step of SGD.
 *
 *     bench_train_step [cpu|cuda|auto] [fp32|bf16] [STEPS]
 *
 * Best and median of STEPS (20; fp32) after three that are not counted; crops
 * are made beforehand. bench_train has the parts of a step on the CPU. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/machine.h"
#include "host/sort.h"
#include "host/train_backend.h"
#include "host/train_init.h"

enum { BATCH = 8, SIDE = 224, WARM = 3, MOST = 1000 };

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fill(float *x, float *target)
{
    size_t plane = (size_t)SIDE * SIDE, k;
    unsigned r = 7;

    for (k = 0; k < BATCH * 2 * plane; k++) {
        r = r * 1664525u + 1013904223u;
        x[k] = (float)(r >> 8) / (1 << 24);
    }
    for (k = 0; k < BATCH * 3 * plane; k++)
        target[k] = k / plane % 3 ? 0.5f : (float)(k % SIDE / 28 % 2);
}

/* seconds [n] of each step */
static lp_status steps(const lp_train_backend *be, lp_trainer *t, const float *x,
                       const float *target, int n, double *seconds, lp_err *err)
{
    double each[BATCH], loss, began;
    lp_status st = be->put(t, err);
    int k;

    for (k = -WARM; k < n && !st; k++) {
        began = now();
        if ((st = be->gradients(t, x, target, BATCH, err)) ||
            (st = be->loss(t, each, &loss, err)) || (st = be->update(t, 0.001, err)))
            break;
        if (k >= 0) seconds[k] = now() - began;
    }
    return st ? st : be->get(t, err); /* the last update is waited for */
}

int main(int argc, char **argv)
{
    static const int nbase[] = {2, 32, 64, 128, 256};
    size_t plane = (size_t)SIDE * SIDE * BATCH;
    float *x = malloc(2 * plane * sizeof *x), *target = malloc(3 * plane * sizeof *x);
    int n = argc > 3 ? atoi(argv[3]) : 20, code = 1;
    lp_trainer_options o = {.batch = BATCH,
                            .ly = SIDE,
                            .lx = SIDE,
                            .threads = lp_machine_threads(),
                            .optim = {1, 1e-5, 0.9},
                            .bf16 = argc > 2 && !strcmp(argv[2], "bf16")};
    const lp_train_backend *be = NULL;
    double seconds[MOST];
    lp_weights *w = NULL;
    lp_trainer *t = NULL;
    lp_err err = {LP_ENOMEM, "out of memory"};

    if (n < 1 || n > MOST) n = 20;
    if (!x || !target) goto done;
    fill(x, target);
    if (lp_train_backend_find(argc > 1 ? argv[1] : "auto", 0, &be, &err) ||
        lp_train_init(nbase, 5, 30, 0, &w, &err) || be->open(w, &o, &t, &err) ||
        steps(be, t, x, target, n, seconds, &err))
        goto done;
    qsort(seconds, (size_t)n, sizeof *seconds, lp_by_double);
    printf("%s, %s: %d steps of %d x %d x %d, best %.2f ms, median %.2f ms, %.1f images/s\n",
           be->describe(t), o.bf16 ? "bf16" : "fp32", n, BATCH, SIDE, SIDE, 1e3 * seconds[0],
           1e3 * seconds[n / 2], BATCH / seconds[n / 2]);
    code = 0;
done:
    if (code) fprintf(stderr, "bench_train_step: %s\n", err.msg);
    if (be) be->close(&t);
    lp_weights_free(&w);
    free(x);
    free(target);
    return code;
}
