/* write_run - x_lipopose.h5: what a run computed for one micrograph, for later use.
 *
 * Root attributes: format = "lipopose-run", version = 1 (int32), program (version),
 * image, model, model_sha256 (text); page, min_size, niter (int32); diameter (px),
 * flow_threshold, cellprob_threshold, pixel_nm (0 = unknown) (float64).
 * Datasets, chunked by rows, shuffle + deflate, each optional but masks:
 *   /masks     [Ly][Lx] uint32
 *   /flows     [2][Ly][Lx] float32, y then x; 5.0 is one pixel per step
 *   /cellprob  [Ly][Lx] float32, logit
 *   /candidates, of a run over N diameters (masks is then the merged one): what each of them
 *   found, so that read_run.h can merge again.
 *     diameter    [N] float64, px, ascending
 *     masks       [N] uint32, how many
 *     plain, size [N] uint64, bytes of the masks (run_bytes.h) before and after deflate
 *     bytes       [sum of size] uint8, a zlib stream per diameter, one after the other
 *     flow_error, cellprob  [sum of masks] float32, of each mask, NaN unknown; absent for none
 * Readers must ignore attributes, datasets and groups that they do not know.
 *
 * The file is put together in memory (HDF5 does not recover from a full disk) and
 * written by atomic.h; it holds no times. HDF5 is not thread-safe: one call at a time,
 * not beside other HDF5 calls of the process. */
#ifndef LP_WRITE_RUN_H
#define LP_WRITE_RUN_H

#include "layers.h"

typedef struct {
    const char *image;                /* file name; NULL = "" */
    const char *model, *model_sha256; /* NULL = "" */
    int page;                         /* 0-based */
    int min_size, niter;
    double diameter, flow_threshold, cellprob_threshold, pixel_nm;
    const lp_labels *masks;
    const float *flows;          /* [2][Ly][Lx] or NULL */
    const float *cellprob;       /* [Ly][Lx] or NULL */
    const lp_layers *candidates; /* or NULL; diameter is then NaN */
} lp_run_file;

lp_status lp_write_run(const char *path, const lp_run_file *run, lp_err *err);

#endif
