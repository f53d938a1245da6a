#include "label_index.h"

#include <stdlib.h>
#include <string.h>

#include "sort.h"

/* Labels up to a few times the number of pixels: one table. */
static int dense(const lp_labels *lb, lp_label_index *ix)
{
    size_t n = (size_t)lb->Ly * lb->Lx, i, k = 0;

    ix->map = calloc((size_t)ix->max + 1, sizeof *ix->map);
    if (!ix->map) return 0;
    for (i = 0; i < n; i++)
        if (i == 0 || lb->data[i] != lb->data[i - 1]) ix->map[lb->data[i]] = 1;
    for (i = 1; i <= ix->max; i++) k += ix->map[i];
    ix->ids = malloc((k ? k : 1) * sizeof *ix->ids);
    if (!ix->ids) return 0;
    for (i = 1, k = 0; i <= ix->max; i++) {
        if (!ix->map[i]) continue;
        ix->map[i] = (uint32_t)k;
        ix->ids[k++] = (uint32_t)i;
    }
    ix->n = (int64_t)k;
    return 1;
}

static int sparse(const lp_labels *lb, lp_label_index *ix)
{
    size_t n = (size_t)lb->Ly * lb->Lx, i, k = 0, u = 0;
    uint32_t last = 0;

    ix->ids = malloc(n * sizeof *ix->ids);
    if (!ix->ids) return 0;
    for (i = 0; i < n; i++) {
        if (lb->data[i] && lb->data[i] != last) ix->ids[k++] = lb->data[i];
        last = lb->data[i];
    }
    qsort(ix->ids, k, sizeof *ix->ids, lp_by_u32);
    for (i = 0; i < k; i++)
        if (!u || ix->ids[u - 1] != ix->ids[i]) ix->ids[u++] = ix->ids[i];
    ix->n = (int64_t)u;
    return 1;
}

lp_status lp_label_index_new(const lp_labels *lb, lp_label_index *out, lp_err *err)
{
    size_t n = (size_t)lb->Ly * lb->Lx, i;
    lp_label_index ix = {0};
    uint32_t max = 0;

#pragma omp parallel for schedule(static) reduction(max : max)
    for (i = 0; i < n; i++)
        if (lb->data[i] > max) max = lb->data[i];
    ix.max = max;
    if (!(ix.max <= 2 * n + 65536 ? dense(lb, &ix) : sparse(lb, &ix))) {
        lp_label_index_free(&ix);
        return lp_fail_mem(err, "table of labels", (double)n * sizeof(uint32_t));
    }
    *out = ix;
    return LP_OK;
}

void lp_label_index_free(lp_label_index *ix)
{
    if (!ix) return;
    free(ix->ids);
    free(ix->map);
    memset(ix, 0, sizeof *ix);
}

int64_t lp_label_index_find(const lp_label_index *ix, uint32_t label)
{
    const uint32_t *p;

    if (ix->map) return ix->map[label];
    p = bsearch(&label, ix->ids, (size_t)ix->n, sizeof *ix->ids, lp_by_u32);
    return p ? p - ix->ids : -1;
}
