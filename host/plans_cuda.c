#include "plans_cuda.h"

#include <stdlib.h>
#include <string.h>

static int same(const lp_tile_grid *a, const lp_tile_grid *b)
{
    return a->Ly == b->Ly && a->Lx == b->Lx && a->ypad == b->ypad && a->xpad == b->xpad &&
           a->Lyt == b->Lyt && a->Lxt == b->Lxt && a->ly == b->ly && a->lx == b->lx &&
           a->ny == b->ny && a->nx == b->nx && a->augment == b->augment;
}

lp_status lp_plans_get(lp_plans *p, lp_card *c, lp_stage *stage, lp_stream stream,
                       const lp_tile_grid *h, const lp_tile_grid **d_grid, lp_err *err)
{
    const size_t n[4] = {(size_t)h->ly, (size_t)h->lx, (size_t)h->Lyt, (size_t)h->Lxt};
    const double *from[4] = {h->ytaper, h->xtaper, h->ynavg, h->xnavg};
    size_t doubles = n[0] + n[1] + n[2] + n[3], at = 0;
    size_t bytes = doubles * sizeof(double) + ((size_t)h->ny + (size_t)h->nx) * sizeof(int);
    double *mem = NULL, *dd;
    void *d_mem = NULL;
    lp_tile_grid *g;
    int *starts, i;
    lp_status st;

    for (i = 0; i < LP_PLANS; i++)
        if (p->plan[i].d_mem && same(&p->plan[i].grid, h)) {
            *d_grid = &p->plan[i].grid;
            return LP_OK;
        }
    if (!(mem = malloc(bytes))) return lp_fail_mem(err, "tiles", (double)bytes);
    for (i = 0; i < 4; at += n[i++]) memcpy(mem + at, from[i], n[i] * sizeof *mem);
    starts = (int *)(mem + doubles);
    memcpy(starts, h->ystart, (size_t)h->ny * sizeof *starts);
    memcpy(starts + h->ny, h->xstart, (size_t)h->nx * sizeof *starts);
    if ((st = lp_card_alloc(c, bytes, stream, &d_mem, err))) goto done;
    if ((st = lp_stage_put(stage, d_mem, mem, bytes, err))) goto done;

    i = p->next;
    p->next = (p->next + 1) % LP_PLANS;
    lp_card_free(c, p->plan[i].d_mem, p->plan[i].bytes, stream);
    p->plan[i].d_mem = d_mem;
    p->plan[i].bytes = bytes;
    g = &p->plan[i].grid;
    *g = *h;
    dd = d_mem;
    g->ytaper = dd;
    g->xtaper = dd + n[0];
    g->ynavg = dd + n[0] + n[1];
    g->xnavg = dd + n[0] + n[1] + n[2];
    g->ystart = (const int *)(dd + doubles);
    g->xstart = g->ystart + h->ny;
    *d_grid = g;
    d_mem = NULL;
done:
    lp_card_free(c, d_mem, bytes, stream);
    free(mem);
    return st;
}

void lp_plans_free(lp_plans *p, lp_card *c, lp_stream stream)
{
    int i;

    for (i = 0; i < LP_PLANS; i++) lp_card_free(c, p->plan[i].d_mem, p->plan[i].bytes, stream);
    memset(p, 0, sizeof *p);
}
