/* diffuse - the flows that masks should have (Cellpose: masks_to_flows_cpu).
 *
 * In each mask heat spreads from one pixel, the one nearest the centre of mass: every
 * step adds 1 there and then replaces each pixel of the mask by the mean of its 3 x 3
 * neighbourhood, in which everything outside the mask (other masks too) is 0. After
 * 2 * (h + w + 4) steps, h x w being the bounding box, the flows are the central
 * differences of T, divided by 1e-60 + their length. Far from the centre of a long mask T
 * falls below 1e-100, so T is double; that 1e-60 then makes flows vanish, as in Cellpose.
 * The nine are added in Cellpose's order: centre, up, down, left, right, up left, up right,
 * down left, down right. In another order T agrees to 1e-12, but where its slope vanishes
 * (the centre of a symmetric mask) rounding alone decides between 0 and a unit vector. */
#ifndef LP_DIFFUSE_H
#define LP_DIFFUSE_H

#include <stddef.h>
#include <stdint.h>

#include "relabel.h"
#include "stream.h"

/* Bytes of scratch for one call with these labels (info [n + 1]) and at most nthreads
 * threads. */
size_t lp_diffuse_scratch(const lp_label_info *info, uint32_t n, int nthreads);

/* mu [2][Ly][Lx] float32: unit flows, y then x (1.0, not 5.0, is one pixel per step); 0
 * outside the masks. labels [Ly][Lx] uint32 0..n, info [n + 1] of exactly these labels
 * (relabel.h); absent labels are fine.
 * nthreads only affects speed. Every version gives the same bits on the CPU. */
void lp_diffuse_ref(float *mu, const uint32_t *labels, const lp_label_info *info, uint32_t n,
                    int Ly, int Lx, int nthreads, void *scratch);

/* The same bits, faster. */
void lp_diffuse_cpu(float *mu, const uint32_t *labels, const lp_label_info *info, uint32_t n,
                    int Ly, int Lx, int nthreads, void *scratch);

/* pixel of label l nearest its centre of mass, y and x relative to its box; the first in
 * raster order on ties. */
void lp_diffuse_centre(int *cy, int *cx, const uint32_t *labels, const lp_label_info *info,
                       uint32_t l, int Lx);

/* On the device there are two parts, as the host has to know how many launches the second is. */
#define LP_DIFFUSE_SIZES 3 /* of boxes that fit in shared memory */

typedef struct {
    uint32_t masks[LP_DIFFUSE_SIZES + 1]; /* by size of their boxes; the last have no limit */
    uint32_t items;                       /* tiles of large masks */
    int32_t steps;                        /* of the large mask that has most */
} lp_diffuse_plan;

/* Bytes of scratch for both parts: 32 per label and 16 per pixel. */
size_t lp_diffuse_scratch_cuda(uint32_t n, int Ly, int Lx);

/* Centres (the same as lp_diffuse_centre) into scratch, and *d_plan. d_mu is used as scratch too.
 */
int lp_diffuse_plan_cuda(lp_diffuse_plan *d_plan, float *d_mu, const uint32_t *d_labels,
                         const lp_label_info *d_info, uint32_t n, int Ly, int Lx, void *d_scratch,
                         lp_stream stream);

/* d_mu as lp_diffuse_ref has it, the same bits. plan: *d_plan, in host memory; labels, info, mu and
 * scratch as lp_diffuse_plan_cuda left them. */
int lp_diffuse_cuda(float *d_mu, const uint32_t *d_labels, const lp_label_info *d_info, uint32_t n,
                    int Ly, int Lx, const lp_diffuse_plan *plan, void *d_scratch, lp_stream stream);

#endif
