/* fill_holes - fills the holes of masks (Cellpose: fill_voids in
 * fill_holes_and_remove_small_masks).
 *
 * A hole of a mask is a 4-connected set of pixels that are not the mask's and that do not
 * reach the border of its bounding box. What lies in a hole may be another mask:
 * Cellpose overwrites it, in label order, so that the result depends on the numbering;
 * here it is kept, unless compat asks for Cellpose's behaviour. */
#ifndef LP_FILL_HOLES_H
#define LP_FILL_HOLES_H

#include <stddef.h>
#include <stdint.h>

#include "relabel.h"
#include "stream.h"

/* Bytes of scratch for one call with these labels. */
size_t lp_fill_holes_scratch(const lp_label_info *info, uint32_t n);

/* labels [Ly][Lx] uint32 0..n, in place; info [n + 1] of the labels on entry.
 * compat 0: boxes in order of growing area, ties by label; only background (0) is
 * filled, so a mask inside another's hole survives with its own holes filled first.
 * compat 1: in label order; all of a hole is overwritten, within the boxes on entry. */
void lp_fill_holes_ref(uint32_t *labels, const lp_label_info *info, uint32_t n, int Lx, int compat,
                       void *scratch);

/* compat 0 on the device, the same bits. scratch: 8 bytes per label and, where boxes may be too
 * large for shared memory, 2 per pixel. */
size_t lp_fill_holes_scratch_cuda(uint32_t n, int Ly, int Lx);
int lp_fill_holes_cuda(uint32_t *d_labels, const lp_label_info *d_info, uint32_t n, int Ly, int Lx,
                       void *d_scratch, lp_stream stream);

/* compat 1 on the device, the same bits, in rounds: over, read *d_changed, until that is 0; then
 * over_end. Between them labels are marked and of no other use. Mostly one round, one more for
 * every level of masks that take pixels of masks inside them, at most n + 1. scratch: 8 bytes per
 * pixel more, kept between the calls. */
size_t lp_fill_holes_over_scratch_cuda(uint32_t n, int Ly, int Lx);
int lp_fill_holes_over_cuda(uint32_t *d_labels, uint32_t *d_changed, const lp_label_info *d_info,
                            uint32_t n, int Ly, int Lx, void *d_scratch, lp_stream stream);
int lp_fill_holes_over_end_cuda(uint32_t *d_labels, uint32_t n, int Ly, int Lx, void *d_scratch,
                                lp_stream stream);

#endif
