/* group - plain versions; also what the CPU runs. */
#include "group.h"

#include <string.h>

#define NONE UINT32_MAX

/* In each cell a list of the groups whose seed's box meets it. */
typedef struct {
    uint32_t group, next;
} node;

static int64_t cells(const lp_runs_box *b, int shift)
{
    return (int64_t)(((b->y1 - 1) >> shift) - (b->y0 >> shift) + 1) *
           (((b->x1 - 1) >> shift) - (b->x0 >> shift) + 1);
}

lp_group_grid lp_group_plan(const lp_group_mask *mask, uint32_t n, int Ly, int Lx)
{
    lp_group_grid g = {.shift = 4};
    uint32_t i;

    do {
        g.shift++;
        g.ny = ((Ly - 1) >> g.shift) + 1;
        g.nx = ((Lx - 1) >> g.shift) + 1;
        g.n_nodes = 0;
        for (i = 0; i < n; i++) g.n_nodes += cells(&mask[i].box, g.shift);
    } while (g.ny * g.nx > 1 && g.n_nodes > 4 * (int64_t)n + 4096);
    return g;
}

size_t lp_group_assign_scratch(const lp_group_mask *mask, uint32_t n, int Ly, int Lx)
{
    lp_group_grid g = lp_group_plan(mask, n, Ly, Lx);

    return (size_t)g.n_nodes * sizeof(node) + (size_t)(g.ny * g.nx + 2 * (int64_t)n) * 4;
}

/* Pixels in common, or 0 where there are fewer than an IoU of iou needs. */
static int64_t overlap(const lp_group_mask *a, const lp_group_mask *b, double iou)
{
    int y0 = a->box.y0 > b->box.y0 ? a->box.y0 : b->box.y0;
    int y1 = a->box.y1 < b->box.y1 ? a->box.y1 : b->box.y1;
    int x0 = a->box.x0 > b->box.x0 ? a->box.x0 : b->box.x0;
    int x1 = a->box.x1 < b->box.x1 ? a->box.x1 : b->box.x1;
    int64_t big = a->box.area > b->box.area ? a->box.area : b->box.area, common;
    int64_t small = a->box.area + b->box.area - big;

    if (y1 <= y0 || x1 <= x0 || (double)small < iou * (double)big ||
        (double)((int64_t)(y1 - y0) * (x1 - x0)) < iou * (double)big)
        return 0;
    common = lp_runs_common_ref(a->run, a->n, b->run, b->n);
    return (double)common >= iou * (double)(big + small - common) ? common : 0;
}

uint32_t lp_group_assign_ref(uint32_t *group, const lp_group_mask *mask, uint32_t n, double iou,
                             int Ly, int Lx, void *scratch)
{
    lp_group_grid g = lp_group_plan(mask, n, Ly, Lx);
    node *nodes = scratch;
    uint32_t *head = (uint32_t *)(nodes + g.n_nodes), *seed = head + g.ny * g.nx, *seen = seed + n;
    uint32_t i, ng = 0, n_nodes = 0;

    memset(head, 0xff, (size_t)(g.ny * g.nx) * sizeof *head);
    for (i = 0; i < n; i++) {
        const lp_runs_box *b = &mask[i].box;
        int cy0 = b->y0 >> g.shift, cy1 = (b->y1 - 1) >> g.shift, cx0 = b->x0 >> g.shift;
        int cx1 = (b->x1 - 1) >> g.shift, cy, cx;
        int64_t best = 0, best_union = 1;
        uint32_t at = NONE, k;

        for (cy = cy0; cy <= cy1; cy++)
            for (cx = cx0; cx <= cx1; cx++)
                for (k = head[cy * g.nx + cx]; k != NONE; k = nodes[k].next) {
                    uint32_t j = nodes[k].group;
                    int64_t c, u;

                    if (seen[j] == i) continue;
                    seen[j] = i;
                    if (!(c = overlap(&mask[i], &mask[seed[j]], iou))) continue;
                    u = b->area + mask[seed[j]].box.area - c;
                    if (c * best_union > best * u || (c * best_union == best * u && j < at)) {
                        best = c;
                        best_union = u;
                        at = j;
                    }
                }
        if (at == NONE) {
            at = ng++;
            seed[at] = i;
            seen[at] = i;
            for (cy = cy0; cy <= cy1; cy++)
                for (cx = cx0; cx <= cx1; cx++) {
                    uint32_t *h = &head[cy * g.nx + cx];

                    nodes[n_nodes] = (node){at, *h};
                    *h = n_nodes++;
                }
        }
        group[i] = at;
    }
    return ng;
}

uint64_t lp_group_outline_ref(lp_run *out, const lp_group_mask *const *member,
                              const int64_t *weight, uint32_t n, double share,
                              const lp_runs_box *box, int64_t *row, uint64_t *next)
{
    int width = box->x1 - box->x0, y, x;
    uint64_t n_out = 0;
    int64_t all = 0;
    uint32_t i;

    for (i = 0; i < n; i++) {
        all += weight[i];
        next[i] = 0;
    }
    for (y = box->y0; y < box->y1; y++) {
        int64_t sum = 0;
        int start = -1;

        memset(row, 0, ((size_t)width + 1) * sizeof *row);
        for (i = 0; i < n; i++)
            for (; next[i] < member[i]->n && member[i]->run[next[i]].y == y; next[i]++) {
                row[member[i]->run[next[i]].x0 - box->x0] += weight[i];
                row[member[i]->run[next[i]].x1 - box->x0] -= weight[i];
            }
        for (x = 0; x <= width; x++) {
            int in;

            sum += row[x];
            in = (double)sum > share * (double)all;
            if (in && start < 0) start = x;
            if (!in && start >= 0) {
                out[n_out++] = (lp_run){y, box->x0 + start, box->x0 + x};
                start = -1;
            }
        }
    }
    return n_out;
}

uint32_t lp_group_accept_ref(uint32_t *masks, const lp_run *run, uint64_t n, uint32_t id, int Lx)
{
    int64_t all = 0, free_px = 0;
    uint64_t k;
    int x;

    for (k = 0; k < n; k++) {
        const uint32_t *row = masks + (int64_t)run[k].y * Lx;

        for (x = run[k].x0; x < run[k].x1; x++) free_px += !row[x];
        all += run[k].x1 - run[k].x0;
    }
    if (!all || 2 * free_px < all) return 0;
    for (k = 0; k < n; k++) {
        uint32_t *row = masks + (int64_t)run[k].y * Lx;

        for (x = run[k].x0; x < run[k].x1; x++)
            if (!row[x]) row[x] = id;
    }
    return id;
}
