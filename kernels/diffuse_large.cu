/* diffuse_large - masks whose box is too large for shared memory.
 *
 * Heat is kept in two planes of the image's size, read from one and written to the other; masks are
 * disjoint, so all large ones share them, and what is outside of a mask counts as 0 by its
 * label. The image has tiles of TILE x TILE pixels; the work is a list of the tiles that hold
 * pixels of a large mask, one entry per mask. A launch makes STEPS steps: a block loads its tile
 * with STEPS pixels around it, and each step is right one pixel less far out.
 *
 * Heat has come no further than one pixel per step, so pixels that are further from the centre than
 * the steps made so far are 0 without being read, and tiles there have nothing to do: the planes
 * need not be cleared. */
#include "util.cuh"

#include "diffuse_part.cuh"

#define STEPS 8
#define TILE (LP_HEAT_SIDE - 2 * STEPS)
#define THREADS (LP_HEAT_SIDE * LP_HEAT_SIDE / LP_HEAT_ROWS)
#define STRIDE (LP_HEAT_SIDE + 2)
#define LARGE LP_DIFFUSE_SIZES

static LP_BOTH inline int tiles_of(int L)
{
    return (L + TILE - 1) / TILE;
}

/* Masks by blockIdx.x, the tiles of their boxes by blockIdx.y. */
static __global__ void __launch_bounds__(THREADS)
    diffuse_items(uint2 *items, lp_diffuse_plan *plan, const uint32_t *__restrict__ labels,
                  const lp_label_info *info, uint32_t n, int Lx, uint32_t *list)
{
    for (uint32_t k = blockIdx.x; k < plan->masks[LARGE]; k += gridDim.x) {
        const uint32_t l = *lp_heat_list(list, n, LARGE, k);
        const lp_label_info f = info[l];
        const int ty0 = f.y0 / TILE, tx0 = f.x0 / TILE;
        const int nty = tiles_of(f.y1) - ty0, ntx = tiles_of(f.x1) - tx0;

        for (int64_t t = blockIdx.y; t < (int64_t)nty * ntx; t += gridDim.y) {
            const int ty = ty0 + (int)(t / ntx), tx = tx0 + (int)(t % ntx);
            int any = 0;

            for (int i = (int)threadIdx.x; i < TILE * TILE; i += THREADS) {
                const int y = ty * TILE + i / TILE, x = tx * TILE + i % TILE;

                if (y >= f.y0 && y < f.y1 && x >= f.x0 && x < f.x1)
                    any |= labels[(int64_t)y * Lx + x] == l;
            }
            any = __syncthreads_or(any);
            if (any && threadIdx.x == 0)
                items[atomicAdd(&plan->items, 1u)] =
                    make_uint2(l, (uint32_t)((int64_t)ty * tiles_of(Lx) + tx));
        }
    }
}

int lp_heat_large_plan(uint2 *items, lp_diffuse_plan *plan, const uint32_t *labels,
                       const lp_label_info *info, uint32_t n, int Ly, int Lx, uint32_t *list,
                       lp_stream stream)
{
    const int64_t tiles = (int64_t)tiles_of(Ly) * tiles_of(Lx);
    const dim3 grid(n < 8 ? n : 8, tiles < 64 ? (unsigned)tiles : 64);

    return LP_LAUNCH(diffuse_items, grid, THREADS, 0, stream, items, plan, labels, info, n, Lx,
                     list);
}

static __device__ inline int outside(int v, int lo, int hi)
{
    return v < lo ? lo - v : v > hi ? v - hi : 0;
}

/* Steps t0 + 1 .. t0 + STEPS. shared: STRIDE * STRIDE doubles. */
static __global__ void __launch_bounds__(THREADS, 3)
    diffuse_tiles(double *__restrict__ to, const double *__restrict__ from,
                  const uint32_t *__restrict__ labels, const lp_label_info *info,
                  const int2 *centre, const uint2 *items, int t0, int Ly, int Lx)
{
    LP_SHARED(double, T);
    const uint2 item = items[blockIdx.x];
    const uint32_t l = item.x;
    const int ntx = tiles_of(Lx), ty = (int)(item.y / (unsigned)ntx) * TILE;
    const int tx = (int)(item.y % (unsigned)ntx) * TILE;
    const int steps = lp_heat_steps(info[l]), cy = centre[l].x, cx = centre[l].y;
    const int last = t0 + STEPS < steps ? t0 + STEPS : steps;

    if (t0 >= steps || outside(cy, ty, ty + TILE - 1) > last ||
        outside(cx, tx, tx + TILE - 1) > last)
        return; /* the whole block */
    const int col = (int)threadIdx.x % LP_HEAT_SIDE;
    const int row = (int)threadIdx.x / LP_HEAT_SIDE * LP_HEAT_ROWS;
    const int y0 = ty - STEPS + row, x = tx - STEPS + col;
    const int hot = x == cx && cy >= y0 && cy < y0 + LP_HEAT_ROWS ? cy - y0 : -1;
    double *c = T + (row + 1) * STRIDE + col + 1, v[LP_HEAT_ROWS];
    unsigned bits = 0;

    for (int i = (int)threadIdx.x; i < STRIDE; i += THREADS) {
        T[i] = T[(STRIDE - 1) * STRIDE + i] = 0;
        if (i > 0 && i < STRIDE - 1) T[i * STRIDE] = T[i * STRIDE + STRIDE - 1] = 0;
    }
    for (int j = 0; j < LP_HEAT_ROWS; j++) {
        const int y = y0 + j;
        double heat = 0;

        if (y >= 0 && y < Ly && x >= 0 && x < Lx) {
            const int64_t i = (int64_t)y * Lx + x;

            if (labels[i] == l) {
                bits |= 1u << j;
                if (t0 == 0)
                    heat = j == hot;
                else if (abs(y - cy) <= t0 && abs(x - cx) <= t0)
                    heat = from[i];
            }
        }
        c[j * STRIDE] = heat;
    }
    for (int t = t0 + 1; t <= last; t++) {
        __syncthreads();
        if (bits) lp_heat_step(v, c, STRIDE, LP_HEAT_ROWS);
        __syncthreads();
        if (bits) lp_heat_store(c, STRIDE, v, bits, t < steps ? hot : -1);
    }
    if (col < STEPS || col >= STEPS + TILE) return;
    for (int j = 0; j < LP_HEAT_ROWS; j++)
        if (bits >> j & 1 && row + j >= STEPS && row + j < STEPS + TILE)
            to[(int64_t)(y0 + j) * Lx + x] = c[j * STRIDE];
}

static __device__ inline double heat_at(const double *T, const uint32_t *labels, uint32_t l, int y,
                                        int x, int Ly, int Lx)
{
    const int64_t i = (int64_t)y * Lx + x;

    return y >= 0 && y < Ly && x >= 0 && x < Lx && labels[i] == l ? T[i] : 0;
}

/* T [2][Ly][Lx]: after an odd number of launches the heat of a mask is in the second plane. */
static __global__ void __launch_bounds__(THREADS)
    diffuse_flows(float *mu, const double *T, const uint32_t *__restrict__ labels,
                  const lp_label_info *info, int Ly, int Lx)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x, plane = (int64_t)Ly * Lx;

    if (i >= plane) return;
    const uint32_t l = labels[i];

    if (l == 0 || !lp_heat_is_large(info[l])) {
        mu[i] = mu[plane + i] = 0;
        return;
    }
    const int y = (int)((uint32_t)i / (uint32_t)Lx), x = (int)((uint32_t)i % (uint32_t)Lx);
    const int launches = (lp_heat_steps(info[l]) + STEPS - 1) / STEPS;

    if (launches % 2) T += plane;
    lp_heat_flow(mu, i, plane,
                 heat_at(T, labels, l, y + 1, x, Ly, Lx) - heat_at(T, labels, l, y - 1, x, Ly, Lx),
                 heat_at(T, labels, l, y, x + 1, Ly, Lx) - heat_at(T, labels, l, y, x - 1, Ly, Lx));
}

int lp_heat_large(float *mu, const lp_diffuse_plan *plan, const uint32_t *labels,
                  const lp_label_info *info, int Ly, int Lx, const lp_heat_scratch *a,
                  lp_stream stream)
{
    const int64_t plane = (int64_t)Ly * Lx;
    double *from = a->T, *to = a->T + plane;
    int e, t;

    for (t = 0; t < plan->steps; t += STEPS) {
        double *swap = from;

        if ((e = LP_LAUNCH(diffuse_tiles, plan->items, THREADS, STRIDE * STRIDE * sizeof(double),
                           stream, to, from, labels, info, a->centre, (const uint2 *)mu, t, Ly,
                           Lx)))
            return e;
        from = to;
        to = swap;
    }
    return LP_LAUNCH(diffuse_flows, lp_blocks(plane, THREADS), THREADS, 0, stream, mu, a->T, labels,
                     info, Ly, Lx);
}
