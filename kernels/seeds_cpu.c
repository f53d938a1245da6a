/* seeds - tuned for CPUs: only the few pixels with h > 10 are looked at closely, and a
 * basin grows as eleven rows of bits. */
#include <stdlib.h>
#include <string.h>

#include "follow.h"
#include "seeds.h"

#define REACH 5
#define SIDE (2 * REACH + 1)

void lp_seeds_histogram_cpu(uint32_t *h, const uint32_t *end, int Ly, int Lx)
{
    int64_t n = (int64_t)Ly * Lx;
    int y;

    memset(h, 0, (size_t)n * sizeof *h);
    /* Neighbours mostly end together: their runs are added at once. */
#pragma omp parallel for schedule(static)
    for (y = 0; y < Ly; y++) {
        const uint32_t *e = end + (int64_t)y * Lx;
        int x = 0;

        while (x < Lx) {
            uint32_t to = e[x], run = 0;

            for (; x < Lx && e[x] == to; x++) run++;
            if (to == LP_FOLLOW_NONE) continue;
#pragma omp atomic
            h[to] += run;
        }
    }
}

static int is_peak(const uint32_t *h, int y, int x, int Ly, int Lx)
{
    int y0 = y < 2 ? 0 : y - 2, y1 = y + 2 < Ly ? y + 2 : Ly - 1;
    int x0 = x < 2 ? 0 : x - 2, x1 = x + 2 < Lx ? x + 2 : Lx - 1;
    uint32_t v = h[(int64_t)y * Lx + x];

    for (y = y0; y <= y1; y++)
        for (x = x0; x <= x1; x++)
            if (h[(int64_t)y * Lx + x] > v) return 0;
    return 1;
}

static int by_value(const void *a, const void *b)
{
    uint64_t u = *(const uint64_t *)a, v = *(const uint64_t *)b;

    return (u > v) - (u < v);
}

uint32_t lp_seeds_find_cpu(uint64_t *seeds, uint32_t cap, const uint32_t *h, int Ly, int Lx)
{
    uint32_t n = 0;
    int y;

    /* The order in which rows find their seeds does not matter: they are sorted. */
#pragma omp parallel for schedule(static)
    for (y = 0; y < Ly; y++) {
        const uint32_t *row = h + (int64_t)y * Lx;
        int x;

        for (x = 0; x < Lx; x++) {
            uint32_t k;

            if (row[x] <= 10 || !is_peak(h, y, x, Ly, Lx)) continue;
#pragma omp atomic capture
            k = n++;
            if (k < cap) seeds[k] = (uint64_t)row[x] << 32 | (uint64_t)((int64_t)y * Lx + x);
        }
    }
    if (n && n <= cap) qsort(seeds, n, sizeof *seeds, by_value);
    return n;
}

void lp_seeds_grow_cpu(uint32_t *m, const uint32_t *h, const uint64_t *seeds, uint32_t n, int Ly,
                       int Lx)
{
    uint32_t k;

    memset(m, 0, (size_t)Ly * Lx * sizeof *m);
    for (k = 0; k < n; k++) {
        uint16_t may[SIDE] = {0}, in[SIDE + 2] = {0}; /* bit x of row y; in has a border */
        int64_t pix = (int64_t)(seeds[k] & UINT32_MAX);
        int sy = (int)(pix / Lx) - REACH, sx = (int)(pix % Lx) - REACH;
        int x0 = sx < 0 ? -sx : 0, x1 = sx + SIDE > Lx ? Lx - sx : SIDE;
        int y0 = sy < 0 ? -sy : 0, y1 = sy + SIDE > Ly ? Ly - sy : SIDE;
        int round, y, x;

        for (y = y0; y < y1; y++)
            for (x = x0; x < x1; x++)
                may[y] |= (uint16_t)((h[(int64_t)(sy + y) * Lx + sx + x] > 2) << x);
        in[REACH + 1] = 1 << REACH;
        for (round = 0; round < REACH; round++) {
            uint16_t above = 0;

            for (y = 0; y < SIDE; y++) {
                unsigned v = above | in[y + 1] | in[y + 2];

                above = in[y + 1];
                in[y + 1] = (uint16_t)((v | v << 1 | v >> 1) & may[y]);
            }
        }
        for (y = y0; y < y1; y++)
            for (x = x0; x < x1; x++)
                if (in[y + 1] >> x & 1) m[(int64_t)(sy + y) * Lx + sx + x] = k + 1;
    }
}
