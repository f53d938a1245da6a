/* fill_holes - on the device, all masks at once.
 *
 * Why no order is needed with compat 0: a hole of a mask is a 4-connected part of what is not the
 * mask's, and filling other masks never takes a pixel from it or adds one, so the holes of every
 * mask can be found in the labels as they came. What the order decides is only who gets a
 * background pixel that lies in holes of several masks: the mask with the smallest box, of equals
 * the one with the smaller label. Each mask claims such a pixel by compare-and-swap: the better one
 * stays, whichever came first. Claimed pixels have the top bit set until all are done, so that they
 * are still no pixels of their mask while others look.
 *
 * With compat 1 a mask l takes what lies in its holes from other masks, in order of label. So its
 * own pixels, when its turn comes, are those that it had and that lie in no hole of a j < l. The
 * holes of all are found as if no pixel was taken (first round); then pixels in a hole of a smaller
 * label than their own are marked as taken, and the holes found again, until no mark changes. Marks
 * on pixels of l depend on labels below l only, so that round l is right about label l at the
 * latest, and rounds agree once all are right; masks in masks are few deep, so are the rounds. What
 * a pixel is in the end is the largest label with a hole there.
 *
 * A box is a bit per pixel: open (not the mask's) and reached (from the border of the box). Reached
 * bits spread along whole rows by the carries of an addition and along columns word by word, up and
 * down in strips of rows, until nothing changes: mostly two rounds, more only for winding shapes.
 */
#include "util.cuh"

#include "warp.cuh"

extern "C" {
#include "fill_holes.h"
#include "scan.h"
}

#define STRIP 32        /* rows that one thread takes in a column of words */
#define SMALL_WORDS 512 /* per bit plane, of boxes done by the first launch */
#define SMALL_THREADS 64
#define MEDIUM_WORDS 6144 /* of boxes that still fit in shared memory */
#define MEDIUM_THREADS 256
#define MEDIUM_BLOCKS 512
#define LARGE_THREADS 1024
#define LARGE_BLOCKS 8 /* each has its bits in the scratch */
#define AHEAD 4        /* words that a warp reads at a time */
#define CLAIMED 0x80000000u
#define TAKEN 0x80000000u

/* In the scratch, before the lists and the bits of large boxes. */
struct todo {
    uint32_t medium, large; /* lengths of the lists */
    uint32_t claimed;       /* 1: some pixel was */
};

struct box {
    uint32_t l, *open, *reached; /* [h][words] */
    int y0, x0, h, w, words;
};

static LP_BOTH inline int64_t words_of(int h, int w)
{
    return (int64_t)h * ((w + 31) / 32);
}

static __device__ inline box make_box(uint32_t l, const lp_label_info &f, uint32_t *bits)
{
    const int h = f.y1 - f.y0, w = f.x1 - f.x0;

    return {l, bits, bits + words_of(h, w), f.y0, f.x0, h, w, (w + 31) / 32};
}

/* Warps take words; several are read before any is used. */
static __device__ void load(const box &b, const uint32_t *labels, int Lx)
{
    const int lane = (int)(threadIdx.x & 31), warps = (int)(blockDim.x >> 5);
    const int64_t words = words_of(b.h, b.w);

    for (int64_t first = threadIdx.x >> 5; first < words; first += AHEAD * warps) {
        int open[AHEAD], edge[AHEAD];

#pragma unroll
        for (int k = 0; k < AHEAD; k++) {
            const uint32_t i = (uint32_t)(first + k * warps);
            const int y = (int)(i / (uint32_t)b.words),
                      x = (int)(i % (uint32_t)b.words) * 32 + lane;

            open[k] = i < words && x < b.w && labels[(int64_t)(b.y0 + y) * Lx + b.x0 + x] != b.l;
            edge[k] = y == 0 || y == b.h - 1 || x == 0 || x == b.w - 1;
        }
#pragma unroll
        for (int k = 0; k < AHEAD; k++) {
            const int64_t i = first + k * warps;
            const unsigned bits = __ballot_sync(LP_ALL_LANES, open[k]);
            const unsigned from = __ballot_sync(LP_ALL_LANES, open[k] && edge[k]);

            if (lane == 0 && i < words) {
                b.open[i] = bits;
                b.reached[i] = from;
            }
        }
    }
}

/* Reached bits of a word, spread to higher bits within runs of open ones; *carry: the run goes on
 * into the next word. */
static __device__ inline uint32_t spread_up(uint32_t open, uint32_t reached, uint32_t *carry)
{
    const uint32_t seed = reached | (*carry & open);
    const uint64_t sum = (uint64_t)open + seed;
    const uint32_t all = (((uint32_t)sum ^ open) | seed) & open;

    *carry = all >> 31;
    return all;
}

static __device__ int spread_rows(const box &b)
{
    int changed = 0;

    for (int y = (int)threadIdx.x; y < b.h; y += (int)blockDim.x) {
        const uint32_t *open = b.open + (int64_t)y * b.words;
        uint32_t *reached = b.reached + (int64_t)y * b.words, carry = 0;

        for (int k = 0; k < b.words; k++) {
            const uint32_t was = reached[k], now = spread_up(open[k], was, &carry);

            if (now != was) {
                reached[k] = now;
                changed = 1;
            }
        }
        carry = 0;
        for (int k = b.words - 1; k >= 0; k--) {
            const uint32_t was = reached[k];
            const uint32_t now = __brev(spread_up(__brev(open[k]), __brev(was), &carry));

            if (now != was) {
                reached[k] = now;
                changed = 1;
            }
        }
    }
    return changed;
}

/* Down and up again through STRIP rows of a column of words. Rows of other strips are read between
 * the barriers before anyone writes. */
static __device__ int spread_columns(const box &b)
{
    const int strips = (b.h + STRIP - 1) / STRIP;
    const int64_t jobs = (int64_t)strips * b.words;
    int changed = 0;

    for (int64_t first = 0; first < jobs; first += blockDim.x) {
        const int64_t job = first + threadIdx.x;
        const int k = (int)((uint32_t)job % (uint32_t)b.words);
        const int ya = (int)((uint32_t)job / (uint32_t)b.words) * STRIP;
        const int yb = ya + STRIP < b.h ? ya + STRIP : b.h;
        uint32_t above = 0, below = 0;

        if (job < jobs) {
            above = ya > 0 ? b.reached[(int64_t)(ya - 1) * b.words + k] : 0;
            below = yb < b.h ? b.reached[(int64_t)yb * b.words + k] : 0;
        }
        __syncthreads();
        if (job < jobs) {
            for (int y = ya; y < yb; y++) {
                const int64_t i = (int64_t)y * b.words + k;
                const uint32_t was = b.reached[i];

                above = was | (above & b.open[i]);
                if (above == was) continue;
                b.reached[i] = above;
                changed = 1;
            }
            for (int y = yb - 1; y >= ya; y--) {
                const int64_t i = (int64_t)y * b.words + k;
                const uint32_t was = b.reached[i];

                below = was | (below & b.open[i]);
                if (below == was) continue;
                b.reached[i] = below;
                changed = 1;
            }
        }
        __syncthreads();
    }
    return changed;
}

static __device__ inline uint64_t rank_of(const lp_label_info &f, uint32_t l)
{
    return (uint64_t)((uint32_t)(f.y1 - f.y0) * (uint32_t)(f.x1 - f.x0)) << 32 | l;
}

/* compat 0: the pixel is l's unless it is another mask's, or claimed by one of a smaller box. */
struct claim_empty {
    uint32_t *labels;

    __device__ void operator()(int64_t i, uint32_t l, const lp_label_info *info) const
    {
        uint32_t was = atomicCAS(labels + i, 0u, l | CLAIMED);

        while (was & CLAIMED) {
            const uint32_t other = was & ~CLAIMED;
            uint32_t now;

            if (rank_of(info[other], other) <= rank_of(info[l], l)) return;
            now = atomicCAS(labels + i, was, l | CLAIMED);
            if (now == was) return;
            was = now;
        }
    }
};

/* compat 1: the first and the last label with a hole there; first is UINT32_MAX where none has,
 * last is 0. */
struct claim_any {
    uint32_t *first, *last;

    __device__ void operator()(int64_t i, uint32_t l, const lp_label_info *) const
    {
        atomicMin(first + i, l);
        atomicMax(last + i, l);
    }
};

/* Every thread of the block calls it. */
template <class CLAIM>
static __device__ void fill_box(const uint32_t *labels, todo *t, const lp_label_info *info, int Lx,
                                const box &b, const CLAIM &claim)
{
    const int lane = (int)(threadIdx.x & 31);
    int changed, holes = 0;

    if (b.h < 3 || b.w < 3) return; /* the whole block */
    load(b, labels, Lx);
    __syncthreads();
    do {
        changed = spread_rows(b);
        __syncthreads();
        changed |= spread_columns(b);
        changed = __syncthreads_or(changed);
    } while (changed);
    for (int64_t i = threadIdx.x >> 5; i < words_of(b.h, b.w); i += blockDim.x >> 5) {
        const uint32_t hole = b.open[i] & ~b.reached[i];
        const int y = (int)((uint32_t)i / (uint32_t)b.words);
        const int x = (int)((uint32_t)i % (uint32_t)b.words) * 32 + lane;

        if (!(hole >> lane & 1)) continue;
        claim((int64_t)(b.y0 + y) * Lx + b.x0 + x, b.l, info);
        holes = 1;
    }
    if (__syncthreads_or(holes) && threadIdx.x == 0) atomicOr(&t->claimed, 1u);
}

template <class CLAIM>
static __global__ void __launch_bounds__(SMALL_THREADS)
    fill_small(const uint32_t *labels, todo *t, uint32_t *medium, uint32_t *large,
               const lp_label_info *info, int Lx, CLAIM claim)
{
    __shared__ uint32_t bits[2 * SMALL_WORDS];
    const uint32_t l = blockIdx.x + 1;
    const lp_label_info f = info[l];
    const int64_t words = words_of(f.y1 - f.y0, f.x1 - f.x0);

    if (words > SMALL_WORDS) {
        if (threadIdx.x == 0) {
            if (words <= MEDIUM_WORDS)
                medium[atomicAdd(&t->medium, 1u)] = l;
            else
                large[atomicAdd(&t->large, 1u)] = l;
        }
        return;
    }
    fill_box(labels, t, info, Lx, make_box(l, f, bits), claim);
}

template <class CLAIM>
static __global__ void __launch_bounds__(MEDIUM_THREADS)
    fill_medium(const uint32_t *labels, todo *t, const uint32_t *list, const lp_label_info *info,
                int Lx, CLAIM claim)
{
    LP_SHARED(uint32_t, bits);

    for (uint32_t k = blockIdx.x; k < t->medium; k += gridDim.x) {
        fill_box(labels, t, info, Lx, make_box(list[k], info[list[k]], bits), claim);
        __syncthreads();
    }
}

/* bits: `each` words per block. */
template <class CLAIM>
static __global__ void __launch_bounds__(LARGE_THREADS)
    fill_large(const uint32_t *labels, todo *t, const uint32_t *list, const lp_label_info *info,
               int Lx, uint32_t *bits, int64_t each, CLAIM claim)
{
    for (uint32_t k = blockIdx.x; k < t->large; k += gridDim.x) {
        fill_box(labels, t, info, Lx,
                 make_box(list[k], info[list[k]], bits + (int64_t)blockIdx.x * each), claim);
        __syncthreads();
    }
}

static __global__ void __launch_bounds__(256)
    fill_finish(uint32_t *labels, const todo *t, int64_t n)
{
    const int64_t i = (int64_t)blockIdx.x * 256 + threadIdx.x;

    if (!t->claimed || i >= n) return;
    const uint32_t l = labels[i];

    if (l & CLAIMED) labels[i] = l & ~CLAIMED;
}

static size_t lists_bytes(uint32_t n)
{
    return sizeof(todo) + 2 * (size_t)n * sizeof(uint32_t);
}

size_t lp_fill_holes_scratch_cuda(uint32_t n, int Ly, int Lx)
{
    const int64_t words = words_of(Ly, Lx);

    return lists_bytes(n) +
           (words > MEDIUM_WORDS ? 2 * LARGE_BLOCKS * (size_t)words * sizeof(uint32_t) : 0);
}

/* The boxes of all masks. */
template <class CLAIM>
static int fill_all(const uint32_t *d_labels, const lp_label_info *d_info, uint32_t n, int Ly,
                    int Lx, void *d_scratch, CLAIM claim, lp_stream stream)
{
    todo *t = (todo *)d_scratch;
    uint32_t *medium = (uint32_t *)(t + 1), *large = medium + n, *bits = large + n;
    const int64_t words = words_of(Ly, Lx);
    int e;

    if ((e = lp_scan_fill_cuda((uint32_t *)t, 0, sizeof *t / 4, stream))) return e;
    if ((e = LP_LAUNCH(fill_small<CLAIM>, n, SMALL_THREADS, 0, stream, d_labels, t, medium, large,
                       d_info, Lx, claim)))
        return e;
    if (words > SMALL_WORDS) {
        e = LP_LAUNCH(fill_medium<CLAIM>, n < MEDIUM_BLOCKS ? n : MEDIUM_BLOCKS, MEDIUM_THREADS,
                      2 * MEDIUM_WORDS * sizeof(uint32_t), stream, d_labels, t, medium, d_info, Lx,
                      claim);
        if (e) return e;
    }
    if (words <= MEDIUM_WORDS) return 0;
    return LP_LAUNCH(fill_large<CLAIM>, n < LARGE_BLOCKS ? n : LARGE_BLOCKS, LARGE_THREADS, 0,
                     stream, d_labels, t, large, d_info, Lx, bits, 2 * words, claim);
}

int lp_fill_holes_cuda(uint32_t *d_labels, const lp_label_info *d_info, uint32_t n, int Ly, int Lx,
                       void *d_scratch, lp_stream stream)
{
    int e;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    if (n == 0) return 0;
    e = fill_all(d_labels, d_info, n, Ly, Lx, d_scratch, claim_empty{d_labels}, stream);
    if (e) return e;
    return LP_LAUNCH(fill_finish, lp_blocks((int64_t)Ly * Lx, 256), 256, 0, stream, d_labels,
                     (const todo *)d_scratch, (int64_t)Ly * Lx);
}

/* Before every round: nobody has a hole anywhere. */
static __global__ void __launch_bounds__(256) fill_forget(claim_any c, uint32_t *changed, int64_t n)
{
    const int64_t i = (int64_t)blockIdx.x * 256 + threadIdx.x;

    if (i == 0) *changed = 0;
    if (i >= n) return;
    c.first[i] = UINT32_MAX;
    c.last[i] = 0;
}

/* After it: marks. */
static __global__ void __launch_bounds__(256)
    fill_take(uint32_t *labels, claim_any c, uint32_t *changed, int64_t n)
{
    const int64_t i = (int64_t)blockIdx.x * 256 + threadIdx.x;

    if (i >= n) return;
    const uint32_t was = labels[i], l = was & ~TAKEN, now = c.first[i] < l ? l | TAKEN : l;

    if (now == was) return;
    labels[i] = now;
    atomicOr(changed, 1u);
}

static __global__ void __launch_bounds__(256) fill_over(uint32_t *labels, claim_any c, int64_t n)
{
    const int64_t i = (int64_t)blockIdx.x * 256 + threadIdx.x;

    if (i >= n) return;
    const uint32_t was = labels[i], to = c.last[i] ? c.last[i] : was & ~TAKEN;

    if (to != was) labels[i] = to;
}

/* In the scratch behind what fill_all needs. */
static claim_any claims_in(void *scratch, uint32_t n, int Ly, int Lx)
{
    uint32_t *p = (uint32_t *)((char *)scratch + lp_fill_holes_scratch_cuda(n, Ly, Lx));

    return {p, p + (int64_t)Ly * Lx};
}

size_t lp_fill_holes_over_scratch_cuda(uint32_t n, int Ly, int Lx)
{
    return lp_fill_holes_scratch_cuda(n, Ly, Lx) + 2 * (size_t)Ly * (size_t)Lx * sizeof(uint32_t);
}

int lp_fill_holes_over_cuda(uint32_t *d_labels, uint32_t *d_changed, const lp_label_info *d_info,
                            uint32_t n, int Ly, int Lx, void *d_scratch, lp_stream stream)
{
    const claim_any c = claims_in(d_scratch, n, Ly, Lx);
    const int64_t px = (int64_t)Ly * Lx, blocks = lp_blocks(px, 256);
    int e;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    if ((e = LP_LAUNCH(fill_forget, blocks, 256, 0, stream, c, d_changed, px)) || n == 0) return e;
    if ((e = fill_all(d_labels, d_info, n, Ly, Lx, d_scratch, c, stream))) return e;
    return LP_LAUNCH(fill_take, blocks, 256, 0, stream, d_labels, c, d_changed, px);
}

int lp_fill_holes_over_end_cuda(uint32_t *d_labels, uint32_t n, int Ly, int Lx, void *d_scratch,
                                lp_stream stream)
{
    const int64_t px = (int64_t)Ly * Lx;

    if (Ly < 1 || Lx < 1) return cudaErrorInvalidValue;
    return LP_LAUNCH(fill_over, lp_blocks(px, 256), 256, 0, stream, d_labels,
                     claims_in(d_scratch, n, Ly, Lx), px);
}
