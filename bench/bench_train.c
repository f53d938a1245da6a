/* bench_train - one training step of the standard network, 8 crops of 224 x 224, in fp32 and bf16,
 * and its parts: crops, forward, loss, backward, optimizer; and its convolutions alone.
 *
 * Steps of both kinds take turns, so that a busy machine is unfair to neither. Beside the best
 * time is the processor time of all threads in that part, best of all steps, which a busy machine
 * changes less; run it with OMP_WAIT_POLICY=passive, or waiting counts as work. The first step
 * touches all memory and compiles; it is printed apart. bench_train [fp32|bf16]: only one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/big_alloc.h"
#include "host/machine.h"
#include "host/onednn.h"
#include "host/onednn_train.h"
#include "host/train_crops.h"
#include "host/train_init.h"
#include "host/train_loss.h"
#include "host/train_net.h"
#include "host/train_optim.h"

enum { BATCH = 8, SIDE = 224, STEPS = 5, IMAGE = 512 };
enum { CROPS, FORWARD, LOSS, BACKWARD, OPTIMIZER, PARTS };
static const int nbase[] = {2, 32, 64, 128, 256};

typedef struct {
    double wall, cpu;
} moment;

static moment now(void)
{
    struct timespec t, c;

    clock_gettime(CLOCK_MONOTONIC, &t);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &c);
    return (moment){(double)t.tv_sec + 1e-9 * (double)t.tv_nsec,
                    (double)c.tv_sec + 1e-9 * (double)c.tv_nsec};
}

/* Keeps the least since `began` in *best. */
static void keep(moment *best, moment began)
{
    moment t = now();

    if (!best->wall || t.wall - began.wall < best->wall) best->wall = t.wall - began.wall;
    if (!best->cpu || t.cpu - began.cpu < best->cpu) best->cpu = t.cpu - began.cpu;
}

typedef struct {
    const char *name;
    lp_weights *w;
    lp_tnet *net;
    lp_optim optim;
    moment first, best[PARTS], step;
} kind;

/* A micrograph of discs in noise. */
static lp_status discs(lp_train_set *set, lp_err *err)
{
    float *image = malloc((size_t)IMAGE * IMAGE * sizeof *image);
    lp_labels labels = {calloc((size_t)IMAGE * IMAGE, sizeof *labels.data), IMAGE, IMAGE};
    lp_status st = LP_ENOMEM;
    int y, x;

    set->image = calloc(1, sizeof *set->image);
    set->n = 1;
    if (image && labels.data && set->image) {
        for (y = 0; y < IMAGE; y++)
            for (x = 0; x < IMAGE; x++) {
                size_t k = (size_t)y * IMAGE + x;
                int dy = y % 32 - 16, dx = x % 32 - 16, in = dy * dy + dx * dx < 170;

                labels.data[k] = in ? (uint32_t)(y / 32 * 16 + x / 32 + 1) : 0;
                image[k] = (float)in / 2 + (float)(k * 7919 % 1000) / 2000;
            }
        st = lp_train_image_make("discs", image, 1, &labels, set->image, NULL, err);
    }
    free(image);
    free(labels.data);
    return st;
}

/* each [BATCH] is not looked at. */
static lp_status step(kind *k, const lp_train_set *set, int n, float *x, float *target, float *y,
                      float *d_y, lp_err *err)
{
    static const int which[BATCH] = {0};
    const lp_crops crops = {1, SIDE, nbase[0], 30, 0.5};
    moment all = now(), t = all;
    double each[BATCH];
    lp_status st;

    lp_train_crops(set, &crops, (uint32_t)n, which, 0, BATCH, x, target);
    keep(&k->best[CROPS], t);
    t = now();
    if ((st = lp_tnet_forward(k->net, x, BATCH, 1, y, err))) return st;
    keep(&k->best[FORWARD], t);
    t = now();
    lp_train_loss(y, target, BATCH, SIDE, SIDE, each, d_y);
    keep(&k->best[LOSS], t);
    t = now();
    if ((st = lp_tnet_backward(k->net, d_y, err))) return st;
    keep(&k->best[BACKWARD], t);
    t = now();
    lp_optim_step(&k->optim, k->w, lp_tnet_gradients(k->net), 0.001);
    keep(&k->best[OPTIMIZER], t);
    keep(n ? &k->step : &k->first, all);
    if (!n) memset(k->best, 0, sizeof k->best);
    return LP_OK;
}

/* Best times of the three calls of a convolution, added `count` times to sum. */
static lp_status time_conv(lp_tconv_spec sp, int count, int threads, moment *sum, lp_err *err)
{
    size_t ci = (size_t)(sp.ic + sp.block - 1) / sp.block * sp.block;
    size_t co = (size_t)(sp.oc + sp.block - 1) / sp.block * sp.block;
    size_t plane = (size_t)sp.n * sp.h * sp.w, nw = (size_t)sp.ic * sp.oc * sp.k * sp.k;
    float *src = lp_big_alloc(plane * ci * 4), *dst = lp_big_alloc(plane * co * 4);
    float *w = calloc(nw + co, sizeof *w);
    void *scratch = NULL;
    moment best[3] = {{0, 0}}, t;
    lp_tconv *c = NULL;
    lp_status st = LP_ENOMEM;
    int k;

    if (!src || !dst || !w || (st = lp_tconv_new(&sp, threads, &c, err))) goto done;
    if (!(scratch = lp_big_alloc(lp_tconv_scratch(c) + 64))) goto done;
    memset(src, 0, plane * ci * 4);
    memset(dst, 0, plane * co * 4);
    for (k = 0; k < 4; k++) {
        if (k == 1) memset(best, 0, sizeof best);
        t = now();
        if (lp_tconv_weights(c, w, 1) || lp_tconv_forward(c, w + nw, src, dst, scratch)) goto done;
        keep(&best[0], t);
        t = now();
        if (lp_tconv_backward_data(c, dst, src, scratch)) goto done;
        keep(&best[1], t);
        t = now();
        if (lp_tconv_backward_weights(c, src, dst, w, w + nw, scratch)) goto done;
        keep(&best[2], t);
    }
    for (k = 0; k < 3; k++) {
        sum[k].wall += count * best[k].wall;
        sum[k].cpu += count * best[k].cpu;
    }
    st = LP_OK;
done:
    if (st == LP_ENOMEM) st = lp_fail(err, st, "convolution: fails");
    lp_tconv_free(&c);
    free(src);
    free(dst);
    free(w);
    free(scratch);
    return st;
}

static lp_status convolutions(int bf16, int threads, moment *sum, lp_err *err)
{
    lp_status st = LP_OK;
    int l;

    for (l = 0; l < 4 && !st; l++) {
        int c = nbase[l + 1], up = l < 3 ? nbase[l + 2] : c, s = SIDE >> l;
        int k3 = bf16 && l, in = nbase[l];
        lp_tconv_spec sp = {BATCH, in, c, s, s, 3, lp_tconv_block(), 0, k3, 0};

        st = time_conv(sp, 1, threads, sum, err);
        sp.k = 1;
        if (!st) st = time_conv(sp, 1, threads, sum, err);
        sp.bf16 = bf16;
        sp.ic = up;
        if (!st) st = time_conv(sp, 1, threads, sum, err);
        sp.k = 3;
        sp.sum = 1;
        if (!st) st = time_conv(sp, 1, threads, sum, err);
        sp.ic = c;
        if (!st) st = time_conv(sp, 6, threads, sum, err);
    }
    return st;
}

static void print(const char *name, int n, moment a, moment b)
{
    printf("%-30s%9.1f %9.1f", name, 1e3 * a.wall, 1e3 * a.cpu);
    if (n > 1) printf("%9.1f %9.1f", 1e3 * b.wall, 1e3 * b.cpu);
    printf("\n");
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"  crops", "  forward", "  loss", "  backward",
                                        "  optimizer"};
    static const char *const convs[] = {"convolutions alone, forward", "  data's gradients",
                                        "  weights' gradients"};
    const lp_optim_options o = {1, 1e-5, 0.9};
    int threads = lp_machine_threads(), i, s, n = 0, code = 1;
    size_t plane = (size_t)SIDE * SIDE * BATCH;
    float *x = malloc(2 * plane * sizeof *x), *target = malloc(3 * plane * sizeof *x);
    float *y = malloc(3 * plane * sizeof *x), *d_y = malloc(3 * plane * sizeof *x);
    moment conv[2][3] = {{{0, 0}}};
    lp_train_set set = {0};
    kind kinds[2] = {{0}};
    lp_err err = {LP_ENOMEM, "out of memory"};

    if (!x || !target || !y || !d_y || discs(&set, &err)) goto done;
    for (i = 0; i < 2; i++) {
        kind *k = &kinds[n];

        k->name = i ? "bf16" : "fp32";
        if ((argc > 1 && strcmp(argv[1], k->name)) || (i && !lp_onednn_has_bf16())) continue;
        n++;
        if (lp_train_init(nbase, 5, 30, 0, &k->w, &err) ||
            lp_tnet_new(k->w, i, BATCH, SIDE, SIDE, threads, 0, &k->net, &err) ||
            lp_optim_new(k->w, &o, &k->optim, &err))
            goto done;
    }
    for (s = 0; s <= STEPS; s++)
        for (i = 0; i < n; i++)
            if (step(&kinds[i], &set, s, x, target, y, d_y, &err)) goto done;
    for (i = 0; i < n; i++) lp_tnet_free(&kinds[i].net);
    for (i = 0; i < n; i++)
        if (convolutions(!strcmp(kinds[i].name, "bf16"), threads, conv[i], &err)) goto done;
    printf("training, %d x %d x %d, %d threads%s; best of %d steps, ms\n%-30s", BATCH, SIDE, SIDE,
           threads, lp_onednn_has_amx() ? ", AMX" : "", STEPS, "");
    for (i = 0; i < n; i++) printf("%9s %9s", kinds[i].name, "processor");
    printf("\n");
    print("first step", n, kinds[0].first, kinds[1].first);
    print("step", n, kinds[0].step, kinds[1].step);
    for (i = 0; i < PARTS; i++) {
        print(names[i], n, kinds[0].best[i], kinds[1].best[i]);
    }
    for (i = 0; i < 3; i++) print(convs[i], n, conv[0][i], conv[1][i]);
    for (i = 0; i < n; i++)
        printf("%s: %.2f images/s\n", kinds[i].name, BATCH / kinds[i].step.wall);
    code = 0;
done:
    if (code) fprintf(stderr, "bench_train: %s\n", err.msg);
    for (i = 0; i < 2; i++) {
        lp_tnet_free(&kinds[i].net);
        lp_optim_free(&kinds[i].optim);
        lp_weights_free(&kinds[i].w);
    }
    lp_train_set_free(&set);
    free(x);
    free(target);
    free(y);
    free(d_y);
    return code;
}
