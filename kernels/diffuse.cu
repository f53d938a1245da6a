/* diffuse - on the device: centres, which mask goes where, and masks whose box fits in shared
 * memory: a block each, all steps in one launch. Larger ones: diffuse_large.cu.
 *
 * A thread has LP_HEAT_ROWS pixels of a column. The step is made in place: every thread reads what
 * it needs and keeps the new values in registers until all have read. */
#include "util.cuh"

#include "diffuse_part.cuh"
#include "tile_runs.cuh"

extern "C" {
#include "scan.h"
}

#define THREADS 256
#define WARPS 8 /* masks per block where a warp finds the centre */
#define LARGE LP_DIFFUSE_SIZES

/* Boxes up to 32, 48 and 64 pixels wide and high. */
static LP_BOTH inline int side_of(int size)
{
    return 32 + 16 * size;
}

static __global__ void __launch_bounds__(32 * LP_RUN_WARPS)
    diffuse_sums(unsigned long long *sum, const uint32_t *__restrict__ labels, int Ly, int Lx)
{
    lp_run_tiles(
        labels, Ly, Lx,
        [=](uint32_t l, int y0, int y1, int x0, int x1) {
            const unsigned long long h = (unsigned)(y1 - y0), w = (unsigned)(x1 - x0);

            atomicAdd(sum + 2 * (size_t)l, w * (h * (unsigned)(y0 + y1 - 1) / 2));
            atomicAdd(sum + 2 * (size_t)l + 1, h * (w * (unsigned)(x0 + x1 - 1) / 2));
        },
        [](uint32_t, uint32_t) {});
}

/* Looks in growing squares around the centre of mass; the first in raster order on ties. Every
 * pixel outside a square of `reach` is at least that far away; the 1 is for rounding. */
static __device__ uint32_t nearest(const uint32_t *labels, const lp_label_info &f, uint32_t l,
                                   int Lx, double ymed, double xmed)
{
    const int my = f.y0 + (int)ymed - 1, mx = f.x0 + (int)xmed - 1;
    const uint32_t lane = threadIdx.x & 31;

    for (int reach = 4;; reach *= 2) {
        const int ya = my - reach > f.y0 ? my - reach : f.y0;
        const int yb = my + reach + 1 < f.y1 ? my + reach + 1 : f.y1;
        const int xa = mx - reach > f.x0 ? mx - reach : f.x0;
        const int xb = mx + reach + 1 < f.x1 ? mx + reach + 1 : f.x1;
        double best = INFINITY;
        uint32_t at = UINT32_MAX;

        const uint32_t w = (uint32_t)(xb - xa), pixels = (uint32_t)(yb - ya) * w;

        for (uint32_t k = lane; k < pixels; k += 32) {
            const int y = ya + (int)(k / w), x = xa + (int)(k % w);
            const uint32_t i = (uint32_t)((int64_t)y * Lx + x);

            if (labels[i] != l) continue;
            const double dy = y - f.y0 + 1 - ymed, dx = x - f.x0 + 1 - xmed;
            const double d = dx * dx + dy * dy;

            if (d < best) {
                best = d;
                at = i;
            }
        }
        for (int k = 16; k; k /= 2) {
            const double d = __shfl_xor_sync(LP_ALL_LANES, best, k);
            const uint32_t i = __shfl_xor_sync(LP_ALL_LANES, at, k);

            if (d < best || (d == best && i < at)) {
                best = d;
                at = i;
            }
        }
        if (best <= (double)(reach - 1) * (reach - 1)) return at;
        if (ya == f.y0 && yb == f.y1 && xa == f.x0 && xb == f.x1) return at;
    }
}

static __global__ void __launch_bounds__(32 * WARPS)
    diffuse_centre(int2 *centre, const unsigned long long *sum, const uint32_t *__restrict__ labels,
                   const lp_label_info *info, uint32_t n, int Lx)
{
    const int64_t l = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5) + 1;

    if (l > n) return; /* the whole warp */
    const lp_label_info f = info[l];

    if (!f.count) return;
    const int64_t sy = (int64_t)sum[2 * l] - (int64_t)f.count * (f.y0 - 1);
    const int64_t sx = (int64_t)sum[2 * l + 1] - (int64_t)f.count * (f.x0 - 1);
    const uint32_t i =
        nearest(labels, f, (uint32_t)l, Lx, (double)sy / f.count, (double)sx / f.count);

    if ((threadIdx.x & 31) == 0)
        centre[l] = make_int2((int)(i / (uint32_t)Lx), (int)(i % (uint32_t)Lx));
}

/* The lists are in any order. A warp takes its places in one of them at once. */
static __global__ void __launch_bounds__(THREADS)
    diffuse_sort(lp_diffuse_plan *plan, uint32_t *list, const lp_label_info *info, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x + 1;
    const unsigned lane = threadIdx.x & 31;
    lp_label_info f = {0, 0, 0, 0, 0, 0};
    int size = 0;

    if (l <= n) f = info[l];
    while (size < LARGE && (f.y1 - f.y0 > side_of(size) || f.x1 - f.x0 > side_of(size))) size++;
    if (f.count == 0) size = -1;
    for (int s = 0; s <= LARGE; s++) {
        const unsigned same = __ballot_sync(LP_ALL_LANES, size == s);
        uint32_t at = 0;

        if (lane == 0 && same) at = atomicAdd(plan->masks + s, (uint32_t)__popc(same));
        at = __shfl_sync(LP_ALL_LANES, at, 0) + (uint32_t)__popc(same & ((1u << lane) - 1));
        if (size == s) *lp_heat_list(list, n, size, at) = (uint32_t)l;
    }
    if (size == LARGE) atomicMax(&plan->steps, lp_heat_steps(f));
}

size_t lp_diffuse_scratch_cuda(uint32_t n, int Ly, int Lx)
{
    return lp_heat_lay_out(LP_NOWHERE, n).table_bytes + 2 * (size_t)Ly * Lx * sizeof(double);
}

int lp_diffuse_plan_cuda(lp_diffuse_plan *d_plan, float *d_mu, const uint32_t *d_labels,
                         const lp_label_info *d_info, uint32_t n, int Ly, int Lx, void *d_scratch,
                         lp_stream stream)
{
    const lp_heat_scratch a = lp_heat_lay_out(d_scratch, n);
    int e;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    if ((e = lp_scan_fill_cuda((uint32_t *)d_plan, 0, sizeof *d_plan / 4, stream)) || n == 0)
        return e;
    if ((e = lp_scan_fill_cuda((uint32_t *)a.sum, 0, 4 * ((int64_t)n + 1), stream))) return e;
    if ((e = LP_LAUNCH(diffuse_sums, lp_run_blocks(Ly, Lx), 32 * LP_RUN_WARPS, 0, stream, a.sum,
                       d_labels, Ly, Lx)))
        return e;
    if ((e = LP_LAUNCH(diffuse_centre, lp_blocks(n, WARPS), 32 * WARPS, 0, stream, a.centre, a.sum,
                       d_labels, d_info, n, Lx)))
        return e;
    if ((e = LP_LAUNCH(diffuse_sort, lp_blocks(n, THREADS), THREADS, 0, stream, d_plan, a.list,
                       d_info, n)))
        return e;
    if (Ly <= LP_HEAT_SIDE && Lx <= LP_HEAT_SIDE) return 0;
    return lp_heat_large_plan((uint2 *)d_mu, d_plan, d_labels, d_info, n, Ly, Lx, a.list, stream);
}

/* side * side / LP_HEAT_ROWS threads; shared: (side + 2)^2 doubles, with a border of 0. */
static __global__ void __launch_bounds__(LP_HEAT_SIDE *LP_HEAT_SIDE / LP_HEAT_ROWS)
    diffuse_boxes(float *mu, const uint32_t *__restrict__ labels, const lp_label_info *info,
                  const int2 *centre, uint32_t *list, uint32_t n, int size, int Ly, int Lx)
{
    LP_SHARED(double, T);
    const uint32_t l = *lp_heat_list(list, n, size, blockIdx.x);
    const lp_label_info f = info[l];
    const int side = side_of(size), stride = side + 2, h = f.y1 - f.y0, w = f.x1 - f.x0;
    const int x = (int)threadIdx.x % side, y0 = (int)threadIdx.x / side * LP_HEAT_ROWS;
    const int cy = centre[l].x - f.y0, cx = centre[l].y - f.x0;
    const int hot = x == cx && cy >= y0 && cy < y0 + LP_HEAT_ROWS ? cy - y0 : -1;
    const int steps = lp_heat_steps(f);
    const int64_t first = (int64_t)(f.y0 + y0) * Lx + f.x0 + x;
    const int rows = x < w ? (h - y0 < LP_HEAT_ROWS ? h - y0 : LP_HEAT_ROWS) : 0;
    double *c = T + (y0 + 1) * stride + x + 1, v[LP_HEAT_ROWS];
    unsigned bits = 0;

    for (int j = 0; j < rows; j++) bits |= (unsigned)(labels[first + (int64_t)j * Lx] == l) << j;
    for (int i = (int)threadIdx.x; i < stride * stride; i += (int)blockDim.x) T[i] = 0;
    __syncthreads();
    if (hot >= 0) c[hot * stride] = 1;
    for (int t = 1; t <= steps; t++) {
        __syncthreads();
        if (bits) lp_heat_step(v, c, stride, rows);
        __syncthreads();
        if (bits) lp_heat_store(c, stride, v, bits, t < steps ? hot : -1);
    }
    __syncthreads();
    for (int k = (int)threadIdx.x; k < h * w; k += (int)blockDim.x) {
        const int y = k / w, x1 = k % w;
        const int64_t i = (int64_t)(f.y0 + y) * Lx + f.x0 + x1;
        const double *d = T + (y + 1) * stride + x1 + 1;

        if (labels[i] == l)
            lp_heat_flow(mu, i, (int64_t)Ly * Lx, d[stride] - d[-stride], d[1] - d[-1]);
    }
}

int lp_diffuse_cuda(float *d_mu, const uint32_t *d_labels, const lp_label_info *d_info, uint32_t n,
                    int Ly, int Lx, const lp_diffuse_plan *plan, void *d_scratch, lp_stream stream)
{
    const lp_heat_scratch a = lp_heat_lay_out(d_scratch, n);
    int e, size;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    if (plan->masks[LARGE])
        e = lp_heat_large(d_mu, plan, d_labels, d_info, Ly, Lx, &a, stream);
    else
        e = lp_scan_fill_cuda((uint32_t *)d_mu, 0, 2 * (int64_t)Ly * Lx, stream);
    for (size = 0; size < LARGE && !e; size++) {
        const int side = side_of(size), threads = side * side / LP_HEAT_ROWS;
        const size_t bytes = (size_t)(side + 2) * (size_t)(side + 2) * sizeof(double);

        if (plan->masks[size])
            e = LP_LAUNCH(diffuse_boxes, plan->masks[size], threads, bytes, stream, d_mu, d_labels,
                          d_info, a.centre, a.list, n, size, Ly, Lx);
    }
    return e;
}
