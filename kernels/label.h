/* label - the label of every pixel from where it ended, and labels at another size. */
#ifndef LP_LABEL_H
#define LP_LABEL_H

#include <stdint.h>

#include "stream.h"

/* labels [Ly][Lx] uint32: m[end], 0 where end is LP_FOLLOW_NONE. end (follow.h) and
 * m (seeds.h) are [Ly][Lx] uint32; labels may be end, but not m. */
void lp_label_ref(uint32_t *labels, const uint32_t *end, const uint32_t *m, int Ly, int Lx);

/* out [Ly2][Lx2] from in [Ly][Lx], no overlap: the pixel that cv2.resize with
 * INTER_NEAREST takes, min(floor(x * (1 / (Lx2 / Lx))), Lx - 1) in double (OpenCV,
 * resize.cpp), likewise for y. */
void lp_label_resize_ref(uint32_t *out, const uint32_t *in, int Ly, int Lx, int Ly2, int Lx2);

/* On the device, the same bits. */
int lp_label_cuda(uint32_t *d_labels, const uint32_t *d_end, const uint32_t *d_m, int Ly, int Lx,
                  lp_stream stream);
int lp_label_resize_cuda(uint32_t *d_out, const uint32_t *d_in, int Ly, int Lx, int Ly2, int Lx2,
                         lp_stream stream);

#endif
