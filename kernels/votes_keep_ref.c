/* votes_keep - which components are accepted; plain versions, also what the CPU runs. */
#include <string.h>

#include "votes.h"

/* The run of row y that holds x. */
static uint32_t run_at(const lp_run *run, const uint32_t *first, int y, int x)
{
    uint32_t lo = first[y], hi = first[y + 1];

    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (run[mid].x0 <= x)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

void lp_votes_keep_ref(uint32_t *number, uint32_t *area, const lp_run *run, const uint32_t *root,
                       const uint32_t *first, uint32_t n_runs, const lp_run *seed,
                       uint32_t n_before, int min_size)
{
    uint32_t n = 0, i;

    memset(area, 0, n_runs * sizeof *area);
    for (i = 0; i < n_runs; i++) area[root[i]] += (uint32_t)(run[i].x1 - run[i].x0);
    for (i = 0; i < n_before; i++) area[root[run_at(run, first, seed[i].y, seed[i].x0)]] = 0;
    for (i = 0; i < n_runs; i++) {
        number[i] = n;
        n += root[i] == i && area[i] && (int64_t)area[i] >= min_size;
    }
    number[n_runs] = n;
}

void lp_votes_paint_ref(uint32_t *masks, lp_run *seed, const uint32_t *number, const lp_run *run,
                        const uint32_t *root, uint32_t n_runs, uint32_t n_before, int Lx)
{
    int64_t i;

#pragma omp parallel for schedule(dynamic, 256)
    for (i = 0; i < (int64_t)n_runs; i++) {
        uint32_t r = root[i], k = number[r], *row = masks + (int64_t)run[i].y * Lx;
        int x;

        if (number[r + 1] == k) continue;
        if (r == i) seed[n_before + k] = run[i];
        for (x = run[i].x0; x < run[i].x1; x++) row[x] = n_before + k + 1;
    }
}

void lp_votes_top_ref(uint32_t *top, uint32_t n, const uint32_t *masks, const uint16_t *v, int Ly,
                      int Lx)
{
    int64_t n_px = (int64_t)Ly * Lx, i;

    memset(top, 0, n * sizeof *top);
    for (i = 0; i < n_px; i++)
        if (masks[i] && v[i] > top[masks[i] - 1]) top[masks[i] - 1] = v[i];
}
