/* masks_cuda - from network output to label images on the device: lp_masks_compute (masks.h) with
 * the same bits.
 *
 * Labels and what is known of them stay on the device. Only a few numbers come to the host, each of
 * them once: how many seeds there are, how the flow check is to be launched, how many masks are
 * left; with compat_cellpose3, whether holes are to be looked for once more. Knows the device only
 * by its kernels and by lp_device_mem, so the tests run the same file on the CPU. */
#ifndef LP_MASKS_CUDA_H
#define LP_MASKS_CUDA_H

#include "device_mem.h"
#include "kernels/relabel.h"
#include "masks.h"

/* All of it in the caller's scratch: valid until that is used again. */
typedef struct {
    uint32_t n;                  /* masks; tables are of labels 0 .. n */
    const lp_label_info *d_info; /* [n + 1] */
    const float *d_flow_error;   /* [n + 1], NaN where there was no QC */
} lp_masks_tables;

/* Bytes of device memory for one call, aligned to 256: about 34 per pixel of the network output (27
 * of them for the flow check), and 4 more where the image has another size. compat:
 * compat_cellpose3. */
size_t lp_masks_cuda_scratch(int Ly, int Lx, int out_Ly, int out_Lx, int compat);

/* d_yf [3][Ly][Lx] float32: flows y, x, then cellprob; not changed. d_labels [out_Ly][out_Lx]: as
 * lp_masks_compute has them. o->seconds is the time between the stages' ends on the device. On
 * return the work on d_labels and the tables is queued on mem's stream, at least. Of mem, get,
 * failed and the marks are used. LP_EARG as lp_masks_compute. */
lp_status lp_masks_cuda(const lp_device_mem *mem, const float *d_yf, int Ly, int Lx, int out_Ly,
                        int out_Lx, const lp_masks_options *o, uint32_t *d_labels,
                        lp_masks_tables *tables, void *d_scratch, lp_err *err);

#endif
