#include "tiling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

/* get_pad_yx with div 16 and extra 1. */
void lp_tiling_pad(int L, int pad[2])
{
    int fill = (L + 15) / 16 * 16 - L;

    pad[0] = 8 + fill / 2;
    pad[1] = 8 + fill - fill / 2;
}

/* np.linspace(0, last, n).astype(int) */
void lp_tiling_starts(int *start, int n, int L, int l)
{
    int last = L - l, i;
    double step = n > 1 ? (double)last / (n - 1) : 0;

    for (i = 0; i < n; i++) start[i] = (int)(i * step);
    if (n > 1) start[n - 1] = last;
}

/* One axis of _taper_mask. The square mask that a tile is cut from is at least 224 wide. */
void lp_tiling_taper(double *taper, int l, int l_max)
{
    int size = l_max > 224 ? l_max : 224, first = size / 2 - l / 2, i;
    double mean = (size - 1) / 2.0;

    for (i = 0; i < l; i++)
        taper[i] = 1.0 / (1.0 + exp((fabs(first + i - mean) - (size / 2.0 - 20)) / 7.5));
}

static void fill_navg(double *navg, const int *start, int n, const double *taper, int l)
{
    int i, k;

    for (i = 0; i < n; i++)
        for (k = 0; k < l; k++) navg[start[i] + k] += taper[k];
}

int lp_tiling_count(int L, int bsize, double tile_overlap, int augment)
{
    if (augment) return (int)fmax(2, ceil(2.0 * L / bsize));
    return L <= bsize ? 1 : (int)ceil((1.0 + 2 * tile_overlap) * L / bsize);
}

/* Pixels of a tile along an axis of L. one: a whole axis rather than two tiles of bsize. */
static int tile_side(int L, int bsize, double tile_overlap, int one)
{
    return L <= bsize || (one && lp_tiling_count(L, bsize, tile_overlap, 0) == 2) ? L : bsize;
}

static lp_status check(int Ly, int Lx, int bsize, double tile_overlap, int augment, lp_err *err)
{
    if (Ly < 1 || Lx < 1 || Ly > LP_MAX_SIDE || Lx > LP_MAX_SIDE ||
        (int64_t)Ly * Lx > LP_MAX_PIXELS)
        return lp_fail(err, LP_EARG,
                       "tiling: rescaled image of %d x %d pixels: sides of 1 to %d are supported; "
                       "use another diameter",
                       Ly, Lx, LP_MAX_SIDE);
    if (bsize < LP_MIN_BSIZE || bsize > LP_MAX_BSIZE || bsize % 16)
        return lp_fail(err, LP_EARG,
                       "tiling: bsize %d: must be a multiple of 16 from %d to %d, or 0", bsize,
                       LP_MIN_BSIZE, LP_MAX_BSIZE);
    if (!augment && !(tile_overlap >= 0.05 && tile_overlap <= 0.5))
        return lp_fail(err, LP_EARG, "tiling: tile_overlap %g: must be from 0.05 to 0.5",
                       tile_overlap);
    return LP_OK;
}

lp_status lp_tiling_plan(int Ly, int Lx, int bsize, double tile_overlap, int augment,
                         lp_tiling *plan, lp_err *err)
{
    int one = bsize == 0 && !augment;
    lp_status st;
    lp_tiling p;
    lp_tile_grid *g = &p.grid;
    size_t n_double, n_int;
    double *d;
    int *s, l_max;

    if (bsize == 0) bsize = 224;
    if ((st = check(Ly, Lx, bsize, tile_overlap, augment, err))) return st;
    memset(&p, 0, sizeof p);
    lp_tiling_pad(Ly, p.ypad);
    lp_tiling_pad(Lx, p.xpad);
    g->Ly = Ly;
    g->Lx = Lx;
    g->ypad = p.ypad[0];
    g->xpad = p.xpad[0];
    g->Lyt = Ly + p.ypad[0] + p.ypad[1];
    g->Lxt = Lx + p.xpad[0] + p.xpad[1];
    g->augment = augment != 0;
    if (augment) {
        if (g->Lyt < bsize) g->Lyt = bsize;
        if (g->Lxt < bsize) g->Lxt = bsize;
    }
    g->ly = tile_side(g->Lyt, bsize, tile_overlap, one);
    g->lx = tile_side(g->Lxt, bsize, tile_overlap, one);
    g->ny = g->ly > bsize ? 1 : lp_tiling_count(g->Lyt, bsize, tile_overlap, augment);
    g->nx = g->lx > bsize ? 1 : lp_tiling_count(g->Lxt, bsize, tile_overlap, augment);
    if ((int64_t)g->ny * g->nx > LP_MAX_TILES)
        return lp_fail(err, LP_ENOMEM,
                       "tiling: %d x %d tiles for %d x %d pixels: at most %d; use a larger bsize",
                       g->ny, g->nx, Ly, Lx, LP_MAX_TILES);
    p.ntiles = g->ny * g->nx;

    n_double = (size_t)g->ly + (size_t)g->lx + (size_t)g->Lyt + (size_t)g->Lxt;
    n_int = (size_t)g->ny + (size_t)g->nx;
    p.mem = calloc(1, n_double * sizeof *d + n_int * sizeof *s);
    if (!p.mem)
        return lp_fail_mem(err, "tiling", (double)(n_double * sizeof *d + n_int * sizeof *s));
    d = p.mem;
    s = (int *)(d + n_double);
    lp_tiling_starts(s, g->ny, g->Lyt, g->ly);
    lp_tiling_starts(s + g->ny, g->nx, g->Lxt, g->lx);
    l_max = g->ly > g->lx ? g->ly : g->lx;
    /* Beside a longer one, an axis of several tiles keeps the taper of its own length. */
    lp_tiling_taper(d, g->ly, one ? g->ly : l_max);
    lp_tiling_taper(d + g->ly, g->lx, one ? g->lx : l_max);
    g->ystart = s;
    g->xstart = s + g->ny;
    g->ytaper = d;
    g->xtaper = d + g->ly;
    fill_navg(d + g->ly + g->lx, g->ystart, g->ny, g->ytaper, g->ly);
    fill_navg(d + g->ly + g->lx + g->Lyt, g->xstart, g->nx, g->xtaper, g->lx);
    g->ynavg = d + g->ly + g->lx;
    g->xnavg = g->ynavg + g->Lyt;
    *plan = p;
    return LP_OK;
}

void lp_tiling_free(lp_tiling *plan)
{
    if (!plan) return;
    free(plan->mem);
    memset(plan, 0, sizeof *plan);
}
