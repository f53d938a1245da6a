/* relabel - size, place and new numbers of labels.
 *
 * Removing and renumbering is one pass with a table: map[old] = new, 0 removes.
 * Arrays per label have n + 1 elements, indexed by the label; element 0 belongs to
 * the background. */
#ifndef LP_RELABEL_H
#define LP_RELABEL_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

/* What is known of one label. An absent label has count 0, first UINT32_MAX and an
 * empty box. */
typedef struct {
    uint32_t count;     /* pixels */
    uint32_t first;     /* its first pixel in raster order, y * Lx + x */
    int y0, y1, x0, x1; /* bounding box, y1 and x1 exclusive */
} lp_label_info;

/* info [n + 1] for labels 0..n of labels [Ly][Lx] (for 0 only count and first). */
void lp_relabel_info_ref(lp_label_info *info, uint32_t n, const uint32_t *labels, int Ly, int Lx);

/* map [n + 1]: on entry non-zero for the labels to keep; on return they carry 1, 2, ...
 * in raster order of their first pixel (fastremap.renumber), absent ones 0.
 * scratch [n] uint64. Returns how many are kept. */
uint32_t lp_relabel_order_ref(uint32_t *map, uint32_t n, const lp_label_info *info,
                              uint64_t *scratch);

/* labels [Ly][Lx] = map[labels], in place. map [n + 1], map[0] is 0. */
void lp_relabel_apply_ref(uint32_t *labels, const uint32_t *map, int Ly, int Lx);

/* On the device, the same bits; the box of label 0 is empty. The order takes the image's size and
 * lp_relabel_scratch_cuda bytes, and puts the number of labels kept in *d_kept. */
int lp_relabel_info_cuda(lp_label_info *d_info, uint32_t n, const uint32_t *d_labels, int Ly,
                         int Lx, lp_stream stream);
size_t lp_relabel_scratch_cuda(int Ly, int Lx);
int lp_relabel_order_cuda(uint32_t *d_map, uint32_t *d_kept, uint32_t n,
                          const lp_label_info *d_info, int Ly, int Lx, void *d_scratch,
                          lp_stream stream);
int lp_relabel_apply_cuda(uint32_t *d_labels, const uint32_t *d_map, int Ly, int Lx,
                          lp_stream stream);

/* Which labels stay: min_count <= pixels <= max_count, error not above max_error (NaN is not), and
 * with no_edges none whose box touches the border of Ly x Lx. */
typedef struct {
    uint32_t min_count;
    double max_count, max_error;
    int no_edges, Ly, Lx;
} lp_relabel_rule;

/* d_map [n + 1]: the label itself where it stays, else 0; d_map[0] is 0. */
int lp_relabel_keep_cuda(uint32_t *d_map, const lp_label_info *d_info, const double *d_error,
                         uint32_t n, lp_relabel_rule rule, lp_stream stream);

/* What is known of the labels under their new numbers: d_info2, d_error2 [n + 1] from d_info,
 * d_error [n + 1]; numbers that nothing maps to are absent, with error NaN. */
int lp_relabel_move_cuda(lp_label_info *d_info2, double *d_error2, const lp_label_info *d_info,
                         const double *d_error, const uint32_t *d_map, uint32_t n,
                         lp_stream stream);

#endif
