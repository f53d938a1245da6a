/* relabel - size, place and new numbers of labels.
 *
 * Removing and renumbering is one pass with a table: map[old] = new, 0 removes.
 * Arrays per label have n + 1 elements, indexed by the label; element 0 belongs to
 * the background. */
#ifndef LP_RELABEL_H
#define LP_RELABEL_H

#include <stdint.h>

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

#endif
