#include "run_tiles.h"

#include <omp.h>

#include "read.h"
#include "segment_diameters.h"

#define PATIENCE 3.0 /* s */

static lp_run_tiles count(const lp_session *s, const char *path, const lp_run_options *o)
{
    const lp_segment_options *so = &o->segment;
    lp_run_tiles t = {1, 0};
    int pages, Ly, Lx;
    lp_err err;

    if (lp_read_size(path, o->page ? o->page - 1 : 0, &pages, &Ly, &Lx, &err)) return t;
    if (!o->page && !o->page_channels) t.pages = pages;
    if (o->auto_diameters || (!o->n_diameters && !(so->diameter > 0))) return t;
    if (lp_diameters_tiles(s, so, o->n_diameters ? o->diameters : &so->diameter,
                           o->n_diameters ? o->n_diameters : 1, Ly, Lx, &t.tiles, &err))
        t.tiles = 0; /* segmenting says what is wrong */
    return t;
}

void lp_run_tiles_count(const lp_session *s, const lp_inputs *in, const lp_run_options *o,
                        lp_run_tiles *out)
{
    double start = omp_get_wtime();
    int i;

    for (i = 0; i < in->n; i++)
        out[i] = omp_get_wtime() - start < PATIENCE ? count(s, in->item[i].path, o)
                                                    : (lp_run_tiles){1, 0};
}
