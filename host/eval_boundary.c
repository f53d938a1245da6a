#include "eval_boundary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int on_outline(const lp_labels *lb, int y, int x)
{
    const uint32_t *d = lb->data + (size_t)y * lb->Lx + x;
    uint32_t id = *d;

    if (!id) return 0;
    return y == 0 || x == 0 || y == lb->Ly - 1 || x == lb->Lx - 1 || d[-1] != id || d[1] != id ||
           d[-lb->Lx] != id || d[lb->Lx] != id;
}

/* dist [Ly][Lx]: rows to the nearest outline pixel of the same column, at most far. */
static void column_distance(const lp_labels *lb, int far, int32_t *dist)
{
    int Ly = lb->Ly, Lx = lb->Lx, y, x;

    for (y = 0; y < Ly; y++)
        for (x = 0; x < Lx; x++) {
            int32_t up = y ? dist[(size_t)(y - 1) * Lx + x] : far;

            dist[(size_t)y * Lx + x] = on_outline(lb, y, x) ? 0 : up < far ? up + 1 : far;
        }
    for (y = Ly - 2; y >= 0; y--)
        for (x = 0; x < Lx; x++) {
            int32_t below = dist[(size_t)(y + 1) * Lx + x] + 1;

            if (below < dist[(size_t)y * Lx + x]) dist[(size_t)y * Lx + x] = below;
        }
}

/* near [Lx] of one row: each column's disc covers half[dist] pixels to both sides. */
static void widen(const int32_t *dist, int Lx, const int *half, int far, int32_t *step,
                  uint8_t *near)
{
    int32_t inside = 0;
    int x;

    memset(step, 0, ((size_t)Lx + 1) * sizeof *step);
    for (x = 0; x < Lx; x++) {
        int h;

        if (dist[x] >= far) continue;
        h = half[dist[x]];
        step[x > h ? x - h : 0]++;
        step[h < Lx - 1 - x ? x + h + 1 : Lx]--;
    }
    for (x = 0; x < Lx; x++) {
        inside += step[x];
        near[x] = inside > 0;
    }
}

lp_status lp_eval_boundary(const lp_labels *truth, const lp_labels *pred, double radius,
                           int64_t count[3], lp_err *err)
{
    int Ly = truth->Ly, Lx = truth->Lx, y, x, far, i;
    size_t n = (size_t)Ly * Lx;
    int32_t *dt = malloc(n * sizeof *dt), *dp = malloc(n * sizeof *dp);
    int32_t *step = malloc(((size_t)Lx + 1) * sizeof *step);
    uint8_t *near = malloc(2 * (size_t)Lx);
    int *half = NULL;
    int64_t c[3] = {0};
    lp_status st = LP_OK;

    radius = fmin(radius, 2.0 * LP_MAX_SIDE);
    far = (int)floor(radius) + 1;
    half = malloc((size_t)far * sizeof *half);
    if (!dt || !dp || !step || !near || !half) {
        st = lp_fail_mem(err, "widened outlines", 8.0 * (double)n);
        goto done;
    }
    for (i = far - 1, x = 0; i >= 0; i--) { /* x only grows as i falls */
        while (sqrt((double)i * i + (double)(x + 1) * (x + 1)) <= radius) x++;
        half[i] = x;
    }
    column_distance(truth, far, dt);
    column_distance(pred, far, dp);
    for (y = 0; y < Ly; y++) {
        widen(dt + (size_t)y * Lx, Lx, half, far, step, near);
        widen(dp + (size_t)y * Lx, Lx, half, far, step, near + Lx);
        for (x = 0; x < Lx; x++) {
            c[0] += near[x] & near[Lx + x];
            c[1] += near[Lx + x] && !near[x];
            c[2] += near[x] && !near[Lx + x];
        }
    }
    memcpy(count, c, sizeof c);
done:
    free(dt);
    free(dp);
    free(step);
    free(near);
    free(half);
    return st;
}
