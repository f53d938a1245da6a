/* follow - tuned for CPUs.
 *
 * Points are taken in square tiles, so that the part of the flows that they cross stays in
 * cache for all of their steps. The flows are stored as y, x pairs with one row and column
 * repeated at the far edges: the four corners are then two loads and need no clamping.
 * Positions are functions of the position before, so a position seen again (bit for bit) is
 * a cycle, of length 1 at a fixed point; the steps that remain are taken modulo its length.
 * It is compared with one earlier position, the mark, that is renewed at growing intervals, so
 * that cycles of any length are found in the end (after Brent).
 *
 * Where only the pixel of the end is wanted, a point is done as soon as it enters a pixel
 * that it cannot leave: position after a step is bilinear in the position before, so if a step
 * takes the four corners of a pixel well into it, it takes all points of it there. */
#include "follow.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "simd.h"

/* -DLP_NO_AVX512 builds what other CPUs run. */
#if defined(__x86_64__) && !defined(LP_NO_AVX512)
#define LP_AVX512
#endif

#define TILE 32

typedef float v4f __attribute__((vector_size(16)));
typedef double v4d __attribute__((vector_size(32)));

/* What the points of a call share. */
typedef struct {
    const float *pairs;  /* [Ly + 1][Lx + 1][2], y and x of a step */
    const uint8_t *trap; /* [Ly][Lx], 1: cannot be left; NULL if positions are wanted */
    int Ly, Lx, niter, interp;
} field;

/* The points of a tile that still move; arrays are read in whole vectors, the unused end
 * holds positions inside the image. */
typedef struct {
    float y[TILE * TILE], x[TILE * TILE];
    float mark_y[TILE * TILE], mark_x[TILE * TILE]; /* an earlier position */
    uint32_t pixel[TILE * TILE];
    int n;
} batch;

/* One step of all points of b. Returns whether some point is now at its mark. */
typedef int step_fn(batch *b, const field *f);

size_t lp_follow_scratch(int Ly, int Lx)
{
    return ((size_t)Ly + 1) * ((size_t)Lx + 1) * 2 * sizeof(float) + (size_t)Ly * Lx;
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

/* A step from a corner (0 or 1) ends in the pixel. The margin exceeds half the spacing of
 * float32 at LP_MAX_SIDE pixels, 1 / 128, and the rounding of the mean. */
#define INSIDE(corner, step) ((corner) + (step) > 0.02f && (corner) + (step) < 0.98f)

/* trap [Lx] of the row whose pairs are a; b are those of the next. */
LP_SIMD
static void trap_row(uint8_t *trap, const float *a, const float *b, int Lx)
{
    int x;

    for (x = 0; x < Lx - 1; x++) {
        const float *p = a + 2 * x, *q = b + 2 * x;

        trap[x] = INSIDE(0, p[0]) & INSIDE(0, p[1]) & INSIDE(0, p[2]) & INSIDE(1, p[3]) &
                  INSIDE(1, q[0]) & INSIDE(0, q[1]) & INSIDE(1, q[2]) & INSIDE(1, q[3]);
    }
    trap[Lx - 1] = 0;
}

/* One step of one point. The order of the products and of their sum is that of
 * follow_ref.c. */
static inline __attribute__((always_inline)) void step_interp(float *py, float *px, const field *f)
{
    const size_t stride = 2 * ((size_t)f->Lx + 1);
    const float hy = (float)(f->Ly - 1), hx = (float)(f->Lx - 1);
    int y0 = (int)*py, x0 = (int)*px;
    const float *a = f->pairs + (size_t)y0 * stride + 2 * (size_t)x0;
    float y = *py - (float)y0, x = *px - (float)x0, qy, qx;
    double x_ = 1 - (double)x;
    v4d wtop = {x_, x_, x, x}, wbot = {x_, x_, 1, 1}, top, bot;
    v4f fbot = {1, 1, x, x}, ra, rb;

    memcpy(&ra, a, sizeof ra);
    memcpy(&rb, a + stride, sizeof rb);
    top = __builtin_convertvector(ra, v4d) * (1 - (double)y) * wtop;
    bot = __builtin_convertvector(rb * y * fbot, v4d) * wbot;
    qy = *py + (float)(top[0] + top[2] + bot[0] + bot[2]);
    qx = *px + (float)(top[1] + top[3] + bot[1] + bot[3]);
    qy = qy > 0 ? qy : 0;
    qx = qx > 0 ? qx : 0;
    *py = qy < hy ? qy : hy;
    *px = qx < hx ? qx : hx;
}

static void step_nearest(float *py, float *px, const field *f)
{
    const size_t stride = 2 * ((size_t)f->Lx + 1);
    const float hy = (float)(f->Ly - 1), hx = (float)(f->Lx - 1);
    const float *a = f->pairs + (size_t)(int)*py * stride + 2 * (size_t)(int)*px;
    float qy = *py + a[0], qx = *px + a[1];

    qy = qy > 0 ? qy : 0;
    qx = qx > 0 ? qx : 0;
    *py = qy < hy ? qy : hy;
    *px = qx < hx ? qx : hx;
}

LP_SIMD
static int step_interp_any(batch *b, const field *f)
{
    int i, home = 0;

    for (i = 0; i < b->n; i++) {
        step_interp(b->y + i, b->x + i, f);
        home |= b->y[i] == b->mark_y[i] && b->x[i] == b->mark_x[i];
    }
    return home;
}

static int step_nearest_any(batch *b, const field *f)
{
    int i, home = 0;

    for (i = 0; i < b->n; i++) {
        step_nearest(b->y + i, b->x + i, f);
        home |= b->y[i] == b->mark_y[i] && b->x[i] == b->mark_x[i];
    }
    return home;
}

#if defined(LP_AVX512)
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

/* The two pairs at p of four points, one after the other. */
AVX512 static inline __m512 load4(const float *pairs, const uint32_t *at)
{
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(pairs + 2 * (size_t)at[0]));

    v = _mm512_insertf32x4(v, _mm_loadu_ps(pairs + 2 * (size_t)at[1]), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps(pairs + 2 * (size_t)at[2]), 2);
    return _mm512_insertf32x4(v, _mm_loadu_ps(pairs + 2 * (size_t)at[3]), 3);
}

AVX512 static inline __m512d low(__m512 v)
{
    return _mm512_cvtps_pd(_mm512_castps512_ps256(v));
}

AVX512 static inline __m512d high(__m512 v)
{
    return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1));
}

/* a * y_ * x_ + b * y_ * x + c * x_ + d, from the left, rounded to float32. */
AVX512 static inline __m256 mean(__m512d a, __m512d b, __m512d c, __m512d d, __m512d y_, __m512d x_,
                                 __m512d x)
{
    __m512d s = _mm512_mul_pd(_mm512_mul_pd(a, y_), x_);

    s = _mm512_add_pd(s, _mm512_mul_pd(_mm512_mul_pd(b, y_), x));
    s = _mm512_add_pd(s, _mm512_mul_pd(c, x_));
    return _mm512_cvtpd_ps(_mm512_add_pd(s, d));
}

AVX512 static inline __m512 twice(__m256 v)
{
    return _mm512_insertf32x8(_mm512_castps256_ps512(v), v, 1);
}

/* Eight points at a time. */
AVX512 static int step_interp_avx512(batch *b, const field *f)
{
    const __m512i left =
        _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
    const __m512i right = _mm512_add_epi32(left, _mm512_set1_epi32(2));
    const __m256 hy = _mm256_set1_ps((float)(f->Ly - 1)), hx = _mm256_set1_ps((float)(f->Lx - 1));
    const __m256i stride = _mm256_set1_epi32(f->Lx + 1);
    const __m512d one = _mm512_set1_pd(1);
    const float *top = f->pairs, *bottom = f->pairs + 2 * ((size_t)f->Lx + 1);
    unsigned home = 0;
    int i;

    for (i = 0; i < b->n; i += 8) {
        __m256 py = _mm256_loadu_ps(b->y + i), px = _mm256_loadu_ps(b->x + i);
        __m256i y0 = _mm256_cvttps_epi32(py), x0 = _mm256_cvttps_epi32(px);
        __m256 fy = _mm256_sub_ps(py, _mm256_cvtepi32_ps(y0));
        __m256 fx = _mm256_sub_ps(px, _mm256_cvtepi32_ps(x0));
        __m512d x = _mm512_cvtps_pd(fx), x_ = _mm512_sub_pd(one, x);
        __m512d y_ = _mm512_sub_pd(one, _mm512_cvtps_pd(fy));
        __m512 a, c, t0, t1, b0, b1;
        uint32_t at[8];

        _mm256_storeu_si256((__m256i *)at, _mm256_add_epi32(_mm256_mullo_epi32(y0, stride), x0));
        a = load4(top, at);
        c = load4(top, at + 4);
        t0 = _mm512_permutex2var_ps(a, left, c); /* y of 8 points, then x */
        t1 = _mm512_permutex2var_ps(a, right, c);
        a = load4(bottom, at);
        c = load4(bottom, at + 4);
        b0 = _mm512_mul_ps(_mm512_permutex2var_ps(a, left, c), twice(fy));
        b1 = _mm512_mul_ps(_mm512_permutex2var_ps(a, right, c), twice(fy));
        b1 = _mm512_mul_ps(b1, twice(fx));
        py = _mm256_add_ps(py, mean(low(t0), low(t1), low(b0), low(b1), y_, x_, x));
        px = _mm256_add_ps(px, mean(high(t0), high(t1), high(b0), high(b1), y_, x_, x));
        py = _mm256_min_ps(_mm256_max_ps(py, _mm256_setzero_ps()), hy);
        px = _mm256_min_ps(_mm256_max_ps(px, _mm256_setzero_ps()), hx);
        _mm256_storeu_ps(b->y + i, py);
        _mm256_storeu_ps(b->x + i, px);
        home |= _mm256_cmp_ps_mask(py, _mm256_loadu_ps(b->mark_y + i), _CMP_EQ_OQ) &
                _mm256_cmp_ps_mask(px, _mm256_loadu_ps(b->mark_x + i), _CMP_EQ_OQ);
    }
    return home != 0;
}
#endif

static step_fn *choose_step(int interp)
{
    if (!interp) return step_nearest_any;
#if defined(LP_AVX512)
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq"))
        return step_interp_avx512;
#endif
    return step_interp_any;
}

static void arrive(uint32_t *end, float *p, float y, float x, uint32_t pixel, const field *f)
{
    end[pixel] = (uint32_t)((int64_t)y * f->Lx + (int64_t)x);
    if (p) {
        p[pixel] = y;
        p[(size_t)f->Ly * f->Lx + pixel] = x;
    }
}

/* Takes out of b the points that are at their mark, `period` steps after it, and those that
 * are trapped. */
static void take_home(batch *b, int period, int steps_left, uint32_t *end, float *p, const field *f)
{
    int left = 0, i;

    for (i = 0; i < b->n; i++) {
        float y = b->y[i], x = b->x[i];
        int home = y == b->mark_y[i] && x == b->mark_x[i];

        if (home || (f->trap && f->trap[(size_t)(int)y * f->Lx + (size_t)(int)x])) {
            int rest = home ? steps_left % period : 0;

            for (; rest; rest--) (f->interp ? step_interp : step_nearest)(&y, &x, f);
            arrive(end, p, y, x, b->pixel[i], f);
            continue;
        }
        if (left < i) {
            b->y[left] = y;
            b->x[left] = x;
            b->mark_y[left] = b->mark_y[i];
            b->mark_x[left] = b->mark_x[i];
            b->pixel[left] = b->pixel[i];
        }
        left++;
    }
    b->n = left;
}

static void follow_batch(batch *b, uint32_t *end, float *p, const field *f, step_fn *step)
{
    int t, i, marked = 0, next = 1;

    for (t = 0; t < f->niter && b->n; t++) {
        if (t == next || t == 0) {
            memcpy(b->mark_y, b->y, (size_t)b->n * sizeof b->y[0]);
            memcpy(b->mark_x, b->x, (size_t)b->n * sizeof b->x[0]);
            marked = t;
            next = t + (t < 64 ? 8 : t / 8);
        }
        if (step(b, f) || (f->trap && t % 4 == 3))
            take_home(b, t + 1 - marked, f->niter - t - 1, end, p, f);
    }
    for (i = 0; i < b->n; i++) arrive(end, p, b->y[i], b->x[i], b->pixel[i], f);
}

static void follow_tile(uint32_t *end, float *p, const float *cellprob, float threshold,
                        const field *f, step_fn *step, int ty, int tx)
{
    int y1 = ty + TILE < f->Ly ? ty + TILE : f->Ly, x1 = tx + TILE < f->Lx ? tx + TILE : f->Lx;
    size_t i;
    int y, x;
    batch b;

    b.n = 0;
    for (y = ty; y < y1; y++)
        for (x = tx; x < x1; x++) {
            i = (size_t)y * f->Lx + x;
            end[i] = LP_FOLLOW_NONE;
            if (!(cellprob[i] > threshold)) continue;
            b.y[b.n] = (float)y;
            b.x[b.n] = (float)x;
            b.pixel[b.n++] = (uint32_t)i;
        }
    for (i = (size_t)b.n; i % 8; i++) b.y[i] = b.x[i] = b.mark_y[i] = b.mark_x[i] = 0;
    if (b.n) follow_batch(&b, end, p, f, step);
}

void lp_follow_cpu(uint32_t *end, float *p, const float *flows, const float *cellprob, int Ly,
                   int Lx, double cellprob_threshold, int niter, int interp, void *scratch)
{
    const size_t npairs = ((size_t)Ly + 1) * ((size_t)Lx + 1);
    uint8_t *trap = (uint8_t *)scratch + npairs * 2 * sizeof(float);
    const field f = {scratch, p || !interp ? NULL : trap, Ly, Lx, niter, interp};
    const float threshold = (float)cellprob_threshold;
    const size_t plane = (size_t)Ly * Lx, stride = 2 * ((size_t)Lx + 1);
    const int nty = (Ly + TILE - 1) / TILE, ntx = (Lx + TILE - 1) / TILE;
    step_fn *step = choose_step(interp);
    float *pairs = scratch;
    int64_t k;
    int y;

#pragma omp parallel for schedule(static)
    for (y = 0; y < Ly; y++) {
        const float *fy = flows + (size_t)y * Lx;

        pair_row(pairs + y * stride, fy, fy + plane, cellprob + (size_t)y * Lx, Lx, threshold);
    }
    memcpy(pairs + Ly * stride, pairs + (Ly - 1) * stride, stride * sizeof *pairs);
    for (y = 0; y < Lx; y++) trap[(size_t)(Ly - 1) * Lx + y] = 0;
#pragma omp parallel for schedule(static)
    for (y = 0; y < Ly - 1; y++)
        trap_row(trap + (size_t)y * Lx, pairs + y * stride, pairs + (y + 1) * stride, Lx);
#pragma omp parallel for schedule(dynamic, 1)
    for (k = 0; k < (int64_t)nty * ntx; k++)
        follow_tile(end, p, cellprob, threshold, &f, step, (int)(k / ntx) * TILE,
                    (int)(k % ntx) * TILE);
}
