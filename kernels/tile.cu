/* tile - on the device: lp_tile_cut_cuda, lp_tile_average_cuda, lp_tile_average_end_cuda.
 *
 * One thread per pixel. The average gathers: a pixel asks for its tiles, in rising order and in
 * a register, so nothing is added atomically and the bits are the twin's. */
#include "util.cuh"

extern "C" {
#include "tile.h"
}

static __global__ void __launch_bounds__(256)
    cut(float *__restrict__ d_out, const float *__restrict__ d_img, int nchan, lp_tile_grid g,
        int first, int planes)
{
    int x = (int)(blockIdx.x * 32 + threadIdx.x), y = (int)(blockIdx.y * 8 + threadIdx.y);

    if (x >= g.lx || y >= g.ly) return;
    for (int p = (int)blockIdx.z; p < planes; p += (int)gridDim.z) {
        int t = first + p / nchan, c = p % nchan, j = t / g.nx, i = t % g.nx;
        int flip_y = g.augment && i % 2, flip_x = g.augment && j % 2;
        int iy = g.ystart[j] + (flip_y ? g.ly - 1 - y : y) - g.ypad;
        int ix = g.xstart[i] + (flip_x ? g.lx - 1 - x : x) - g.xpad;
        bool in = iy >= 0 && iy < g.Ly && ix >= 0 && ix < g.Lx;

        d_out[((int64_t)p * g.ly + y) * g.lx + x] =
            in ? d_img[((int64_t)c * g.Ly + iy) * g.Lx + ix] : 0.0f;
    }
}

/* The first of the rising starts [n] that is above v, or n. */
static __device__ int above(const int *starts, int n, int v)
{
    int a = 0, b = n;

    while (a < b) {
        int m = (a + b) / 2;

        if (starts[m] > v)
            b = m;
        else
            a = m + 1;
    }
    return a;
}

/* Rows of the grid are those from the first row of tile row `top` on; `rows` bounds them. */
static __global__ void __launch_bounds__(256, 4)
    average(float *__restrict__ d_yf, const float *__restrict__ d_y, int nout, lp_tile_grid g,
            int first, int n, int top, int rows)
{
    int x = (int)(blockIdx.x * 32 + threadIdx.x), c = (int)blockIdx.z;
    int xp = x + g.xpad, j1, i0, i1;

    if (x >= g.Lx) return;
    i0 = above(g.xstart, g.nx, xp - g.lx);
    i1 = above(g.xstart, g.nx, xp);
    for (int r = (int)(blockIdx.y * 8 + threadIdx.y); r < rows; r += (int)gridDim.y * 8) {
        int yp = g.ystart[top] + r, y = yp - g.ypad;
        float *o = d_yf + ((int64_t)c * g.Ly + y) * g.Lx + x, v;

        if (y < 0 || y >= g.Ly) continue;
        v = *o;
        j1 = above(g.ystart, g.ny, yp);
        for (int j = above(g.ystart, g.ny, yp - g.ly); j < j1; j++) {
            int flip_x = g.augment && j % 2, ty = yp - g.ystart[j];

            for (int i = i0; i < i1; i++) {
                int t = j * g.nx + i, flip_y = g.augment && i % 2, tx = xp - g.xstart[i];
                int ry = flip_y ? g.ly - 1 - ty : ty, rx = flip_x ? g.lx - 1 - tx : tx;
                float sign = (c == 0 && flip_y) || (c == 1 && flip_x) ? -1.0f : 1.0f;

                if (t < first || t >= first + n) continue;
                v = (float)(v +
                            (double)(sign *
                                     d_y[(((int64_t)(t - first) * nout + c) * g.ly + ry) * g.lx +
                                         rx]) *
                                (g.ytaper[ty] * g.xtaper[tx]));
            }
        }
        *o = v;
    }
}

static __global__ void __launch_bounds__(256) average_end(float *__restrict__ d_yf, lp_tile_grid g)
{
    int x = (int)(blockIdx.x * 32 + threadIdx.x);

    if (x >= g.Lx) return;
    for (int y = (int)(blockIdx.y * 8 + threadIdx.y); y < g.Ly; y += (int)gridDim.y * 8) {
        float *o = d_yf + ((int64_t)blockIdx.z * g.Ly + y) * g.Lx + x;

        *o = (float)(*o / (g.ynavg[y + g.ypad] * g.xnavg[x + g.xpad]));
    }
}

/* Blocks of 32 x 8 over a plane; what is taller than a grid can be, the kernels loop over. */
static dim3 plane(int64_t Ly, int Lx, int planes)
{
    int64_t rows = lp_blocks(Ly, 8);

    return dim3((unsigned)lp_blocks(Lx, 32), (unsigned)(rows < 65535 ? rows : 65535),
                (unsigned)(planes < 65535 ? planes : 65535));
}

static bool bad(int channels, const lp_tile_grid *g, int first, int n)
{
    return channels < 1 || channels > 65535 || first < 0 || n < 1 ||
           (int64_t)first + n > (int64_t)g->ny * g->nx || (int64_t)n * channels > INT32_MAX;
}

int lp_tile_cut_cuda(float *d_out, const float *d_img, int nchan, const lp_tile_grid *g, int first,
                     int n, lp_stream stream)
{
    if (bad(nchan, g, first, n)) return cudaErrorInvalidValue;
    return LP_LAUNCH(cut, plane(g->ly, g->lx, n * nchan), dim3(32, 8), 0, stream, d_out, d_img,
                     nchan, *g, first, n * nchan);
}

int lp_tile_average_cuda(float *d_yf, const float *d_y, int nout, const lp_tile_grid *g, int first,
                         int n, lp_stream stream)
{
    int top = first / g->nx, rows, tile_rows = (first + n - 1) / g->nx - top + 1;

    if (bad(nout, g, first, n)) return cudaErrorInvalidValue;
    /* Tiles overlap or touch, so no more rows than this. */
    rows = (int64_t)tile_rows * g->ly < g->Lyt ? tile_rows * g->ly : g->Lyt;
    return LP_LAUNCH(average, plane(rows, g->Lx, nout), dim3(32, 8), 0, stream, d_yf, d_y, nout, *g,
                     first, n, top, rows);
}

int lp_tile_average_end_cuda(float *d_yf, int nout, const lp_tile_grid *g, lp_stream stream)
{
    if (nout < 1 || nout > 65535) return cudaErrorInvalidValue;
    return LP_LAUNCH(average_end, plane(g->Ly, g->Lx, nout), dim3(32, 8), 0, stream, d_yf, *g);
}
