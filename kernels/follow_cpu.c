/* follow - tuned for CPUs.
 *
 * Points are taken in square tiles, so that the part of the flows that they cross stays in
 * cache for all of their steps. The flows are stored as y, x pairs with one row and column
 * repeated at the far edges: the four corners are then two loads and need no clamping.
 * Positions are functions of the position before, so a position seen again (bit for bit) is
 * a cycle, of length 1 at a fixed point; the steps that remain are taken modulo its length.
 * The position is compared with the one at the last power of two (Brent's method). */
#include "follow.h"

#include <math.h>
#include <string.h>

#include "simd.h"

#define TILE 32

typedef float v4f __attribute__((vector_size(16)));
typedef double v4d __attribute__((vector_size(32)));

typedef struct {
    float y, x;
} point;

/* What the points of a call share. */
typedef struct {
    const float *pairs; /* [Ly + 1][Lx + 1][2] */
    int Ly, Lx, niter, interp;
} field;

/* The points of a tile that still move. */
typedef struct {
    point p[TILE * TILE], mark[TILE * TILE]; /* mark: the position at step `marked` */
    uint32_t pixel[TILE * TILE];
    int n;
} batch;

size_t lp_follow_scratch(int Ly, int Lx)
{
    return ((size_t)Ly + 1) * ((size_t)Lx + 1) * sizeof(point);
}

LP_SIMD
static void pair_row(float *out, const float *fy, const float *fx, const float *cellprob, int Lx,
                     float threshold)
{
    int x;

    for (x = 0; x < Lx; x++) {
        float y = cellprob[x] > threshold && fabsf(fy[x]) < INFINITY ? fy[x] : 0;
        float z = cellprob[x] > threshold && fabsf(fx[x]) < INFINITY ? fx[x] : 0;

        out[2 * x] = y / 5.0f;
        out[2 * x + 1] = z / 5.0f;
    }
    out[2 * Lx] = out[2 * Lx - 2];
    out[2 * Lx + 1] = out[2 * Lx - 1];
}

/* One step of n points. The order of the four products and their sum is that of
 * follow_ref.c. */
LP_SIMD
static void step_interp(point *p, int n, const field *f)
{
    const size_t stride = 2 * ((size_t)f->Lx + 1);
    const float hy = (float)(f->Ly - 1), hx = (float)(f->Lx - 1);
    int i;

    for (i = 0; i < n; i++) {
        float py = p[i].y, px = p[i].x;
        int y0 = (int)py, x0 = (int)px;
        const float *a = f->pairs + (size_t)y0 * stride + 2 * (size_t)x0;
        float y = py - (float)y0, x = px - (float)x0;
        double x_ = 1 - (double)x;
        v4d wtop = {x_, x_, x, x}, wbot = {x_, x_, 1, 1}, top, bot;
        v4f fbot = {1, 1, x, x}, ra, rb;
        double sy, sx;

        memcpy(&ra, a, sizeof ra);
        memcpy(&rb, a + stride, sizeof rb);
        top = __builtin_convertvector(ra, v4d) * (1 - (double)y) * wtop;
        bot = __builtin_convertvector(rb * y * fbot, v4d) * wbot;
        sy = top[0] + top[2] + bot[0] + bot[2];
        sx = top[1] + top[3] + bot[1] + bot[3];
        py += (float)sy;
        px += (float)sx;
        py = py > 0 ? py : 0;
        px = px > 0 ? px : 0;
        p[i].y = py < hy ? py : hy;
        p[i].x = px < hx ? px : hx;
    }
}

LP_SIMD
static void step_nearest(point *p, int n, const field *f)
{
    const size_t stride = 2 * ((size_t)f->Lx + 1);
    const float hy = (float)(f->Ly - 1), hx = (float)(f->Lx - 1);
    int i;

    for (i = 0; i < n; i++) {
        const float *a = f->pairs + (size_t)(int)p[i].y * stride + 2 * (size_t)(int)p[i].x;
        float py = p[i].y + a[0], px = p[i].x + a[1];

        py = py > 0 ? py : 0;
        px = px > 0 ? px : 0;
        p[i].y = py < hy ? py : hy;
        p[i].x = px < hx ? px : hx;
    }
}

static void step(point *p, int n, const field *f)
{
    if (f->interp)
        step_interp(p, n, f);
    else
        step_nearest(p, n, f);
}

static int same(const point *a, const point *b)
{
    return a->y == b->y && a->x == b->x;
}

static void arrive(uint32_t *end, float *p, const point *at, uint32_t pixel, const field *f)
{
    end[pixel] = (uint32_t)((int64_t)at->y * f->Lx + (int64_t)at->x);
    if (p) {
        p[pixel] = at->y;
        p[(size_t)f->Ly * f->Lx + pixel] = at->x;
    }
}

static void follow_batch(batch *b, uint32_t *end, float *p, const field *f)
{
    int t, i, marked = 0;

    memcpy(b->mark, b->p, sizeof b->p);
    for (t = 1; t <= f->niter && b->n; t++) {
        int left = 0;

        step(b->p, b->n, f);
        for (i = 0; i < b->n; i++) {
            if (same(b->p + i, b->mark + i)) {
                int rest = (f->niter - t) % (t - marked);

                while (rest--) step(b->p + i, 1, f);
                arrive(end, p, b->p + i, b->pixel[i], f);
                continue;
            }
            b->p[left] = b->p[i];
            b->mark[left] = b->mark[i];
            b->pixel[left++] = b->pixel[i];
        }
        b->n = left;
        if ((t & (t - 1)) == 0) {
            memcpy(b->mark, b->p, (size_t)b->n * sizeof b->p[0]);
            marked = t;
        }
    }
    for (i = 0; i < b->n; i++) arrive(end, p, b->p + i, b->pixel[i], f);
}

static void follow_tile(uint32_t *end, float *p, const float *cellprob, float threshold,
                        const field *f, int ty, int tx)
{
    int y1 = ty + TILE < f->Ly ? ty + TILE : f->Ly, x1 = tx + TILE < f->Lx ? tx + TILE : f->Lx;
    int y, x;
    batch b;

    b.n = 0;
    for (y = ty; y < y1; y++)
        for (x = tx; x < x1; x++) {
            size_t i = (size_t)y * f->Lx + x;

            end[i] = LP_FOLLOW_NONE;
            if (!(cellprob[i] > threshold)) continue;
            b.p[b.n] = (point){(float)y, (float)x};
            b.pixel[b.n++] = (uint32_t)i;
        }
    if (b.n) follow_batch(&b, end, p, f);
}

void lp_follow_cpu(uint32_t *end, float *p, const float *flows, const float *cellprob, int Ly,
                   int Lx, double cellprob_threshold, int niter, int interp, void *scratch)
{
    const field f = {scratch, Ly, Lx, niter, interp};
    const float threshold = (float)cellprob_threshold;
    const size_t plane = (size_t)Ly * Lx, stride = 2 * ((size_t)Lx + 1);
    const int nty = (Ly + TILE - 1) / TILE, ntx = (Lx + TILE - 1) / TILE;
    float *pairs = scratch;
    int64_t k;
    int y;

#pragma omp parallel for schedule(static)
    for (y = 0; y < Ly; y++) {
        const float *fy = flows + (size_t)y * Lx;

        pair_row(pairs + y * stride, fy, fy + plane, cellprob + (size_t)y * Lx, Lx, threshold);
    }
    memcpy(pairs + Ly * stride, pairs + (Ly - 1) * stride, stride * sizeof *pairs);
#pragma omp parallel for schedule(dynamic, 1)
    for (k = 0; k < (int64_t)nty * ntx; k++)
        follow_tile(end, p, cellprob, threshold, &f, (int)(k / ntx) * TILE, (int)(k % ntx) * TILE);
}
