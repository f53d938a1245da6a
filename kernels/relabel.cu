/* relabel - on the device: what is known of labels, which to keep, new numbers.
 *
 * First pixels differ, so a bit per pixel at the first pixels of the labels to keep, and the number
 * of bits before each word, are their order without any sort. */
#include "util.cuh"

#include "tile_runs.cuh"

extern "C" {
#include "relabel.h"
#include "scan.h"
}

#define THREADS 256

/* x0 of a label that has no pixel yet. */
static __global__ void __launch_bounds__(THREADS) relabel_clear(lp_label_info *info, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (l > n) return;
    info[l].count = 0;
    info[l].first = UINT32_MAX;
    info[l].y0 = info[l].y1 = info[l].x1 = 0;
    info[l].x0 = INT32_MAX;
}

/* Values only fall (or only rise), so one that is seen to be low enough stays so. */
static __device__ inline void lower(int *v, int to)
{
    if (*(volatile int *)v > to) atomicMin(v, to);
}

static __device__ inline void raise(int *v, int to)
{
    if (*(volatile int *)v < to) atomicMax(v, to);
}

static __device__ inline void lower(uint32_t *v, uint32_t to)
{
    if (*(volatile uint32_t *)v > to) atomicMin(v, to);
}

static __global__ void __launch_bounds__(32 * LP_RUN_WARPS)
    relabel_info(lp_label_info *info, const uint32_t *__restrict__ labels, int Ly, int Lx)
{
    lp_run_tiles(
        labels, Ly, Lx,
        [=](uint32_t l, int y0, int y1, int x0, int x1) {
            lp_label_info *f = info + l;

            atomicAdd(&f->count, (uint32_t)(y1 - y0) * (uint32_t)(x1 - x0));
            lower(&f->first, (uint32_t)((int64_t)y0 * Lx + x0));
            raise(&f->y1, y1);
            lower(&f->x0, x0);
            raise(&f->x1, x1);
        },
        [=](uint32_t count, uint32_t first) {
            atomicAdd(&info->count, count);
            lower(&info->first, first);
        });
}

static __global__ void __launch_bounds__(THREADS)
    relabel_boxes(lp_label_info *info, uint32_t n, int Lx)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (l > n) return;
    if (l == 0 || info[l].count == 0)
        info[l].y0 = info[l].y1 = info[l].x0 = info[l].x1 = 0;
    else
        info[l].y0 = (int)(info[l].first / (uint32_t)Lx);
}

int lp_relabel_info_cuda(lp_label_info *d_info, uint32_t n, const uint32_t *d_labels, int Ly,
                         int Lx, lp_stream stream)
{
    const int64_t blocks = lp_blocks((int64_t)n + 1, THREADS);
    int e;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    if ((e = LP_LAUNCH(relabel_clear, blocks, THREADS, 0, stream, d_info, n))) return e;
    if ((e = LP_LAUNCH(relabel_info, lp_run_blocks(Ly, Lx), 32 * LP_RUN_WARPS, 0, stream, d_info,
                       d_labels, Ly, Lx)))
        return e;
    return LP_LAUNCH(relabel_boxes, blocks, THREADS, 0, stream, d_info, n, Lx);
}

static __global__ void __launch_bounds__(THREADS)
    relabel_keep(uint32_t *map, const lp_label_info *info, const double *error, uint32_t n,
                 lp_relabel_rule r)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (l > n) return;
    const lp_label_info f = info[l];
    const int edge = f.y0 == 0 || f.x0 == 0 || f.y1 == r.Ly || f.x1 == r.Lx;
    const int keep = l > 0 && f.count >= r.min_count && !(f.count > r.max_count) &&
                     !(error[l] > r.max_error) && !(r.no_edges && edge);

    map[l] = keep ? (uint32_t)l : 0;
}

int lp_relabel_keep_cuda(uint32_t *d_map, const lp_label_info *d_info, const double *d_error,
                         uint32_t n, lp_relabel_rule rule, lp_stream stream)
{
    return LP_LAUNCH(relabel_keep, lp_blocks((int64_t)n + 1, THREADS), THREADS, 0, stream, d_map,
                     d_info, d_error, n, rule);
}

static __global__ void __launch_bounds__(THREADS)
    relabel_mark(uint32_t *bits, const uint32_t *map, const lp_label_info *info, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x + 1;

    if (l > n || !map[l] || !info[l].count) return;
    atomicOr(bits + info[l].first / 32, 1u << info[l].first % 32);
}

static __global__ void __launch_bounds__(THREADS)
    relabel_number(uint32_t *map, uint32_t *kept, const lp_label_info *info, uint32_t n,
                   const uint32_t *bits, const uint32_t *before, int64_t words)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    uint32_t k = 0;

    if (l > n) return;
    if (l == 0) *kept = before[words];
    if (l > 0 && map[l] && info[l].count) {
        const uint32_t w = info[l].first / 32, below = (1u << info[l].first % 32) - 1;

        k = before[w] + (uint32_t)__popc(bits[w] & below) + 1;
    }
    map[l] = k;
}

static __global__ void __launch_bounds__(THREADS)
    relabel_count(uint32_t *before, const uint32_t *bits, int64_t words)
{
    const int64_t w = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (w < words) before[w] = (uint32_t)__popc(bits[w]);
}

/* Words of bits, for scratch whose parts begin at multiples of 8 bytes. */
static int64_t words_of(int Ly, int Lx)
{
    return lp_blocks((int64_t)Ly * Lx, 64) * 2;
}

size_t lp_relabel_scratch_cuda(int Ly, int Lx)
{
    const int64_t words = words_of(Ly, Lx);

    return (2 * (size_t)words + 2) * sizeof(uint32_t) + lp_scan_scratch_cuda(words);
}

int lp_relabel_order_cuda(uint32_t *d_map, uint32_t *d_kept, uint32_t n,
                          const lp_label_info *d_info, int Ly, int Lx, void *d_scratch,
                          lp_stream stream)
{
    const int64_t words = words_of(Ly, Lx);
    uint32_t *bits = (uint32_t *)d_scratch, *before = bits + words;
    int e;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    if ((e = lp_scan_fill_cuda(bits, 0, words, stream))) return e;
    if (n && (e = LP_LAUNCH(relabel_mark, lp_blocks(n, THREADS), THREADS, 0, stream, bits, d_map,
                            d_info, n)))
        return e;
    if ((e = LP_LAUNCH(relabel_count, lp_blocks(words, THREADS), THREADS, 0, stream, before, bits,
                       words)))
        return e;
    if ((e = lp_scan_u32_cuda(before, before, words, before + words + 2, stream))) return e;
    return LP_LAUNCH(relabel_number, lp_blocks((int64_t)n + 1, THREADS), THREADS, 0, stream, d_map,
                     d_kept, d_info, n, bits, before, words);
}

static __global__ void __launch_bounds__(THREADS)
    relabel_apply(uint32_t *labels, const uint32_t *__restrict__ map, int64_t n)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (i >= n) return;
    const uint32_t l = labels[i], to = map[l];

    if (to != l) labels[i] = to;
}

int lp_relabel_apply_cuda(uint32_t *d_labels, const uint32_t *d_map, int Ly, int Lx,
                          lp_stream stream)
{
    const int64_t n = (int64_t)Ly * Lx;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    return LP_LAUNCH(relabel_apply, lp_blocks(n, THREADS), THREADS, 0, stream, d_labels, d_map, n);
}

static __global__ void __launch_bounds__(THREADS)
    relabel_absent(lp_label_info *info, double *error, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (l > n) return;
    info[l].count = 0;
    info[l].first = UINT32_MAX;
    info[l].y0 = info[l].y1 = info[l].x0 = info[l].x1 = 0;
    error[l] = NAN;
}

static __global__ void __launch_bounds__(THREADS)
    relabel_move(lp_label_info *info2, double *error2, const lp_label_info *info,
                 const double *error, const uint32_t *map, uint32_t n)
{
    const int64_t l = (int64_t)blockIdx.x * THREADS + threadIdx.x;

    if (l > n) return;
    const uint32_t to = map[l];

    if (l > 0 && !to) return;
    info2[to] = info[l];
    error2[to] = error[l];
}

int lp_relabel_move_cuda(lp_label_info *d_info2, double *d_error2, const lp_label_info *d_info,
                         const double *d_error, const uint32_t *d_map, uint32_t n, lp_stream stream)
{
    const int64_t blocks = lp_blocks((int64_t)n + 1, THREADS);
    int e;

    if ((e = LP_LAUNCH(relabel_absent, blocks, THREADS, 0, stream, d_info2, d_error2, n))) return e;
    return LP_LAUNCH(relabel_move, blocks, THREADS, 0, stream, d_info2, d_error2, d_info, d_error,
                     d_map, n);
}
