/* group_outline - the common outlines of all groups at once, a warp for each row of each.
 *
 * A row is gone through in pieces of 128 pixels. Where members' runs begin and end within a piece
 * (a run that began earlier begins with it), their weights are added to differences in shared
 * memory, whose sums say where enough of the weight lies. */
#include "util.cuh"

extern "C" {
#include "group.h"
#include "scan.h"
}

static const int THREADS = 256, WARPS = THREADS / 32, OWN = 4, PIECE = 32 * OWN;
static const unsigned ALL = 0xffffffffu;

/* The group whose rows hold row r. */
static __device__ uint32_t job_of(const lp_group_job *job, uint32_t n, uint64_t r)
{
    uint32_t lo = 0, hi = n;

    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (job[mid].row <= r)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* The first of the runs at .. end of row y or further down. */
static __device__ uint64_t row_begin(const lp_run *run, uint64_t at, uint64_t end, int y)
{
    while (at < end) {
        uint64_t mid = at + (end - at) / 2;

        if (run[mid].y >= y)
            end = mid;
        else
            at = mid + 1;
    }
    return at;
}

/* Adds the runs of one member in x0 .. x0 + PIECE - 1 of row y. */
static __device__ void add_member(unsigned long long *diff, const lp_runs *m, uint32_t l,
                                  int64_t weight, int y, int x0)
{
    uint64_t end = m->first[l + 1], i = row_begin(m->run, m->first[l], end, y);

    for (; i < end; i++) {
        lp_run u = m->run[i];

        if (u.y != y || u.x0 >= x0 + PIECE) return;
        if (u.x1 <= x0) continue;
        atomicAdd(&diff[max(u.x0 - x0, 0)], (unsigned long long)weight);
        if (u.x1 < x0 + PIECE) atomicAdd(&diff[u.x1 - x0], (unsigned long long)-weight);
    }
}

/* run NULL: counts them. */
static __global__ void outline_rows(lp_run *run, uint32_t *of, uint32_t *count,
                                    const lp_group_job *job, uint32_t n, uint64_t n_rows,
                                    const uint32_t *member, const int64_t *weight, lp_runs masks,
                                    double share)
{
    __shared__ unsigned long long shared[WARPS][PIECE];
    uint64_t r = (uint64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    unsigned long long *diff = shared[threadIdx.x >> 5];
    uint32_t lane = threadIdx.x & 31, g, k, before = 0, found = 0;
    double need;
    lp_group_job own;
    int y, x0;

    if (r >= n_rows) return;
    g = job_of(job, n, r);
    own = job[g];
    y = own.y0 + (int)(r - own.row);
    need = share * (double)own.all;
    if (run) found = count[r];
    /* The pixel after the last one is in no mask, and ends what is open. */
    for (x0 = own.x0; x0 <= own.x1; x0 += PIECE) {
        unsigned long long sum = 0, left;
        uint32_t in = 0, starts, ends, rank;
        int i;

        for (i = 0; i < OWN; i++) diff[lane + 32 * i] = 0;
        __syncwarp(ALL);
        for (k = lane; k < own.count; k += 32) {
            uint32_t l = member[own.first + k];

            add_member(diff, &masks, l, weight[l], y, x0);
        }
        __syncwarp(ALL);
        for (i = 0; i < OWN; i++) sum += diff[OWN * lane + i];
        for (i = 1, left = sum; i < 32; i *= 2) {
            unsigned long long w = __shfl_up_sync(ALL, left, i);

            if (lane >= (uint32_t)i) left += w;
        }
        left -= sum; /* of the lanes before this one */
        for (i = 0; i < OWN; i++) {
            left += diff[OWN * lane + i];
            in |= (uint32_t)((double)(int64_t)left > need) << i;
        }
        __syncwarp(ALL);
        /* Bit 0 becomes the pixel before the lane's first. */
        rank = __shfl_up_sync(ALL, in >> (OWN - 1), 1);
        starts = in << 1 | (lane ? rank : before);
        before = __shfl_sync(ALL, in >> (OWN - 1), 31);
        ends = starts & ~in & ((1u << OWN) - 1);
        starts = in & ~starts;
        for (i = 1, rank = (uint32_t)__popc(starts); i < 32; i *= 2) {
            uint32_t w = __shfl_up_sync(ALL, rank, i);

            if (lane >= (uint32_t)i) rank += w;
        }
        k = found + rank - (uint32_t)__popc(starts); /* starts before this lane's */
        found += __shfl_sync(ALL, rank, 31);
        for (i = 0; i < OWN && run; i++) {
            int x = x0 + OWN * (int)lane + i;

            if (ends >> i & 1) run[k - 1].x1 = x;
            if (starts >> i & 1) {
                run[k].y = y;
                run[k].x0 = x;
                of[k++] = g;
            }
        }
    }
    if (!run && lane == 0) count[r] = found;
}

int lp_group_outline_count_cuda(uint32_t *d_count, const lp_group_job *d_job, uint32_t n,
                                uint64_t n_rows, const uint32_t *d_member, const int64_t *d_weight,
                                const lp_runs *masks, double share, void *d_scratch,
                                lp_stream stream)
{
    int rc;

    if (!n_rows) return lp_scan_fill_cuda(d_count, 0, 1, stream);
    if ((rc = LP_LAUNCH(outline_rows, lp_blocks((int64_t)n_rows, WARPS), THREADS, 0, stream, NULL,
                        NULL, d_count, d_job, n, n_rows, d_member, d_weight, *masks, share)))
        return rc;
    return lp_scan_u32_cuda(d_count, d_count, (int64_t)n_rows, d_scratch, stream);
}

int lp_group_outline_cuda(lp_run *d_run, uint32_t *d_of, const uint32_t *d_count,
                          const lp_group_job *d_job, uint32_t n, uint64_t n_rows,
                          const uint32_t *d_member, const int64_t *d_weight, const lp_runs *masks,
                          double share, lp_stream stream)
{
    if (!n_rows) return 0;
    return LP_LAUNCH(outline_rows, lp_blocks((int64_t)n_rows, WARPS), THREADS, 0, stream, d_run,
                     d_of, (uint32_t *)d_count, d_job, n, n_rows, d_member, d_weight, *masks,
                     share);
}
