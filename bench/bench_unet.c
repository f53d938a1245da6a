/* bench_unet - the U-Net alone: milliseconds per tile and GFLOP/s.
 *
 *     build/bench/bench_unet --model m.h5 [--precision fp32|bf16] [--threads T] [--tiles 8]
 *                            [--bsize 224] [--rounds 5] [--out y.raw] [--json]
 *
 * The tiles are fixed noise, so that any other program can be given the same (see
 * lp_bench_tiles in compare_cellpose.py); one uncounted run comes first. FLOPs are those of
 * the plain 3x3 convolutions, whatever algorithm computes them, so Winograd may exceed the
 * machine's peak. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host/unet_cpu.h"
#include "../weights/weights.h"

typedef struct {
    const char *model, *precision, *out;
    int threads, tiles, bsize, rounds, json;
} args;

/* Multiplications and additions of all convolutions of one tile (Cellpose resnet_torch.py). */
static double tile_flop(const lp_weights *w, int bsize)
{
    double macs = 0, k2 = (double)w->sz * w->sz;
    int levels = w->n_nbase - 1, l;

    for (l = 0; l < levels; l++) {
        double side = bsize >> l, c = w->nbase[l + 1], cin = w->nbase[l];
        double cup = l + 1 < levels ? w->nbase[l + 2] : c;

        macs += side * side * (k2 * c * (cin + 3 * c) + cin * c);
        macs += side * side * (k2 * c * (cup + 3 * c) + cup * c);
    }
    macs += (double)bsize * bsize * w->nbase[1] * w->nout;
    return 2 * macs;
}

/* x [n] in [0, 1): a linear congruential generator's top 24 bits. */
static void fill(float *x, size_t n)
{
    uint64_t s = 1;
    size_t i;

    for (i = 0; i < n; i++) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        x[i] = (float)(s >> 40) / 16777216.0f;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static int parse(args *a, int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++) {
        const char *v = i + 1 < argc ? argv[i + 1] : NULL;

        if (!strcmp(argv[i], "--json")) {
            a->json = 1;
            continue;
        }
        if (!v) return 0;
        if (!strcmp(argv[i], "--model"))
            a->model = v;
        else if (!strcmp(argv[i], "--precision"))
            a->precision = v;
        else if (!strcmp(argv[i], "--out"))
            a->out = v;
        else if (!strcmp(argv[i], "--threads"))
            a->threads = atoi(v);
        else if (!strcmp(argv[i], "--tiles"))
            a->tiles = atoi(v);
        else if (!strcmp(argv[i], "--bsize"))
            a->bsize = atoi(v);
        else if (!strcmp(argv[i], "--rounds"))
            a->rounds = atoi(v);
        else
            return 0;
        i++;
    }
    return a->model && a->threads > 0 && a->tiles > 0 && a->bsize > 0 && a->bsize <= 4096 &&
           a->rounds > 0;
}

static lp_status bench(const args *a, const lp_weights *w, int bf16, lp_err *err)
{
    size_t pix = (size_t)a->bsize * a->bsize, nx = a->tiles * w->nbase[0] * pix;
    size_t ny = a->tiles * w->nout * pix;
    float *x = malloc(nx * sizeof *x), *y = malloc(ny * sizeof *y);
    float *styles = malloc((size_t)a->tiles * LP_MAX_WIDTH * sizeof *styles);
    double *seconds = malloc((size_t)a->rounds * sizeof *seconds), t, made, first, s;
    lp_unet_work *work = NULL;
    lp_unet *net = NULL;
    FILE *f = NULL;
    lp_status st;
    int r;

    if (!x || !y || !styles || !seconds) {
        st = lp_fail_mem(err, "tiles", (double)(nx + ny) * sizeof *x);
        goto done;
    }
    fill(x, nx);
    t = omp_get_wtime();
    if ((st = lp_unet_new(w, bf16, a->threads, &net, err))) goto done;
    if ((st = lp_unet_work_new(a->threads, &work, err))) goto done;
    made = omp_get_wtime() - t;
    t = omp_get_wtime();
    if ((st = lp_unet_run(net, work, x, a->tiles, a->bsize, a->bsize, y, styles, err))) goto done;
    first = omp_get_wtime() - t;
    for (r = 0; r < a->rounds; r++) {
        t = omp_get_wtime();
        st = lp_unet_run(net, work, x, a->tiles, a->bsize, a->bsize, y, styles, err);
        if (st) goto done;
        seconds[r] = omp_get_wtime() - t;
    }
    qsort(seconds, (size_t)a->rounds, sizeof *seconds, compare);
    s = seconds[a->rounds / 2];
    if (a->json)
        printf("{\"precision\": \"%s\", \"threads\": %d, \"tiles\": %d, \"bsize\": %d, "
               "\"seconds\": %.6f, \"fastest\": %.6f, \"gflop_per_tile\": %.3f, "
               "\"load_s\": %.4f, \"first_s\": %.4f}\n",
               bf16 ? "bf16" : "fp32", a->threads, a->tiles, a->bsize, s, seconds[0],
               tile_flop(w, a->bsize) / 1e9, made, first);
    else
        printf("unet %s  %d thread%s  %d tiles of %d x %d: %6.1f ms/tile  %6.0f GFLOP/s  "
               "(load %.0f ms, first run %.0f ms)\n",
               bf16 ? "bf16" : "fp32", a->threads, a->threads == 1 ? " " : "s", a->tiles, a->bsize,
               a->bsize, 1e3 * s / a->tiles, tile_flop(w, a->bsize) * a->tiles / s / 1e9,
               1e3 * made, 1e3 * first);
    if (a->out) {
        f = fopen(a->out, "wb");
        if (!f || fwrite(y, sizeof *y, ny, f) != ny) {
            st = lp_fail(err, LP_EIO, "%s: cannot be written", a->out);
            goto done;
        }
    }
done:
    if (f) fclose(f);
    lp_unet_work_free(&work);
    lp_unet_free(&net);
    free(x);
    free(y);
    free(styles);
    free(seconds);
    return st;
}

int main(int argc, char **argv)
{
    args a = {.threads = omp_get_max_threads(), .tiles = 8, .bsize = 224, .rounds = 5};
    lp_weights *w = NULL;
    lp_err err = {0};
    lp_status st;
    int bf16;

    if (!parse(&a, argc, argv)) {
        fprintf(stderr, "usage: bench_unet --model FILE [--precision fp32|bf16] [--threads T] "
                        "[--tiles N] [--bsize PX] [--rounds N] [--out FILE] [--json]\n");
        return 2;
    }
    if (!(st = lp_weights_open(a.model, &w, &err)))
        for (bf16 = 0; bf16 < 2 && !st; bf16++)
            if (!a.precision || !strcmp(a.precision, bf16 ? "bf16" : "fp32"))
                st = bench(&a, w, bf16, &err);
    lp_weights_free(&w);
    if (st) fprintf(stderr, "bench_unet: %s\n", err.msg);
    return st ? 1 : 0;
}
