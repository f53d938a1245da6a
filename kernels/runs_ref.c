/* runs - plain versions; also what the CPU runs. */
#include "runs.h"

#include <math.h>
#include <string.h>

void lp_runs_count_ref(uint64_t *first, const uint32_t *labels, uint32_t n, int Ly, int Lx)
{
    uint32_t l;
    int y, x;

    memset(first, 0, (n + (size_t)1) * sizeof *first);
    for (y = 0; y < Ly; y++) {
        const uint32_t *row = labels + (int64_t)y * Lx;

        for (x = 0; x < Lx; x++)
            if (row[x] && (x == 0 || row[x] != row[x - 1])) first[row[x]]++;
    }
    for (l = 1; l <= n; l++) first[l] += first[l - 1];
}

void lp_runs_fill_ref(lp_run *run, const uint64_t *first, const uint32_t *labels, uint32_t n,
                      int Ly, int Lx, uint64_t *next)
{
    int y, xa, xb;

    memcpy(next, first, n * sizeof *next);
    for (y = 0; y < Ly; y++) {
        const uint32_t *row = labels + (int64_t)y * Lx;

        for (xa = 0; xa < Lx; xa = xb) {
            xb = xa + 1;
            if (!row[xa]) continue;
            while (xb < Lx && row[xb] == row[xa]) xb++;
            run[next[row[xa] - 1]++] = (lp_run){y, xa, xb};
        }
    }
}

void lp_runs_box_ref(lp_runs_box *box, const lp_runs *r)
{
    uint32_t l;

    for (l = 0; l < r->n; l++) {
        lp_runs_box b = {0};
        uint64_t k;

        for (k = r->first[l]; k < r->first[l + 1]; k++) {
            const lp_run *u = r->run + k;

            if (!b.area || u->x0 < b.x0) b.x0 = u->x0;
            if (!b.area || u->x1 > b.x1) b.x1 = u->x1;
            if (!b.area) b.y0 = u->y;
            b.y1 = u->y + 1;
            b.area += u->x1 - u->x0;
        }
        box[l] = b;
    }
}

void lp_runs_mean_ref(float *mean, const lp_runs *r, const float *plane, int Lx)
{
    int64_t l;

#pragma omp parallel for schedule(dynamic, 64)
    for (l = 0; l < (int64_t)r->n; l++) {
        double sum = 0;
        int64_t n = 0;
        uint64_t k;

        for (k = r->first[l]; k < r->first[l + 1]; k++) {
            const lp_run *u = &r->run[k];
            const float *row = plane + (int64_t)u->y * Lx;
            double s = 0;
            int x;

            for (x = u->x0; x < u->x1; x++) s += row[x];
            sum += s;
            n += u->x1 - u->x0;
        }
        mean[l] = n ? (float)(sum / (double)n) : NAN;
    }
}

int64_t lp_runs_common_ref(const lp_run *a, uint64_t na, const lp_run *b, uint64_t nb)
{
    uint64_t i = 0, j = 0;
    int64_t n = 0;

    while (i < na && j < nb) {
        int x0 = a[i].x0 > b[j].x0 ? a[i].x0 : b[j].x0;
        int x1 = a[i].x1 < b[j].x1 ? a[i].x1 : b[j].x1;

        if (a[i].y != b[j].y) {
            if (a[i].y < b[j].y)
                i++;
            else
                j++;
            continue;
        }
        if (x1 > x0) n += x1 - x0;
        if (a[i].x1 < b[j].x1)
            i++;
        else
            j++;
    }
    return n;
}
