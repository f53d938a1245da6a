/* votes - plain versions; also what the CPU runs. */
#include "votes.h"

void lp_votes_add_ref(uint16_t *v, const lp_runs *masks, int Lx)
{
    uint64_t k;

    for (k = 0; k < masks->first[masks->n]; k++) {
        uint16_t *row = v + (int64_t)masks->run[k].y * Lx;
        int x;

        for (x = masks->run[k].x0; x < masks->run[k].x1; x++) row[x]++;
    }
}

void lp_votes_add_pairs_ref(uint16_t *ax, uint16_t *ay, const lp_runs *masks, int Lx)
{
    uint32_t l;

    for (l = 0; l < masks->n; l++) {
        const lp_run *u = masks->run + masks->first[l], *end = masks->run + masks->first[l + 1];
        const lp_run *below = u;

        for (; u < end; u++) {
            const lp_run *b;
            int x;

            for (x = u->x0; x < u->x1 - 1; x++) ax[(int64_t)u->y * Lx + x]++;
            while (below < end && below->y <= u->y) below++;
            for (b = below; b < end && b->y == u->y + 1 && b->x0 < u->x1; b++)
                for (x = b->x0 > u->x0 ? b->x0 : u->x0; x < b->x1 && x < u->x1; x++)
                    ay[(int64_t)u->y * Lx + x]++;
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

uint32_t lp_votes_components_ref(uint32_t *out, const uint16_t *v, const uint16_t *ax,
                                 const uint16_t *ay, int t, int Ly, int Lx)
{
    uint32_t i = 0, n = 0;
    int y, x;

    for (y = 0; y < Ly; y++)
        for (x = 0; x < Lx; x++, i++) {
            int left = x > 0 && v[i] > t && out[i - 1] && (!ax || ax[i - 1] > t);
            uint32_t up = i - (uint32_t)Lx;

            out[i] = v[i] > t ? i + 1 : 0;
            if (left) out[i] = root(out, i - 1) + 1;
            if (v[i] > t && y > 0 && out[up] && (!ay || ay[up] > t)) join(out, i, up);
        }
    /* A root comes before the rest of its component, so its number is there when it is needed.
     * Pixels keep 1 + an index until their turn; numbers never exceed those. */
    for (i = 0; i < (uint32_t)((int64_t)Ly * Lx); i++) {
        if (!out[i]) continue;
        if (out[i] == i + 1)
            out[i] = ++n;
        else
            out[i] = out[out[i] - 1];
    }
    return n;
}
