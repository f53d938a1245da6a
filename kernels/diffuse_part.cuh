/* diffuse_part - what the small and the large masks of lp_diffuse_cuda have in common. */
#ifndef LP_DIFFUSE_PART_CUH
#define LP_DIFFUSE_PART_CUH

#include "util.cuh"

#include "warp.cuh"

extern "C" {
#include "diffuse.h"
}

#define LP_HEAT_ROWS 16 /* rows of a column that a thread has, in registers between steps */
#define LP_HEAT_SIDE 64 /* of the largest box that a block holds in shared memory */

/* Where the parts of the scratch begin. */
struct lp_heat_scratch {
    unsigned long long *sum; /* [n + 1][2] of y and of x over the pixels of each label */
    int2 *centre;            /* [n + 1] where heat is added, y in .x and x in .y */
    uint32_t *list;          /* [2][n]: boxes by size, see lp_heat_list */
    double *T;               /* [2][Ly][Lx], of large masks only; they share it, being disjoint */
    size_t table_bytes;      /* before T */
};

static inline lp_heat_scratch lp_heat_lay_out(void *scratch, uint32_t n)
{
    unsigned char *p = (unsigned char *)scratch;
    const size_t labels = (size_t)n + 1;
    lp_heat_scratch a;

    a.sum = (unsigned long long *)p;
    a.centre = (int2 *)(p + labels * 16);
    a.list = (uint32_t *)(p + labels * 24);
    a.T = (double *)(p + labels * 32);
    a.table_bytes = labels * 32;
    return a;
}

/* Entry k of the list of a class: 0 and 2 grow up from the ends of list, 1 and 3 grow down. */
static __device__ inline uint32_t *lp_heat_list(uint32_t *list, uint32_t n, int size, uint32_t k)
{
    uint32_t *half = list + (size_t)n * (size_t)(size / 2);

    return size % 2 ? half + (n - 1 - k) : half + k;
}

static __device__ inline int lp_heat_steps(const lp_label_info &f)
{
    return 2 * (f.y1 - f.y0 + f.x1 - f.x0 + 4);
}

static __device__ inline int lp_heat_is_large(const lp_label_info &f)
{
    return f.y1 - f.y0 > LP_HEAT_SIDE || f.x1 - f.x0 > LP_HEAT_SIDE;
}

/* v: a step later than the rows that begin at c, `stride` doubles apart; neighbours all around can
 * be read. Terms are added in the order of diffuse.h; each value is loaded by three threads, once
 * each. */
static __device__ __forceinline__ void lp_heat_step(double (&v)[LP_HEAT_ROWS], const double *c,
                                                    int stride, int rows)
{
    double ul = c[-stride - 1], u = c[-stride], ur = c[-stride + 1];
    double l = c[-1], m = c[0], r = c[1];

#pragma unroll
    for (int j = 0; j < LP_HEAT_ROWS; j++) {
        if (j < rows) {
            c += stride;
            const double dl = c[-1], d = c[0], dr = c[1];

            v[j] = 1 / 9.0 * (m + u + d + l + r + ul + ur + dl + dr);
            ul = l;
            u = m;
            ur = r;
            l = dl;
            m = d;
            r = dr;
        }
    }
}

/* Puts v where bits are set; hot: the row to which heat is added, or -1. */
static __device__ __forceinline__ void
lp_heat_store(double *c, int stride, const double (&v)[LP_HEAT_ROWS], unsigned bits, int hot)
{
#pragma unroll
    for (int j = 0; j < LP_HEAT_ROWS; j++)
        if (bits >> j & 1) c[j * stride] = j == hot ? v[j] + 1 : v[j];
}

/* Unit flow from the differences of T. */
static __device__ inline void lp_heat_flow(float *mu, int64_t i, int64_t plane, double dy,
                                           double dx)
{
    const double norm = 1e-60 + sqrt(dy * dy + dx * dx);

    mu[i] = (float)(dy / norm);
    mu[plane + i] = (float)(dx / norm);
}

/* diffuse_large.cu. items [pixels]: label in .x and tile in .y; gets the tiles of the large masks,
 * plan->items of them. */
int lp_heat_large_plan(uint2 *items, lp_diffuse_plan *plan, const uint32_t *labels,
                       const lp_label_info *info, uint32_t n, int Ly, int Lx, uint32_t *list,
                       lp_stream stream);
/* Writes all of mu, which holds the items before: the flows of large masks, else 0. */
int lp_heat_large(float *mu, const lp_diffuse_plan *plan, const uint32_t *labels,
                  const lp_label_info *info, int Ly, int Lx, const lp_heat_scratch *a,
                  lp_stream stream);

#endif
