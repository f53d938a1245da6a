/* relabel - plain versions; also what the CPU runs. */
#include "relabel.h"

#include <stdlib.h>

static void add_run(lp_label_info *f, int64_t start, int y, int x0, int x1)
{
    if (f->count == 0) {
        *f = (lp_label_info){0, (uint32_t)start, y, y + 1, x0, x1};
    } else {
        f->y1 = y + 1;
        if (x0 < f->x0) f->x0 = x0;
        if (x1 > f->x1) f->x1 = x1;
    }
    f->count += (uint32_t)(x1 - x0);
}

void lp_relabel_info_ref(lp_label_info *info, uint32_t n, const uint32_t *labels, int Ly, int Lx)
{
    uint32_t l;
    int y, x;

    for (l = 0; l <= n; l++) info[l] = (lp_label_info){0, UINT32_MAX, 0, 0, 0, 0};
    for (y = 0; y < Ly; y++) {
        const uint32_t *row = labels + (int64_t)y * Lx;

        for (x = 0; x < Lx;) {
            int x0 = x;

            for (l = row[x]; x < Lx && row[x] == l;) x++;
            add_run(info + l, (int64_t)y * Lx + x0, y, x0, x);
        }
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t u = *(const uint64_t *)a, v = *(const uint64_t *)b;

    return (u > v) - (u < v);
}

uint32_t lp_relabel_order_ref(uint32_t *map, uint32_t n, const lp_label_info *info,
                              uint64_t *scratch)
{
    uint32_t l, kept = 0, i;

    for (l = 1; l <= n; l++) {
        if (map[l] && info[l].count) scratch[kept++] = (uint64_t)info[l].first << 32 | l;
        map[l] = 0;
    }
    if (kept) qsort(scratch, kept, sizeof *scratch, by_value);
    for (i = 0; i < kept; i++) map[scratch[i] & UINT32_MAX] = i + 1;
    map[0] = 0;
    return kept;
}

void lp_relabel_apply_ref(uint32_t *labels, const uint32_t *map, int Ly, int Lx)
{
    int64_t n = (int64_t)Ly * Lx, i;

#pragma omp parallel for schedule(static)
    for (i = 0; i < n; i++) labels[i] = map[labels[i]];
}
