#include "tile.h"

#include <string.h>

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

void lp_tile_cut_ref(float *out, const float *img, int nchan, const lp_tile_grid *g, int first,
                     int n)
{
    int64_t rows = (int64_t)n * nchan * g->ly, r;

#pragma omp parallel for schedule(static)
    for (r = 0; r < rows; r++) {
        int y = (int)(r % g->ly), c = (int)(r / g->ly % nchan);
        int t = first + (int)(r / g->ly / nchan);
        int flip_y = g->augment && t % g->nx % 2, flip_x = g->augment && t / g->nx % 2;
        /* Row of the image, and image column of the tile's column 0. */
        int iy = g->ystart[t / g->nx] + (flip_y ? g->ly - 1 - y : y) - g->ypad;
        int ix = g->xstart[t % g->nx] - g->xpad;
        int x0 = min_int(max_int(-ix, 0), g->lx), x1 = max_int(x0, min_int(g->lx, g->Lx - ix)), x;
        float *o = out + r * g->lx;
        const float *row;

        if (iy < 0 || iy >= g->Ly) x0 = x1 = 0;
        row = img + ((int64_t)c * g->Ly + max_int(min_int(iy, g->Ly - 1), 0)) * g->Lx;
        if (flip_x) {
            for (x = 0; x < g->lx; x++) o[g->lx - 1 - x] = x >= x0 && x < x1 ? row[ix + x] : 0;
        } else {
            memset(o, 0, (size_t)x0 * sizeof *o);
            if (x1 > x0) memcpy(o + x0, row + ix + x0, (size_t)(x1 - x0) * sizeof *o);
            memset(o + x1, 0, (size_t)(g->lx - x1) * sizeof *o);
        }
    }
}

/* Adds row ty (before the flip is undone: as the network gave it) of tile t to the image
 * row o [Lx]. */
static void add_row(float *o, const float *yrow, double wy, float sign, int flip_x, int ix,
                    const lp_tile_grid *g)
{
    int x0 = max_int(-ix, 0), x1 = min_int(g->lx, g->Lx - ix), x;

    if (flip_x) {
        for (x = x0; x < x1; x++)
            o[ix + x] =
                (float)(o[ix + x] + (double)(sign * yrow[g->lx - 1 - x]) * (wy * g->xtaper[x]));
    } else {
        for (x = x0; x < x1; x++)
            o[ix + x] = (float)(o[ix + x] + (double)(sign * yrow[x]) * (wy * g->xtaper[x]));
    }
}

void lp_tile_average_ref(float *yf, const float *y, int nout, const lp_tile_grid *g, int first,
                         int n)
{
    int64_t rows = (int64_t)nout * g->Ly, r;

    /* Rows are independent; within one, tiles come in rising order. */
#pragma omp parallel for schedule(static)
    for (r = 0; r < rows; r++) {
        int c = (int)(r / g->Ly), yp = (int)(r % g->Ly) + g->ypad, t;

        for (t = first; t < first + n; t++) {
            int j = t / g->nx, i = t % g->nx, ty = yp - g->ystart[j];
            int flip_y = g->augment && i % 2, flip_x = g->augment && j % 2;
            int row = flip_y ? g->ly - 1 - ty : ty;
            float sign = (c == 0 && flip_y) || (c == 1 && flip_x) ? -1.0f : 1.0f;

            if (ty < 0 || ty >= g->ly) continue;
            add_row(yf + r * g->Lx, y + (((int64_t)(t - first) * nout + c) * g->ly + row) * g->lx,
                    g->ytaper[ty], sign, flip_x, g->xstart[i] - g->xpad, g);
        }
    }
}

void lp_tile_average_end_ref(float *yf, int nout, const lp_tile_grid *g)
{
    int64_t rows = (int64_t)nout * g->Ly, r;

#pragma omp parallel for schedule(static)
    for (r = 0; r < rows; r++) {
        double wy = g->ynavg[r % g->Ly + g->ypad];
        float *o = yf + r * g->Lx;
        int x;

        for (x = 0; x < g->Lx; x++) o[x] = (float)(o[x] / (wy * g->xnavg[x + g->xpad]));
    }
}
