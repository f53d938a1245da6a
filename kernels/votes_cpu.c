/* votes - tuned versions: a run of pixels costs as much as a pixel. */
#include <string.h>

#include "simd.h"
#include "votes.h"

#define BAND 64 /* rows that one thread works on */

/* A mask that has runs in a band. */
typedef struct {
    int layer;
    uint32_t mask;
} item;

/* Bands b0 .. b1 of mask l; 0 where it has no runs. */
static int bands_of(const lp_runs *m, uint32_t l, int *b0, int *b1)
{
    if (m->first[l] == m->first[l + 1]) return 0;
    *b0 = m->run[m->first[l]].y / BAND;
    *b1 = m->run[m->first[l + 1] - 1].y / BAND;
    return 1;
}

static int n_bands(int Ly)
{
    return (Ly + BAND - 1) / BAND;
}

size_t lp_votes_count_scratch(const lp_runs *const *layer, int n, int Ly)
{
    size_t items = 0;
    int i;

#pragma omp parallel for schedule(dynamic) reduction(+ : items)
    for (i = 0; i < n; i++) {
        uint32_t l;
        int b0, b1;

        for (l = 0; l < layer[i]->n; l++)
            if (bands_of(layer[i], l, &b0, &b1)) items += (size_t)(b1 - b0 + 1);
    }
    return ((size_t)n * n_bands(Ly) + n_bands(Ly) + 1) * sizeof(uint64_t) + items * sizeof(item);
}

/* at [n][bands]: where the masks of a layer begin in the list of a band; end [bands + 1]. Bands
 * list the layers in order, layers their masks in order. */
static void make_lists(item *list, uint64_t *at, uint64_t *start, const lp_runs *const *layer,
                       int n, int bands)
{
    uint64_t sum = 0;
    int i, b;

    memset(at, 0, (size_t)n * bands * sizeof *at);
#pragma omp parallel for schedule(dynamic)
    for (i = 0; i < n; i++) {
        uint32_t l;
        int b0, b1, k;

        for (l = 0; l < layer[i]->n; l++)
            if (bands_of(layer[i], l, &b0, &b1))
                for (k = b0; k <= b1; k++) at[(size_t)i * bands + k]++;
    }
    for (b = 0; b < bands; b++) {
        start[b] = sum;
        for (i = 0; i < n; i++) {
            uint64_t count = at[(size_t)i * bands + b];

            at[(size_t)i * bands + b] = sum;
            sum += count;
        }
    }
    start[bands] = sum;
#pragma omp parallel for schedule(dynamic)
    for (i = 0; i < n; i++) {
        uint32_t l;
        int b0, b1, k;

        for (l = 0; l < layer[i]->n; l++)
            if (bands_of(layer[i], l, &b0, &b1))
                for (k = b0; k <= b1; k++) list[at[(size_t)i * bands + k]++] = (item){i, l};
    }
}

/* 1 more in x0 .. x1-1, as differences. */
static void mark(uint16_t *row, int x0, int x1, int Lx)
{
    row[x0]++;
    if (x1 < Lx) row[x1]--;
}

/* Runs of one mask in the rows y0 .. y1-1. */
static void mark_mask(uint16_t *v, uint16_t *ax, uint16_t *ay, const lp_runs *m, uint32_t l, int y0,
                      int y1, int Lx)
{
    const lp_run *u = m->run + m->first[l], *last = m->run + m->first[l + 1], *below, *b;

    while (u < last && u->y < y0) u++;
    for (below = u; u < last && u->y < y1; u++) {
        int64_t row = (int64_t)u->y * Lx;

        mark(v + row, u->x0, u->x1, Lx);
        if (!ax) continue;
        if (u->x1 - 1 > u->x0) mark(ax + row, u->x0, u->x1 - 1, Lx);
        while (below < last && below->y <= u->y) below++;
        for (b = below; b < last && b->y == u->y + 1 && b->x0 < u->x1; b++) {
            int x0 = b->x0 > u->x0 ? b->x0 : u->x0, x1 = b->x1 < u->x1 ? b->x1 : u->x1;

            if (x0 < x1) mark(ay + row, x0, x1, Lx);
        }
    }
}

static void sum_row(uint16_t *row, int Lx)
{
    uint16_t sum = 0;
    int x;

    for (x = 0; x < Lx; x++) row[x] = sum = (uint16_t)(sum + row[x]);
}

void lp_votes_count_cpu(uint16_t *v, uint16_t *ax, uint16_t *ay, const lp_runs *const *layer, int n,
                        int Ly, int Lx, void *scratch)
{
    int bands = n_bands(Ly), b;
    uint64_t *at = scratch, *start = at + (size_t)n * bands;
    item *list = (item *)(start + bands + 1);

    make_lists(list, at, start, layer, n, bands);
#pragma omp parallel for schedule(dynamic)
    for (b = 0; b < bands; b++) {
        int y0 = b * BAND, y1 = y0 + BAND < Ly ? y0 + BAND : Ly, y;
        size_t at0 = (size_t)y0 * Lx, bytes = (size_t)(y1 - y0) * Lx * sizeof *v;
        uint64_t i;

        memset(v + at0, 0, bytes);
        if (ax) memset(ax + at0, 0, bytes), memset(ay + at0, 0, bytes);
        for (i = start[b]; i < start[b + 1]; i++)
            mark_mask(v, ax, ay, layer[list[i].layer], list[i].mask, y0, y1, Lx);
        for (y = y0; y < y1; y++) {
            sum_row(v + (int64_t)y * Lx, Lx);
            if (ax) sum_row(ax + (int64_t)y * Lx, Lx), sum_row(ay + (int64_t)y * Lx, Lx);
        }
    }
}

/* How many pixels of a row above t are not joined to the one before them. */
LP_SIMD
static uint32_t count_row(const uint16_t *v, const uint16_t *ax, uint16_t t, int Lx)
{
    uint32_t n = v[0] > t;
    int x;

    if (ax)
        for (x = 1; x < Lx; x++) n += (v[x] > t) & !((v[x - 1] > t) & (ax[x - 1] > t));
    else
        for (x = 1; x < Lx; x++) n += (v[x] > t) & !(v[x - 1] > t);
    return n;
}

void lp_votes_runs_count_cpu(uint32_t *first, const uint16_t *v, const uint16_t *ax, int t, int Ly,
                             int Lx)
{
    int y;

    first[0] = 0;
    if (t > 65535) t = 65535; /* no votes exceed it */
#pragma omp parallel for schedule(static)
    for (y = 0; y < Ly; y++)
        first[y + 1] =
            count_row(v + (int64_t)y * Lx, ax ? ax + (int64_t)y * Lx : NULL, (uint16_t)t, Lx);
    for (y = 0; y < Ly; y++) first[y + 1] += first[y];
}

void lp_votes_runs_cpu(lp_run *run, const uint32_t *first, const uint16_t *v, const uint16_t *ax,
                       int t, int Ly, int Lx)
{
    int y;

#pragma omp parallel for schedule(dynamic, 16)
    for (y = 0; y < Ly; y++) {
        const uint16_t *p = v + (int64_t)y * Lx, *q = ax ? ax + (int64_t)y * Lx : NULL;
        lp_run *out = run + first[y];
        uint32_t left = first[y + 1] - first[y];
        int x = 0, x0;

        for (; left; left--) {
            while (p[x] <= t) x++;
            x0 = x++;
            if (q)
                while (x < Lx && p[x] > t && q[x - 1] > t) x++;
            else
                while (x < Lx && p[x] > t) x++;
            *out++ = (lp_run){y, x0, x};
        }
    }
}

static uint32_t find(uint32_t *root, uint32_t i)
{
    while (root[i] != i) i = root[i] = root[root[i]];
    return i;
}

/* Joins the runs of row y to those of the row above. */
static void join_rows(uint32_t *root, const lp_run *run, const uint32_t *first, const uint16_t *ay,
                      int t, int y, int Lx)
{
    uint32_t i = first[y - 1], j = first[y];

    while (i < first[y] && j < first[y + 1]) {
        int x0 = run[i].x0 > run[j].x0 ? run[i].x0 : run[j].x0;
        int x1 = run[i].x1 < run[j].x1 ? run[i].x1 : run[j].x1;

        if (ay)
            for (; x0 < x1 && ay[(int64_t)(y - 1) * Lx + x0] <= t; x0++) {
            }
        if (x0 < x1) {
            uint32_t a = find(root, i), b = find(root, j);

            if (a < b) root[b] = a;
            if (b < a) root[a] = b;
        }
        if (run[i].x1 < run[j].x1)
            i++;
        else
            j++;
    }
}

void lp_votes_roots_cpu(uint32_t *root, const lp_run *run, const uint32_t *first,
                        const uint16_t *ay, int t, int Ly, int Lx)
{
    int bands = n_bands(Ly), b;
    uint32_t i;

    /* Within a band nothing of another one is touched. */
#pragma omp parallel for schedule(dynamic)
    for (b = 0; b < bands; b++) {
        int y0 = b * BAND, y1 = y0 + BAND < Ly ? y0 + BAND : Ly, y;
        uint32_t k;

        for (k = first[y0]; k < first[y1]; k++) root[k] = k;
        for (y = y0 + 1; y < y1; y++) join_rows(root, run, first, ay, t, y, Lx);
    }
    for (b = 1; b < bands; b++) join_rows(root, run, first, ay, t, b * BAND, Lx);
    /* Roots come before what hangs on them. */
    for (i = 0; i < first[Ly]; i++) root[i] = root[root[i]];
}
