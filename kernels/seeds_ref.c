/* seeds - plain versions. */
#include "seeds.h"

#include <stdlib.h>
#include <string.h>

#include "follow.h"

#define REACH 5              /* rounds of dilation */
#define SIDE (2 * REACH + 1) /* of the window */

void lp_seeds_histogram_ref(uint32_t *h, const uint32_t *end, int Ly, int Lx)
{
    int64_t n = (int64_t)Ly * Lx, i;

    memset(h, 0, (size_t)n * sizeof *h);
    for (i = 0; i < n; i++)
        if (end[i] != LP_FOLLOW_NONE) h[end[i]]++;
}

static int is_peak(const uint32_t *h, int y, int x, int Ly, int Lx)
{
    uint32_t v = h[(int64_t)y * Lx + x];
    int yy, xx;

    if (v <= 10) return 0;
    for (yy = y - 2; yy <= y + 2; yy++)
        for (xx = x - 2; xx <= x + 2; xx++)
            if (yy >= 0 && yy < Ly && xx >= 0 && xx < Lx && h[(int64_t)yy * Lx + xx] > v) return 0;
    return 1;
}

static int by_value(const void *a, const void *b)
{
    uint64_t u = *(const uint64_t *)a, v = *(const uint64_t *)b;

    return (u > v) - (u < v);
}

uint32_t lp_seeds_find_ref(uint64_t *seeds, uint32_t cap, const uint32_t *h, int Ly, int Lx)
{
    uint32_t n = 0;
    int y, x;

    for (y = 0; y < Ly; y++)
        for (x = 0; x < Lx; x++) {
            if (!is_peak(h, y, x, Ly, Lx)) continue;
            if (n < cap) {
                int64_t i = (int64_t)y * Lx + x;
                seeds[n] = (uint64_t)h[i] << 32 | (uint64_t)i;
            }
            n++;
        }
    if (n && n <= cap) qsort(seeds, n, sizeof *seeds, by_value);
    return n;
}

void lp_seeds_grow_ref(uint32_t *m, const uint32_t *h, const uint64_t *seeds, uint32_t n, int Ly,
                       int Lx)
{
    uint32_t k;

    memset(m, 0, (size_t)Ly * Lx * sizeof *m);
    for (k = 0; k < n; k++) {
        uint8_t in[SIDE + 2][SIDE + 2] = {{0}}, next[SIDE + 2][SIDE + 2]; /* border of 0 */
        int64_t pix = (int64_t)(seeds[k] & UINT32_MAX);
        int sy = (int)(pix / Lx) - REACH - 1, sx = (int)(pix % Lx) - REACH - 1;
        int round, y, x, dy, dx;

        in[REACH + 1][REACH + 1] = 1;
        for (round = 0; round < REACH; round++) {
            memset(next, 0, sizeof next);
            for (y = 1; y <= SIDE; y++)
                for (x = 1; x <= SIDE; x++) {
                    int Y = sy + y, X = sx + x;

                    if (Y < 0 || Y >= Ly || X < 0 || X >= Lx) continue;
                    if (h[(int64_t)Y * Lx + X] <= 2) continue;
                    for (dy = -1; dy <= 1; dy++)
                        for (dx = -1; dx <= 1; dx++) next[y][x] |= in[y + dy][x + dx];
                }
            memcpy(in, next, sizeof in);
        }
        for (y = 1; y <= SIDE; y++)
            for (x = 1; x <= SIDE; x++)
                if (in[y][x]) m[(int64_t)(sy + y) * Lx + sx + x] = k + 1;
    }
}
