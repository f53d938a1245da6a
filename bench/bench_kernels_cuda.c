/* bench_kernels_cuda - the kernels of the U-Net one by one on a GPU: microseconds per tile,
 * TFLOP/s and GB/s of every layer of Cellpose's network.
 *
 *     build/bench/bench_kernels_cuda [--tiles 64] [--bsize 224] [--rounds 20] [--precision bf16]
 *                                    [--conv own]
 *
 * The median of the rounds, after an uncounted one. FLOPs are those of plain 3x3 and 1x1
 * convolutions, whatever algorithm computes them; bytes are those of each input and output once.
 * `rows` 7 and 4 are the two shapes of a warp (kernels/conv.h); * is the kernel's own choice.
 * `cudnn` is the same layer with the convolutions of NVIDIA's cuDNN, where that is installed, and
 * our kernels before and after them; `sums` is the part of it that cuDNN computes. `fused` is the
 * layer as cuDNN computes it with what stands before and after a convolution in the same kernel
 * (cudnn_graph.h), the fastest of its plans; what none of its engines takes is a kernel of ours
 * before it, or left out of the time and named. Values are zeros, which cost as much as any others
 * in time, but less in power. --conv own leaves cuDNN out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime_api.h>

#include "../host/cudnn_cuda.h"
#include "cudnn_graph.h"
#include "../kernels/conv.h"
#include "../kernels/conv_steps.h"
#include "../kernels/first.h"
#include "../kernels/style.h"

enum { LEVELS = 4, NIN = 2, NOUT = 3, MAX_ROUNDS = 1000 };
static const int width[LEVELS] = {32, 64, 128, 256};

typedef struct {
    int tiles, bsize, rounds, bf16;
    char *d;  /* activations: four regions, which layers share */
    float *f; /* all small float32 arrays: the same zeros */
    void *k;  /* weights */
    size_t region;
    cudaEvent_t from, to;
    lp_cudnn *cudnn;      /* NULL: not installed */
    cudnn_graphs *graphs; /* NULL: not measured */
    void *scratch;
    double own_ms, cudnn_ms, fused_ms; /* of all convolutions */
    int unfused;                       /* layers for which there is no such time */
} bench;

static void check(int e, const char *what)
{
    if (!e) return;
    fprintf(stderr, "bench_kernels_cuda: %s: %s\n", what, cudaGetErrorString((cudaError_t)e));
    exit(1);
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return x < y ? -1 : x > y;
}

/* Times one launch; `run` is a statement whose value is its error. Sets ms. */
#define TIME(b, ms, run)                                                                           \
    do {                                                                                           \
        float t_[MAX_ROUNDS];                                                                      \
        int r_;                                                                                    \
        for (r_ = -1; r_ < (b)->rounds; r_++) {                                                    \
            check(cudaEventRecord((b)->from, NULL), "event");                                      \
            check(run, "launch");                                                                  \
            check(cudaEventRecord((b)->to, NULL), "event");                                        \
            check(cudaEventSynchronize((b)->to), "kernel");                                        \
            if (r_ >= 0) check(cudaEventElapsedTime(&t_[r_], (b)->from, (b)->to), "event");        \
        }                                                                                          \
        qsort(t_, (size_t)(b)->rounds, sizeof *t_, compare);                                       \
        ms = t_[(b)->rounds / 2];                                                                  \
    } while (0)

static void line(const bench *b, const char *name, const char *rows, double ms, double flop,
                 double bytes)
{
    printf("%-14s %-5s %9.3f us/tile %8.1f TFLOP/s %8.0f GB/s\n", name, rows, 1e3 * ms / b->tiles,
           flop / ms * 1e-9, bytes / ms * 1e-6);
}

static void *region(const bench *b, int i)
{
    return b->d + (size_t)i * b->region;
}

/* The best plan of a layer; -1 where there is no engine for it. */
static double best_plan(bench *b, const cudnn_layer *l)
{
    cudnn_fused *f = NULL;
    double best = -1, ms;
    lp_err err;
    int i;

    if (cudnn_fused_new(b->graphs, l, b->scratch, LP_CUDNN_WORK, &f, &err)) return -1;
    for (i = 0; i < cudnn_fused_plans(f); i++) {
        if (cudnn_fused_run(f, i)) continue;
        TIME(b, ms, cudnn_fused_run(f, i));
        if (best < 0 || ms < best) best = ms;
    }
    cudnn_fused_free(&f);
    return best;
}

/* The best plan of l, which reads an activation of `in`: with scale and ReLU in it, or, where that
 * has no engine or the activation must be doubled, after a kernel of ours. */
static double with_input(bench *b, cudnn_layer l, const lp_conv_call *in, const char **how)
{
    char *made = (char *)b->scratch + LP_CUDNN_WORK;
    double ms = in->up ? -1 : best_plan(b, &l), before;

    if (ms >= 0 || !(in->up || in->scale)) return ms;
    l.x = made;
    l.scale = l.shift = NULL;
    if ((ms = best_plan(b, &l)) < 0) return -1;
    TIME(b, before, lp_conv_before_cuda(made, in, b->bf16, NULL));
    *how = in->up ? ", doubled before" : ", ReLU before";
    return ms + before;
}

static int said(const bench *b, int e)
{
    if (e < 0) fprintf(stderr, "bench_kernels_cuda: %s\n", lp_cudnn_error(b->cudnn));
    return e;
}

/* The sums of products of a layer: 3x3, and 1x1 of the projection. */
static int sums(bench *b, const lp_conv_call *c)
{
    char *work = b->scratch, *y = work + LP_CUDNN_WORK;
    int e = lp_cudnn_sum(b->cudnn, c->n, c->h, c->w, c->cin, c->cout, 9, b->bf16, region(b, 0),
                         c->k, 0, y, work, NULL);

    if (e || !c->p) return e;
    return lp_cudnn_sum(b->cudnn, c->n, c->h, c->w, c->cp, c->cout, 1, b->bf16, region(b, 0), c->pk,
                        1, y, work, NULL);
}

/* c as cuDNN's own kernels: the 3x3 convolution, and the projection as another that is added. */
static void fused(bench *b, const char *name, const lp_conv_call *c, double flop, double bytes)
{
    cudnn_layer l = {.n = c->n, .h = c->h, .w = c->w, .cin = c->cin, .cout = c->cout, .side = 3};
    lp_conv_call p = {.n = c->n, .h = c->h, .w = c->w, .x = c->p, .cin = c->cp, .up = c->p_up};
    const char *how = "", *also = "";
    double ms, more = 0;

    l.x = c->x;
    l.k = c->k;
    l.scale = c->scale;
    l.shift = c->shift;
    l.b = c->b;
    l.res = c->res;
    l.scale2 = c->scale2;
    l.shift2 = c->shift2;
    l.relu = c->relu;
    l.y = c->y ? c->y : region(b, 3);
    ms = with_input(b, l, c, &how);
    if (c->p) {
        cudnn_layer q = {.n = c->n, .h = c->h, .w = c->w, .cin = c->cp, .cout = c->cout, .side = 1};

        q.x = c->p;
        q.k = c->pk;
        q.res = l.y;
        q.y = region(b, 3);
        more = with_input(b, q, &p, &also);
    }
    if (ms < 0 || more < 0) {
        printf("%-14s fused no such engine\n", name);
        b->unfused++;
        return;
    }
    line(b, name, "fused", ms + more, flop, bytes);
    printf("%20s%s%s%s%s%s%s\n", "", "(cuDNN", how, also, c->pool ? ", no pool" : "",
           c->nimg ? ", no image" : "", c->out ? ", no output)" : ")");
    b->fused_ms += ms + more;
}

/* Every shape of the convolution; returns the time of the kernel's own choice. */
static double convolution(bench *b, const char *name, lp_conv_call *c)
{
    static const int rows[3] = {0, 7, 4};
    static const char *text[3] = {"*", "7", "4"};
    double px = (double)c->n * c->h * c->w, elem = b->bf16 ? 2 : 4, ms, own = 0;
    double flop = 2 * px * c->cout * (9.0 * c->cin + (c->p ? c->cp : c->nimg));
    double bytes =
        px * elem *
        ((double)c->cin / (c->up ? 4 : 1) + (c->y ? c->cout : 0) + (c->res ? c->cout : 0) +
         (c->p ? (double)c->cp / (c->p_up ? 4 : 1) : 0) + (c->pool ? c->cout / 4.0 : 0));
    int i;

    bytes += px * 4 * (c->nimg + (c->out ? c->nout : 0));
    for (i = 0; i < (b->bf16 ? 3 : 1); i++) {
        c->rows = rows[i];
        TIME(b, ms, lp_conv_cuda(c, b->bf16, NULL));
        line(b, name, text[i], ms, flop, bytes);
        if (i == 0) own = ms;
    }
    b->own_ms += own;
    if (b->cudnn) {
        TIME(b, ms, said(b, lp_cudnn_conv(b->cudnn, c, b->bf16, b->scratch, NULL)));
        line(b, name, "cudnn", ms, flop, bytes);
        b->cudnn_ms += ms;
        TIME(b, ms, said(b, sums(b, c)));
        line(b, name, "sums", ms, flop, bytes);
    }
    if (b->graphs) fused(b, name, c, flop, bytes);
    return own;
}

/* The sequence of host/unet_cuda.c. */
static double encoder(bench *b, int l)
{
    lp_conv_call c = {.n = b->tiles, .h = b->bsize >> l, .w = b->bsize >> l, .cout = width[l]}, k;
    char name[32];
    double sum = 0, ms;

    c.b = b->f;
    c.k = b->k;
    if (l == 0) {
        double px = (double)c.n * c.h * c.w;

        TIME(b, ms,
             lp_first_cuda(region(b, 1), b->f, b->f, b->f, b->f, b->f, c.n, NIN, c.h, c.w, c.cout,
                           b->bf16, NULL));
        line(b, "down0 first", "", ms, 2 * px * 9 * NIN * c.cout,
             px * (4 * NIN + c.cout * (b->bf16 ? 2 : 4)));
        sum += ms;
    } else {
        k = c;
        k.cin = width[l - 1];
        k.x = region(b, 0);
        k.scale = k.shift = b->f;
        k.relu = 1;
        k.y = region(b, 1);
        snprintf(name, sizeof name, "down%d conv0", l);
        sum += convolution(b, name, &k);
    }
    c.cin = width[l];
    k = c;
    k.x = region(b, 1);
    if (l == 0) {
        k.img = k.img_k = b->f;
        k.nimg = NIN;
    } else {
        k.p = region(b, 0);
        k.cp = width[l - 1];
        k.pk = b->k;
    }
    k.y = region(b, 2);
    snprintf(name, sizeof name, "down%d conv1", l);
    sum += convolution(b, name, &k);
    k = c;
    k.x = region(b, 2);
    k.scale = k.shift = b->f;
    k.relu = 1;
    k.y = region(b, 1);
    snprintf(name, sizeof name, "down%d conv2", l);
    sum += convolution(b, name, &k);
    k = c;
    k.x = region(b, 1);
    k.res = k.y = region(b, 2);
    k.pool = l + 1 < LEVELS ? region(b, 3) : NULL;
    snprintf(name, sizeof name, "down%d conv3", l);
    return sum + convolution(b, name, &k);
}

static double decoder(bench *b, int l)
{
    int deepest = l + 1 == LEVELS;
    lp_conv_call c = {.n = b->tiles, .h = b->bsize >> l, .w = b->bsize >> l, .cout = width[l]}, k;
    char name[32];
    double sum = 0;

    c.b = b->f;
    c.k = b->k;
    c.cin = width[l];
    k = c;
    k.cin = deepest ? width[l] : width[l + 1];
    k.x = region(b, 0);
    k.up = !deepest;
    k.scale = k.shift = k.scale2 = k.shift2 = b->f;
    k.res = region(b, 2);
    k.relu = 1;
    k.y = region(b, 1);
    snprintf(name, sizeof name, "up%d conv0", l);
    sum += convolution(b, name, &k);
    k = c;
    k.x = region(b, 1);
    k.p = region(b, 0);
    k.cp = deepest ? width[l] : width[l + 1];
    k.p_up = !deepest;
    k.pk = b->k;
    k.y = region(b, 2);
    snprintf(name, sizeof name, "up%d conv1", l);
    sum += convolution(b, name, &k);
    k = c;
    k.x = region(b, 2);
    k.scale = k.shift = b->f;
    k.relu = 1;
    k.y = region(b, 1);
    snprintf(name, sizeof name, "up%d conv2", l);
    sum += convolution(b, name, &k);
    k = c;
    k.x = region(b, 1);
    k.res = region(b, 2);
    if (l == 0) {
        k.out = b->f;
        k.nout = NOUT;
        k.out_scale = k.out_shift = k.out_k = k.out_b = b->f;
    } else {
        k.y = region(b, 2);
    }
    snprintf(name, sizeof name, "up%d conv3", l);
    return sum + convolution(b, name, &k);
}

static double style(bench *b)
{
    int side = b->bsize >> (LEVELS - 1), S = width[LEVELS - 1], rows = 3 * (32 + 64 + 128 + 256);
    double ms, sum;

    TIME(b, ms, lp_style_cuda(b->f, region(b, 0), b->tiles, side, side, S, S, b->bf16, NULL));
    line(b, "style", "", ms, 0, (double)b->tiles * side * side * S * (b->bf16 ? 2 : 4));
    sum = ms;
    TIME(b, ms,
         lp_style_shifts_cuda(region(b, 1), b->f, b->f, b->f, b->f, b->f, b->tiles, rows, S, NULL));
    line(b, "style shifts", "", ms, 2.0 * b->tiles * rows * S, (double)rows * S * 4);
    return sum + ms;
}

static int number(const char *v)
{
    int n = atoi(v);

    if (n < 1) {
        fprintf(stderr, "bench_kernels_cuda: %s is no number above 0\n", v);
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    bench b = {.tiles = 64, .bsize = 224, .rounds = 20, .bf16 = 1};
    struct cudaDeviceProp p;
    size_t px, floats, weights = lp_conv_packed(256, 256, 16, 0);
    double sum = 0;
    size_t widest;
    lp_err err;
    int i, l, own = 0;

    for (i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--tiles"))
            b.tiles = number(argv[i + 1]);
        else if (!strcmp(argv[i], "--bsize"))
            b.bsize = number(argv[i + 1]) / 16 * 16;
        else if (!strcmp(argv[i], "--rounds"))
            b.rounds = number(argv[i + 1]) < MAX_ROUNDS ? number(argv[i + 1]) : MAX_ROUNDS;
        else if (!strcmp(argv[i], "--precision"))
            b.bf16 = strcmp(argv[i + 1], "fp32") != 0;
        else if (!strcmp(argv[i], "--conv"))
            own = !strcmp(argv[i + 1], "own");
        else
            break;
    }
    if (i < argc || b.bsize < 16) {
        fprintf(stderr, "usage: bench_kernels_cuda [--tiles N] [--bsize 224] [--rounds 20] "
                        "[--precision bf16|fp32] [--conv own|all]\n");
        return 2;
    }
    px = (size_t)b.tiles * (size_t)b.bsize * (size_t)b.bsize;
    floats = px * 4 + (size_t)2048 * 256;
    b.region = (px * 32 * 4 + 255) / 256 * 256;
    check(cudaGetDeviceProperties(&p, 0), "no device");
    check(cudaMalloc((void **)&b.d, 4 * b.region), "memory");
    check(cudaMalloc((void **)&b.f, floats * sizeof(float)), "memory");
    check(cudaMalloc(&b.k, weights), "memory");
    check(cudaMemset(b.d, 0, 4 * b.region), "memory");
    check(cudaMemset(b.f, 0, floats * sizeof(float)), "memory");
    check(cudaMemset(b.k, 0, weights), "memory");
    /* The most that a layer wants: doubled to twice the channels, or with a projection of these. */
    widest = lp_cudnn_scratch(
        &(lp_conv_call){
            .n = b.tiles, .h = b.bsize, .w = b.bsize, .cin = 2 * width[0], .cout = width[0]},
        b.bf16);
    if (own)
        printf("cuDNN is not measured: --conv own\n");
    else if (lp_cudnn_open(LP_CUDNN_LIBRARY, &b.cudnn, &err))
        printf("cuDNN is not measured: %s\n", err.msg);
    else
        check(cudaMalloc(&b.scratch, widest), "memory");
    if (b.cudnn && b.bf16 && cudnn_graphs_open(LP_CUDNN_LIBRARY, &b.graphs, &err))
        printf("cuDNN's fused kernels are not measured: %s\n", err.msg);
    check(cudaEventCreate(&b.from), "event");
    check(cudaEventCreate(&b.to), "event");
    printf("%s, %d tiles of %d x %d, %s\n", p.name, b.tiles, b.bsize, b.bsize,
           b.bf16 ? "bf16" : "fp32");
    for (l = 0; l < LEVELS; l++) sum += encoder(&b, l);
    sum += style(&b);
    for (l = LEVELS - 1; l >= 0; l--) sum += decoder(&b, l);
    printf("%-14s %-5s %9.3f us/tile %8.0f tiles/s\n", "sum of *", "", 1e3 * sum / b.tiles,
           1e3 * b.tiles / sum);
    if (b.cudnn)
        printf("%-14s %-5s %9.3f us/tile %8.0f tiles/s\n", "sum of cudnn", "",
               1e3 * (sum - b.own_ms + b.cudnn_ms) / b.tiles,
               1e3 * b.tiles / (sum - b.own_ms + b.cudnn_ms));
    if (b.graphs && b.unfused)
        printf("sum of fused: none, %d layers have no engine\n", b.unfused);
    else if (b.graphs)
        printf("%-14s %-5s %9.3f us/tile %8.0f tiles/s\n", "sum of fused", "",
               1e3 * (sum - b.own_ms + b.fused_ms) / b.tiles,
               1e3 * b.tiles / (sum - b.own_ms + b.fused_ms));
    cudnn_graphs_close(&b.graphs);
    lp_cudnn_close(&b.cudnn);
    cudaFree(b.scratch);
    cudaFree(b.d);
    cudaFree(b.f);
    cudaFree(b.k);
    return 0;
}
