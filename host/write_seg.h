/* write_seg - x_seg.npy, which Cellpose's GUI opens to show and correct masks.
 *
 * A numpy file of one pickled dictionary with the keys, types and shapes of Cellpose 3's
 * masks_flows_to_seg (cellpose/io.py), and est_diam, from which the GUI fills in its diameter:
 *
 *   outlines   [Ly][Lx]        as masks, 0 except where a label meets something else or the border
 *   masks      [Ly][Lx]        uint16, uint32 from 65,535 labels on
 *   chan_choose                list of chan and chan2
 *   ismanual   [n]             bool, all False
 *   filename                   str, the image
 *   flows      list of [1][Ly][Lx][3] uint8, the picture of write_flows.h; [1][Ly][Lx] uint8,
 *              cellprob from its 1st to its 99th percentile; [1][Ly][Lx][3] uint8, zeros; an empty
 *              list; [3][Ly][Lx] float32, flows y, flows x, cellprob
 *   diameter, est_diam         float, px
 *
 * 23 bytes per pixel, not compressed: the GUI knows no other way. */
#ifndef LP_WRITE_SEG_H
#define LP_WRITE_SEG_H

#include "image.h"

typedef struct {
    const char *image;
    const lp_labels *masks;
    int chan, chan2;
    double diameter;       /* NaN: both keys are left out */
    const float *flows;    /* [2][Ly][Lx], y then x; NULL: the key is left out */
    const float *cellprob; /* [Ly][Lx], with flows */
} lp_seg_file;

lp_status lp_write_seg(const char *path, const lp_seg_file *f, lp_err *err);

#endif
