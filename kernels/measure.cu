/* measure - sums over the runs of each particle, and its boundary crossings pixel by pixel. */
#include "util.cuh"

#include "warp.cuh"

extern "C" {
#include "measure.h"
}

static const int THREADS = 256, WARPS = THREADS / 32;

static __device__ int64_t tri(int64_t n)
{
    return n * (n - 1) / 2;
}
static __device__ int64_t pyr(int64_t n)
{
    return (n - 1) * n * (2 * n - 1) / 6;
}

static __device__ int64_t warp_sum(int64_t v)
{
    int k;

    for (k = 16; k; k /= 2) v += (int64_t)__shfl_xor_sync(LP_ALL_LANES, (unsigned long long)v, k);
    return v;
}

/* One warp per particle. */
static __global__ void moments(lp_measure_sums *s, lp_runs r)
{
    int64_t l = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    int lane = threadIdx.x & 31, x0 = INT32_MAX, x1 = 0, k;
    lp_measure_sums a = {};
    uint64_t i, end;

    if (l >= r.n) return;
    i = r.first[l];
    end = r.first[l + 1];
    if (i < end) {
        a.y0 = r.run[i].y;
        a.ox = r.run[i].x0;
        a.y1 = r.run[end - 1].y + 1;
    }
    for (i += (unsigned)lane; i < end; i += 32) {
        lp_run u = r.run[i];
        int64_t n = u.x1 - u.x0, dx = u.x0 - a.ox, dy = u.y - a.y0;

        x0 = min(x0, u.x0);
        x1 = max(x1, u.x1);
        a.area += n;
        a.sy += n * dy;
        a.sx += n * dx + tri(n);
        a.syy += n * dy * dy;
        a.syx += dy * (n * dx + tri(n));
        a.sxx += n * dx * dx + 2 * dx * tri(n) + pyr(n);
    }
    for (k = 16; k; k /= 2) {
        x0 = min(x0, __shfl_xor_sync(LP_ALL_LANES, x0, k));
        x1 = max(x1, __shfl_xor_sync(LP_ALL_LANES, x1, k));
    }
    a.area = warp_sum(a.area);
    a.sy = warp_sum(a.sy);
    a.sx = warp_sum(a.sx);
    a.syy = warp_sum(a.syy);
    a.syx = warp_sum(a.syx);
    a.sxx = warp_sum(a.sxx);
    if (a.area) {
        a.x0 = x0;
        a.x1 = x1;
    }
    if (lane == 0) s[l] = a;
}

static __device__ void cross(lp_measure_sums *s, uint32_t u, uint32_t v, int diagonal)
{
    if (u == v) return;
    if (u)
        atomicAdd((unsigned long long *)(diagonal ? &s[u - 1].cross_diag : &s[u - 1].cross_axis),
                  1ull);
    if (v)
        atomicAdd((unsigned long long *)(diagonal ? &s[v - 1].cross_diag : &s[v - 1].cross_axis),
                  1ull);
}

/* One thread for each point where four pixels meet, those of the image's border among them: of
 * Ly + 1 rows, cut into pieces of THREADS. */
static __global__ void crossings(lp_measure_sums *s, const uint32_t *labels, int Ly, int Lx,
                                 int pieces)
{
    int y = (int)(blockIdx.x / pieces), x = (int)(blockIdx.x % pieces) * THREADS + (int)threadIdx.x;
    uint32_t p, q, r, t;
    int64_t i = (int64_t)y * Lx + x;

    if (x > Lx) return;
    p = y > 0 && x > 0 ? labels[i - Lx - 1] : 0;
    q = y > 0 && x < Lx ? labels[i - Lx] : 0;
    r = y < Ly && x > 0 ? labels[i - 1] : 0;
    t = y < Ly && x < Lx ? labels[i] : 0;
    if (p == q && r == t && p == r) return;
    cross(s, r, t, 0);
    cross(s, p, r, 0);
    cross(s, p, t, 1);
    cross(s, q, r, 1);
}

/* sum [2][n_runs] */
static __global__ void run_sums(double *sum, const lp_run *run, uint64_t n_runs, const float *image,
                                const float *cellprob, int Lx)
{
    uint64_t i = (uint64_t)blockIdx.x * THREADS + threadIdx.x;
    double a = 0, b = 0;
    int64_t row;
    lp_run u;
    int x;

    if (i >= n_runs) return;
    u = run[i];
    row = (int64_t)u.y * Lx;
    for (x = u.x0; x < u.x1 && image; x++) a += image[row + x];
    for (x = u.x0; x < u.x1 && cellprob; x++) b += cellprob[row + x];
    sum[i] = a;
    sum[n_runs + i] = b;
}

/* One warp per particle. */
static __global__ void add_sums(lp_measure_sums *s, lp_runs r, const double *sum, uint64_t n_runs)
{
    const int64_t l = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);

    if (l >= r.n) return; /* the whole warp */
    const double a = lp_warp_sum_in_order(sum, r.first[l], r.first[l + 1]);
    const double b = lp_warp_sum_in_order(sum + n_runs, r.first[l], r.first[l + 1]);

    if ((threadIdx.x & 31) != 0) return;
    s[l].intensity = a;
    s[l].cellprob = b;
}

int lp_measure_cuda(lp_measure_sums *d_s, const lp_runs *r, uint64_t n_runs,
                    const uint32_t *d_labels, const float *d_image, const float *d_cellprob, int Ly,
                    int Lx, double *d_sum, lp_stream stream)
{
    int pieces = (Lx + THREADS) / THREADS, rc;

    if (!r->n) return 0;
    if ((rc = LP_LAUNCH(moments, lp_blocks(r->n, WARPS), THREADS, 0, stream, d_s, *r))) return rc;
    if ((rc = LP_LAUNCH(crossings, ((int64_t)Ly + 1) * pieces, THREADS, 0, stream, d_s, d_labels,
                        Ly, Lx, pieces)))
        return rc;
    if (!n_runs || (!d_image && !d_cellprob)) return 0;
    if ((rc = LP_LAUNCH(run_sums, lp_blocks((int64_t)n_runs, THREADS), THREADS, 0, stream, d_sum,
                        r->run, n_runs, d_image, d_cellprob, Lx)))
        return rc;
    return LP_LAUNCH(add_sums, lp_blocks(r->n, WARPS), THREADS, 0, stream, d_s, *r, d_sum, n_runs);
}
