/* votes - plain versions; also what the CPU runs. */
#include "votes.h"

/* The runs of mask l that lie in rows y0 .. y1-1. */
static const lp_run *in_rows(const lp_runs *m, uint32_t l, int y0, int y1, const lp_run **end)
{
    const lp_run *u = m->run + m->first[l], *e = m->run + m->first[l + 1];

    *end = u;
    if (u == e || u->y >= y1 || e[-1].y < y0) return u;
    while (u->y < y0) u++;
    while (e[-1].y >= y1) e--;
    *end = e;
    return u;
}

void lp_votes_add_ref(uint16_t *v, const lp_runs *masks, int Lx, int y0, int y1)
{
    uint32_t l;

    for (l = 0; l < masks->n; l++) {
        const lp_run *end, *u = in_rows(masks, l, y0, y1, &end);

        for (; u < end; u++) {
            uint16_t *row = v + (int64_t)u->y * Lx;
            int x;

            for (x = u->x0; x < u->x1; x++) row[x]++;
        }
    }
}

void lp_votes_add_pairs_ref(uint16_t *ax, uint16_t *ay, const lp_runs *masks, int Lx, int y0,
                            int y1)
{
    uint32_t l;

    for (l = 0; l < masks->n; l++) {
        const lp_run *last = masks->run + masks->first[l + 1], *end;
        const lp_run *u = in_rows(masks, l, y0, y1, &end), *below = u;

        for (; u < end; u++) {
            uint16_t *row = ax + (int64_t)u->y * Lx;
            const lp_run *b;
            int x;

            for (x = u->x0; x < u->x1 - 1; x++) row[x]++;
            row = ay + (int64_t)u->y * Lx;
            while (below < last && below->y <= u->y) below++;
            for (b = below; b < last && b->y == u->y + 1 && b->x0 < u->x1; b++)
                for (x = b->x0 > u->x0 ? b->x0 : u->x0; x < b->x1 && x < u->x1; x++) row[x]++;
        }
    }
}

/* Union of pixels; out holds, of pixel i, 1 + the index of a pixel of the same component that
 * comes no later, itself for the first. */
static uint32_t root(uint32_t *out, uint32_t i)
{
    while (out[i] != i + 1) {
        out[i] = out[out[i] - 1];
        i = out[i] - 1;
    }
    return i;
}

static void join(uint32_t *out, uint32_t i, uint32_t j)
{
    i = root(out, i);
    j = root(out, j);
    if (i < j) out[j] = i + 1;
    if (j < i) out[i] = j + 1;
}

/* Pixel i is joined to the one to its left, or above it. */
static int to_left(const uint16_t *v, const uint16_t *ax, int t, int64_t i, int x)
{
    return x > 0 && v[i - 1] > t && (!ax || ax[i - 1] > t);
}
static int to_above(const uint16_t *v, const uint16_t *ay, int t, int64_t up)
{
    return up >= 0 && v[up] > t && (!ay || ay[up] > t);
}

uint32_t lp_votes_components_ref(uint32_t *out, const uint16_t *v, const uint16_t *ax,
                                 const uint16_t *ay, int t, int Ly, int Lx)
{
    int64_t n_px = (int64_t)Ly * Lx, i = 0;
    uint32_t n = 0;
    int y, x;

    for (y = 0; y < Ly; y++)
        for (x = 0; x < Lx; x++, i++) {
            int64_t up = i - Lx;
            int left;

            out[i] = 0;
            if (v[i] <= t) continue;
            left = to_left(v, ax, t, i, x);
            out[i] = left ? out[i - 1] : (uint32_t)i + 1;
            /* Nothing to join where the way round by the pixel between them exists. */
            if (to_above(v, ay, t, up) &&
                !(left && to_left(v, ax, t, up, x) && to_above(v, ay, t, up - 1)))
                join(out, (uint32_t)i, (uint32_t)up);
        }
    /* A root comes before the rest of its component, so its number is there when it is needed.
     * Pixels keep 1 + an index until their turn. */
    for (i = 0; i < n_px; i++) {
        if (!out[i]) continue;
        if (out[i] == i + 1)
            out[i] = ++n;
        else
            out[i] = out[out[i] - 1];
    }
    return n;
}
