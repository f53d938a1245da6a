#include "palette.h"

#include <stdlib.h>
#include <string.h>

#include "sort.h"

const uint8_t lp_palette[LP_PALETTE_SIZE][3] = {
    {0xF5, 0xE6, 0x42}, /* yellow */
    {0x56, 0xC4, 0xFF}, /* sky blue */
    {0xFF, 0x7A, 0x1A}, /* orange */
    {0x1F, 0xE0, 0x9A}, /* green */
    {0xFF, 0x8F, 0xD0}, /* pink */
    {0xFF, 0x3B, 0x30}, /* vermilion */
};

typedef struct {
    uint64_t *pair; /* larger position << 32 | smaller */
    size_t n, cap;
    int failed;
} pairs;

static void unique(pairs *ps)
{
    size_t i, k = 0;

    qsort(ps->pair, ps->n, sizeof *ps->pair, lp_by_u64);
    for (i = 0; i < ps->n; i++)
        if (!k || ps->pair[k - 1] != ps->pair[i]) ps->pair[k++] = ps->pair[i];
    ps->n = k;
}

static void add(pairs *ps, const lp_label_index *ix, uint32_t a, uint32_t b)
{
    uint64_t i = (uint64_t)lp_label_index_find(ix, a > b ? a : b);
    uint64_t p = i << 32 | (uint64_t)lp_label_index_find(ix, a > b ? b : a);

    if (ps->n && ps->pair[ps->n - 1] == p) return;
    if (ps->n == ps->cap) {
        uint64_t *more;

        if (ps->n) unique(ps); /* a long common border gives the same pair again and again */
        if (2 * ps->n >= ps->cap) {
            more = realloc(ps->pair, (2 * ps->cap + 1024) * sizeof *more);
            if (!more) {
                ps->failed = 1;
                return;
            }
            ps->pair = more;
            ps->cap = 2 * ps->cap + 1024;
        }
    }
    ps->pair[ps->n++] = p;
}

static void collect(pairs *ps, const lp_labels *lb, const lp_label_index *ix)
{
    int y, x, k;

    for (y = 0; y < lb->Ly && !ps->failed; y++) {
        const uint32_t *d = lb->data + (size_t)y * lb->Lx;

        for (x = 0; x < lb->Lx; x++) {
            uint32_t a = d[x];

            if (!a) continue;
            for (k = 1; k <= 2; k++) {
                uint32_t r = x + k < lb->Lx ? d[x + k] : 0;
                uint32_t b = y + k < lb->Ly ? d[x + (size_t)k * lb->Lx] : 0;

                if (r && r != a) add(ps, ix, a, r);
                if (b && b != a) add(ps, ix, a, b);
            }
        }
    }
}

lp_status lp_palette_assign(const lp_labels *lb, const lp_label_index *ix, uint8_t *colour,
                            lp_err *err)
{
    pairs ps = {0};
    size_t e = 0;
    int64_t i;

    collect(&ps, lb, ix);
    if (ps.failed) {
        free(ps.pair);
        return lp_fail_mem(err, "overlay", 2.0 * (double)ps.cap * sizeof *ps.pair);
    }
    if (ps.n) unique(&ps);
    for (i = 0; i < ix->n; i++) {
        int used[LP_PALETTE_SIZE] = {0}, best = (int)(i % LP_PALETTE_SIZE), c, k;

        for (; e < ps.n && (int64_t)(ps.pair[e] >> 32) == i; e++)
            used[colour[ps.pair[e] & 0xffffffffu]]++;
        for (k = 1; k < LP_PALETTE_SIZE; k++) {
            c = (int)((i + k) % LP_PALETTE_SIZE);
            if (used[c] < used[best]) best = c;
        }
        colour[i] = (uint8_t)best;
    }
    free(ps.pair);
    return LP_OK;
}
