/* diffuse - tuned for CPUs.
 *
 * Steps are done in blocks of up to MAX_LEVELS in one sweep down the rows, so that a large
 * mask passes through the cache once per block and not once per step: level s of the sweep
 * is the state after s steps and trails level s - 1 by one row; of each level only the last
 * eight rows exist. A sweep makes four rows of every level at a time.
 *
 *      level 0 = in   |                             (the heat before the block)
 *      level s        |  rows base - s .. + 3       ring [s - 1], row r at r & 7
 *      level k = out  |  rows base - k .. + 3       (the heat after k steps)
 *
 * Rows near the ends of a strip come out wrong, as far in as the levels have not seen
 * their neighbours; a strip is begun and ended that much further out. So strips of one
 * mask can be swept by different threads.
 *
 * The nine terms are added in Cellpose's order. A separable sum needs fewer additions, but
 * where the slope of T vanishes by symmetry, at the centre of a small round mask, rounding
 * decides whether the flow is 0 or has length 1, and that shows in the flow error. */
#include "diffuse.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "diffuse_step.h"
#include "simd.h"

#define MAX_LEVELS 8
#define RING 8                         /* rows of a level that are kept */
#define RING_BYTES ((size_t)768 << 10) /* of all levels together: about an L2 cache */
#define SMALL_BYTES ((size_t)24 << 10) /* heat that stays in L1 anyway */
#define ALIGN ((size_t)64)             /* bytes of a vector */
#define SHARED_COST 1e8                /* pixels times steps */

/* One mask, and the memory to work on it. */
typedef struct {
    int h, w, stride; /* of the box; doubles per row: a multiple of 8 above w */
    int cy, cx;       /* where heat is added */
    int64_t niter;
    int levels;       /* steps in a block */
    double *T, *next; /* [h][stride] */
    uint8_t *mask;    /* [h][stride], 1 in the mask */
} job;

/* What each thread has of its own. */
typedef struct {
    double *zero, *waste; /* [stride] */
    double *ring;         /* [levels - 1][RING][stride] */
    uint8_t *no_mask;     /* [stride], 0 */
} bench;

typedef struct {
    double cost;
    uint32_t label;
} order;

static size_t aligned(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static void shape_job(job *j, const lp_label_info *f)
{
    size_t ring;

    j->h = f->y1 - f->y0;
    j->w = f->x1 - f->x0;
    j->stride = j->w / 8 * 8 + 8;
    j->niter = 2 * ((int64_t)j->h + j->w + 4);
    ring = RING * (size_t)j->stride * sizeof(double);
    j->levels = (int)(RING_BYTES / ring);
    if (j->levels > MAX_LEVELS) j->levels = MAX_LEVELS;
    if (j->levels < 2) j->levels = 2;
    if ((size_t)j->h * j->stride * sizeof(double) <= SMALL_BYTES) j->levels = 1;
}

static double job_cost(const lp_label_info *f)
{
    job j;

    if (!f->count) return 0;
    shape_job(&j, f);
    return (double)j.niter * j.h * j.stride;
}

/* Doubles with ALIGN bytes on either side, so that the column before the first and the one
 * after the last are there. */
static size_t heat_bytes(size_t n)
{
    return aligned(n * sizeof(double)) + 2 * ALIGN;
}

static double *carve_heat(uint8_t **p, size_t n)
{
    double *r = (double *)(*p + ALIGN);

    *p += heat_bytes(n);
    return r;
}

static size_t job_bytes(const job *j)
{
    size_t area = (size_t)j->h * j->stride;

    return 2 * heat_bytes(area) + aligned(area);
}

static void lay_out_job(job *j, uint8_t *p)
{
    size_t area = (size_t)j->h * j->stride;

    j->T = carve_heat(&p, area);
    j->next = carve_heat(&p, area);
    j->mask = p;
}

static size_t ring_size(const job *j)
{
    return (size_t)(j->levels - 1) * RING * j->stride;
}

static size_t bench_bytes(const job *j)
{
    size_t row = (size_t)j->stride;

    return 2 * heat_bytes(row) + heat_bytes(ring_size(j)) + aligned(row);
}

static void lay_out_bench(bench *b, const job *j, uint8_t *p)
{
    size_t row = (size_t)j->stride;

    b->zero = carve_heat(&p, row);
    b->waste = carve_heat(&p, row);
    b->ring = carve_heat(&p, ring_size(j));
    b->no_mask = p;
    memset(b->zero, 0, row * sizeof(double));
    memset(b->ring, 0, ring_size(j) * sizeof(double));
    b->zero[-1] = b->zero[row] = b->waste[-1] = b->waste[row] = 0;
    b->ring[-1] = b->ring[ring_size(j)] = 0;
    memset(b->no_mask, 0, row);
}

/* Heat far from the centre gets so small that it is denormal, which some CPUs handle slowly;
 * it is taken as 0. Returns what restore_denormals needs. */
static unsigned flush_denormals(void)
{
#if defined(__x86_64__)
    unsigned was = _mm_getcsr();

    _mm_setcsr(was | 0x8040);
    return was;
#else
    return 0;
#endif
}

static void restore_denormals(unsigned was)
{
#if defined(__x86_64__)
    _mm_setcsr(was);
#else
    (void)was;
#endif
}

/* --- blocks of steps ------------------------------------------------------------------- */

/* Row r of a level below the last, for reading. */
static const double *row_of(const job *j, const bench *b, int level, int r)
{
    if (r < 0 || r >= j->h) return b->zero;
    if (level == 0) return j->T + (size_t)r * j->stride;
    return b->ring + ((size_t)(level - 1) * RING + (r & (RING - 1))) * j->stride;
}

/* Rows y0..y1 of j->next: k steps after j->T; columns x0..x1. last: no heat is added for a
 * step to come. */
static void sweep(const job *j, const bench *b, lp_diffuse_step4 *step4, int k, int y0, int y1,
                  int x0, int x1, int last)
{
    int base, s, i;

    for (base = y0 - k + 2; base - k < y1; base += 4)
        for (s = 1; s <= k; s++) {
            const int r = base - s, reach = k - s;
            const double *t[6];
            const uint8_t *m[4];
            double *o[4];

            if (r + 4 <= y0 - reach || r >= y1 + reach) continue;
            for (i = 0; i < 6; i++) t[i] = row_of(j, b, s - 1, r - 1 + i);
            for (i = 0; i < 4; i++) {
                int row = r + i, real = row >= 0 && row < j->h;

                m[i] = real ? j->mask + (size_t)row * j->stride : b->no_mask;
                if (s < k)
                    o[i] = real ? (double *)row_of(j, b, s, row) : b->waste;
                else
                    o[i] = row >= y0 && row < y1 ? j->next + (size_t)row * j->stride : b->waste;
            }
            step4(o, t, m, x0, x1);
            if (j->cy >= r && j->cy < r + 4 && !(last && s == k)) o[j->cy - r][j->cx] += 1;
        }
}

/* All steps of a mask by `parts` threads, of which this is number `part`; they must call
 * it together. The result is in j->T of every caller. */
static void run_job(job *j, const bench *b, lp_diffuse_step4 *step4, int part, int parts)
{
    int64_t t = 0;

    while (t < j->niter) {
        int k = j->niter - t < j->levels ? (int)(j->niter - t) : j->levels;
        /* Heat has come no further than one pixel per step. */
        int64_t reach = t + k;
        int ya = j->cy > reach ? (int)(j->cy - reach) : 0;
        int yb = j->cy + reach + 1 < j->h ? (int)(j->cy + reach + 1) : j->h;
        int xa = j->cx > reach ? (int)(j->cx - reach) / 8 * 8 : 0;
        int xb = j->cx + reach + 1 < j->w ? (int)(j->cx + reach + 8) / 8 * 8 : j->stride;
        int rows = yb - ya;
        int y0 = ya + (int)((int64_t)rows * part / parts);
        int y1 = ya + (int)((int64_t)rows * (part + 1) / parts);
        double *swap = j->T;

        if (y0 < y1) sweep(j, b, step4, k, y0, y1, xa, xb, t + k == j->niter);
        j->T = j->next;
        j->next = swap;
        t += k;
        if (parts > 1) {
#pragma omp barrier
        }
    }
}

static void load_rows(job *j, const uint32_t *labels, const lp_label_info *f, uint32_t l, int Lx,
                      int y0, int y1)
{
    size_t start = (size_t)y0 * j->stride, n = (size_t)(y1 - y0) * j->stride;
    int y, x;

    memset(j->T + start, 0, n * sizeof(double));
    memset(j->next + start, 0, n * sizeof(double));
    memset(j->mask + start, 0, n);
    if (y0 == 0) j->T[-1] = j->next[-1] = 0;
    if (y1 == j->h) j->T[start + n] = j->next[start + n] = 0;
    for (y = y0; y < y1; y++) {
        const uint32_t *row = labels + (int64_t)(f->y0 + y) * Lx + f->x0;
        uint8_t *m = j->mask + (size_t)y * j->stride;

        for (x = 0; x < j->w; x++) m[x] = row[x] == l;
    }
}

LP_SIMD
static void unit_row(float *my, float *mx, const double *up, const double *row, const double *down,
                     const uint8_t *mask, int w)
{
    int x;

    for (x = 0; x < w; x++) {
        double dy = down[x] - up[x];
        double dx = (x + 1 < w ? row[x + 1] : 0) - (x > 0 ? row[x - 1] : 0);
        double norm = 1e-60 + sqrt(dy * dy + dx * dx);

        if (!mask[x]) continue;
        my[x] = (float)(dy / norm);
        mx[x] = (float)(dx / norm);
    }
}

static void store_rows(float *mu, const job *j, const bench *b, const lp_label_info *f, int Ly,
                       int Lx, int y0, int y1)
{
    int y;

    for (y = y0; y < y1; y++) {
        float *my = mu + (int64_t)(f->y0 + y) * Lx + f->x0;

        unit_row(my, my + (int64_t)Ly * Lx, row_of(j, b, 0, y - 1), row_of(j, b, 0, y),
                 row_of(j, b, 0, y + 1), j->mask + (size_t)y * j->stride, j->w);
    }
}

/* --- all masks ------------------------------------------------------------------------- */

/* Masks above this cost are shared by all threads, one after the other; never those that take a
 * thread less than about 30 ms, since threads that share a mask wait for each other every few
 * steps, and on a busy machine such a wait is long. */
static double share_above(const lp_label_info *info, uint32_t n, int nthreads)
{
    double total = 0;
    uint32_t l;

    for (l = 1; l <= n; l++) total += job_cost(info + l);
    return nthreads > 1 ? fmax(total / (2.0 * nthreads), SHARED_COST) : INFINITY;
}

/* Bytes of one thread's memory for the masks that it does alone (*alone), of a shared
 * mask (*shared) and of a thread's part in that (*part). */
static void budget(const lp_label_info *info, uint32_t n, double above, size_t *alone,
                   size_t *shared, size_t *part)
{
    uint32_t l;
    job j;

    *alone = *shared = *part = 0;
    for (l = 1; l <= n; l++) {
        size_t of_job, of_bench;

        if (!info[l].count) continue;
        shape_job(&j, info + l);
        of_job = job_bytes(&j);
        of_bench = aligned(bench_bytes(&j));
        if (job_cost(info + l) > above) {
            if (of_job > *shared) *shared = of_job;
            if (of_bench > *part) *part = of_bench;
        } else if (of_job + of_bench > *alone) {
            *alone = of_job + of_bench;
        }
    }
}

size_t lp_diffuse_scratch(const lp_label_info *info, uint32_t n, int nthreads)
{
    size_t alone, shared, part, together, ref = 0;
    uint32_t l;

    if (nthreads < 1) nthreads = 1;
    budget(info, n, share_above(info, n, nthreads), &alone, &shared, &part);
    together = shared + (size_t)nthreads * part;
    if ((size_t)nthreads * alone > together) together = (size_t)nthreads * alone;
    for (l = 1; l <= n; l++) {
        size_t most = 2 * sizeof(double) * (size_t)(info[l].y1 - info[l].y0 + 2) *
                      (size_t)(info[l].x1 - info[l].x0 + 2);

        if (most > ref) ref = most; /* what lp_diffuse_ref needs */
    }
    together += aligned(n * sizeof(order)) + ALIGN;
    return together > ref ? together : ref;
}

static int by_cost(const void *a, const void *b)
{
    const order *u = a, *v = b;

    if (u->cost != v->cost) return u->cost > v->cost ? -1 : 1;
    return (u->label > v->label) - (u->label < v->label);
}

static void diffuse_alone(float *mu, const uint32_t *labels, const lp_label_info *info, uint32_t l,
                          int Ly, int Lx, lp_diffuse_step4 *step4, uint8_t *memory)
{
    const lp_label_info *f = info + l;
    unsigned was;
    bench b;
    job j;

    shape_job(&j, f);
    lay_out_job(&j, memory);
    lay_out_bench(&b, &j, memory + job_bytes(&j));
    load_rows(&j, labels, f, l, Lx, 0, j.h);
    lp_diffuse_centre(&j.cy, &j.cx, labels, info, l, Lx);
    j.T[(size_t)j.cy * j.stride + j.cx] = 1;
    was = flush_denormals();
    run_job(&j, &b, step4, 0, 1);
    restore_denormals(was); /* flows may be denormal floats */
    store_rows(mu, &j, &b, f, Ly, Lx, 0, j.h);
}

static void diffuse_shared(float *mu, const uint32_t *labels, const lp_label_info *info, uint32_t l,
                           int Ly, int Lx, lp_diffuse_step4 *step4, int nthreads, size_t part_bytes,
                           uint8_t *memory)
{
    const lp_label_info *f = info + l;
    int cy = 0, cx = 0;

    lp_diffuse_centre(&cy, &cx, labels, info, l, Lx);
#pragma omp parallel num_threads(nthreads)
    {
        int part = omp_get_thread_num(), parts = omp_get_num_threads(), y0, y1;
        unsigned was = flush_denormals();
        bench b;
        job j;

        shape_job(&j, f);
        lay_out_job(&j, memory);
        lay_out_bench(&b, &j, memory + job_bytes(&j) + (size_t)part * part_bytes);
        j.cy = cy;
        j.cx = cx;
        y0 = (int)((int64_t)j.h * part / parts);
        y1 = (int)((int64_t)j.h * (part + 1) / parts);
        load_rows(&j, labels, f, l, Lx, y0, y1);
        if (cy >= y0 && cy < y1) j.T[(size_t)cy * j.stride + cx] = 1;
#pragma omp barrier
        run_job(&j, &b, step4, part, parts);
        restore_denormals(was);
        store_rows(mu, &j, &b, f, Ly, Lx, y0, y1);
    }
}

void lp_diffuse_cpu(float *mu, const uint32_t *labels, const lp_label_info *info, uint32_t n,
                    int Ly, int Lx, int nthreads, void *scratch)
{
    lp_diffuse_step4 *step4 = lp_diffuse_step4_choose();
    order *jobs = scratch;
    uint8_t *memory = (uint8_t *)scratch + aligned(n * sizeof *jobs);
    size_t alone, shared, part;
    uint32_t l, njobs = 0, k = 0;
    double above;
    int64_t i, y;

    if (nthreads < 1) nthreads = 1;
    memory += (ALIGN - (uintptr_t)memory % ALIGN) % ALIGN;
    above = share_above(info, n, nthreads);
    budget(info, n, above, &alone, &shared, &part);
    for (l = 1; l <= n; l++)
        if (info[l].count) jobs[njobs++] = (order){job_cost(info + l), l};
    if (njobs) qsort(jobs, njobs, sizeof *jobs, by_cost);
#pragma omp parallel for schedule(static) num_threads(nthreads)
    for (y = 0; y < 2 * (int64_t)Ly; y++) memset(mu + y * Lx, 0, (size_t)Lx * sizeof *mu);

    for (; k < njobs && jobs[k].cost > above; k++)
        diffuse_shared(mu, labels, info, jobs[k].label, Ly, Lx, step4, nthreads, part, memory);
#pragma omp parallel num_threads(nthreads)
    {
        uint8_t *mine = memory + (size_t)omp_get_thread_num() * alone;

#pragma omp for schedule(dynamic, 1)
        for (i = k; i < (int64_t)njobs; i++)
            diffuse_alone(mu, labels, info, jobs[i].label, Ly, Lx, step4, mine);
    }
}
