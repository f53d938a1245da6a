/* fill_holes - plain version: per mask, flood the box from its border; what is not
 * reached is filled. Also what the CPU runs: a mask without any candidate hole costs one
 * look at its pixels. */
#include "fill_holes.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    uint64_t area; /* of the box */
    uint32_t label;
} job;

static int by_area(const void *a, const void *b)
{
    const job *u = a, *v = b;

    if (u->area != v->area) return u->area < v->area ? -1 : 1;
    return (u->label > v->label) - (u->label < v->label);
}

static uint64_t box_area(const lp_label_info *f)
{
    return (uint64_t)(f->y1 - f->y0) * (uint64_t)(f->x1 - f->x0);
}

static size_t round8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* jobs [n], then flags [n + 1], then per box pixel a stack entry and a byte. */
size_t lp_fill_holes_scratch(const lp_label_info *info, uint32_t n)
{
    uint64_t most = 0;
    uint32_t l;

    for (l = 1; l <= n; l++)
        if (box_area(info + l) > most) most = box_area(info + l);
    return n * sizeof(job) + round8((size_t)n + 1) + most * (sizeof(uint32_t) + 1);
}

/* The top row of a hole is a run of foreign pixels with the mask on both sides and the
 * mask above all of it. No such run, no hole; the reverse is not true. */
static int may_have_hole(const uint32_t *labels, const lp_label_info *f, uint32_t l, int Lx)
{
    int y, x;

    for (y = f->y0 + 1; y < f->y1 - 1; y++) {
        const uint32_t *row = labels + (int64_t)y * Lx, *above = row - Lx;
        int lo = f->x0, hi = f->x1 - 1;

        while (lo < hi && row[lo] != l) lo++;
        while (hi > lo && row[hi] != l) hi--;
        for (x = lo + 1; x < hi; x++) {
            int open = 0;

            if (row[x] == l) continue;
            for (; row[x] != l; x++) open |= above[x] != l;
            if (!open) return 1;
        }
    }
    return 0;
}

typedef struct {
    uint8_t *seen;   /* [h][w]: 1 = the mask, or reached from the border */
    uint32_t *stack; /* [h * w] */
    size_t depth;
} flood;

static void visit(flood *q, size_t i)
{
    if (q->seen[i]) return;
    q->seen[i] = 1;
    q->stack[q->depth++] = (uint32_t)i;
}

static void fill_mask(uint32_t *labels, const lp_label_info *f, uint32_t l, int Lx, int compat,
                      flood *q)
{
    size_t h = (size_t)(f->y1 - f->y0), w = (size_t)(f->x1 - f->x0), y, x;
    uint32_t *box = labels + (int64_t)f->y0 * Lx + f->x0;

    for (y = 0; y < h; y++)
        for (x = 0; x < w; x++) q->seen[y * w + x] = box[y * (size_t)Lx + x] == l;
    q->depth = 0;
    for (y = 0; y < h; y++) {
        visit(q, y * w);
        visit(q, y * w + w - 1);
    }
    for (x = 0; x < w; x++) {
        visit(q, x);
        visit(q, (h - 1) * w + x);
    }
    while (q->depth) {
        size_t i = q->stack[--q->depth];

        y = i / w;
        x = i % w;
        if (y > 0) visit(q, i - w);
        if (y + 1 < h) visit(q, i + w);
        if (x > 0) visit(q, i - 1);
        if (x + 1 < w) visit(q, i + 1);
    }
    for (y = 0; y < h; y++)
        for (x = 0; x < w; x++) {
            uint32_t *v = box + y * (size_t)Lx + x;

            if (!q->seen[y * w + x] && (compat || *v == 0)) *v = l;
        }
}

void lp_fill_holes_ref(uint32_t *labels, const lp_label_info *info, uint32_t n, int Lx, int compat,
                       void *scratch)
{
    job *jobs = scratch;
    uint8_t *candidate = (uint8_t *)(jobs + n);
    uint32_t *stack = (uint32_t *)(candidate + round8((size_t)n + 1));
    uint64_t most = 0;
    uint32_t njobs = 0, k;
    int64_t l;
    flood q = {NULL, stack, 0};

    /* Filling one mask changes no pixel of another unless compat overwrites it, so
     * candidates can be found beforehand. */
#pragma omp parallel for schedule(dynamic, 16)
    for (l = 1; l <= (int64_t)n; l++)
        candidate[l] =
            compat ? info[l].count > 0 : may_have_hole(labels, info + l, (uint32_t)l, Lx);
    for (l = 1; l <= (int64_t)n; l++) {
        if (box_area(info + l) > most) most = box_area(info + l);
        if (candidate[l]) jobs[njobs++] = (job){compat ? 0 : box_area(info + l), (uint32_t)l};
    }
    if (njobs) qsort(jobs, njobs, sizeof *jobs, by_area);
    q.seen = (uint8_t *)(stack + most);
    for (k = 0; k < njobs; k++) {
        uint32_t id = jobs[k].label;

        if (compat && !may_have_hole(labels, info + id, id, Lx)) continue;
        fill_mask(labels, info + id, id, Lx, compat, &q);
    }
}
