/* bench_train - one training step of the standard network, 8 crops of 224 x 224: forward, loss,
 * backward, optimizer. The first step touches all memory and compiles; it is printed apart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/machine.h"
#include "host/train_backend.h"
#include "host/train_init.h"

enum { BATCH = 8, SIDE = 224, STEPS = 5 };

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    static const int nbase[] = {2, 32, 64, 128, 256};
    const lp_trainer_options o = {BATCH,
                                  SIDE,
                                  SIDE,
                                  lp_machine_threads(),
                                  0,
                                  {1, 1e-5, 0.9},
                                  argc > 1 && !strcmp(argv[1], "bf16")};
    size_t plane = (size_t)SIDE * SIDE, i;
    float *x = malloc(BATCH * 2 * plane * sizeof *x), *t = calloc(BATCH * 3 * plane, sizeof *t);
    const lp_train_backend *be = &lp_train_cpu;
    lp_trainer *trainer = NULL;
    lp_weights *w = NULL;
    double each[BATCH], loss = 0, best = 1e9, began, took;
    lp_err err = {LP_ENOMEM, "out of memory"};
    int k, code = 1;

    if (!x || !t || lp_train_init(nbase, 5, 30, 0, &w, &err) || be->open(w, &o, &trainer, &err))
        goto done;
    for (i = 0; i < BATCH * 2 * plane; i++) x[i] = (float)(i * 7919 % 1000) / 1000;
    for (k = 0; k <= STEPS; k++) {
        began = now();
        if (be->gradients(trainer, x, t, BATCH, each, &loss, &err) ||
            be->update(trainer, 0.01, &err))
            goto done;
        took = now() - began;
        if (k && took < best) best = took;
        if (!k) printf("first step %.2f s\n", took);
    }
    printf("training step, %d x %d x %d, %d threads: best of %d %.2f s\n", BATCH, SIDE, SIDE,
           o.threads, STEPS, best);
    code = 0;
done:
    if (code) fprintf(stderr, "bench_train: %s\n", err.msg);
    be->close(&trainer);
    lp_weights_free(&w);
    free(x);
    free(t);
    return code;
}
