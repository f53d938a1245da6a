#include "image.h"

#include <stdlib.h>
#include <string.h>

#include "big_alloc.h"

static lp_status check_size(int nchan, int Ly, int Lx, lp_err *err)
{
    if (nchan < 1 || nchan > LP_MAX_CHANNELS)
        return lp_fail(err, LP_EARG, "image with %d channels: 1 to %d are supported", nchan,
                       LP_MAX_CHANNELS);
    if (Ly < 1 || Lx < 1 || Ly > LP_MAX_SIDE || Lx > LP_MAX_SIDE ||
        (int64_t)Ly * Lx > LP_MAX_PIXELS)
        return lp_fail(err, LP_EARG, "image of %d x %d pixels: sides of 1 to %d are supported", Ly,
                       Lx, LP_MAX_SIDE);
    return LP_OK;
}

lp_status lp_image_new(lp_image *im, int nchan, int Ly, int Lx, lp_err *err)
{
    lp_status st = check_size(nchan, Ly, Lx, err);
    size_t bytes;

    if (st) return st;
    bytes = (size_t)nchan * (size_t)Ly * (size_t)Lx * sizeof(float);
    memset(im, 0, sizeof *im);
    im->data = lp_big_alloc(bytes);
    if (!im->data) return lp_fail_mem(err, "image", (double)bytes);
    im->nchan = nchan;
    im->Ly = Ly;
    im->Lx = Lx;
    im->npages = 1;
    return LP_OK;
}

void lp_image_free(lp_image *im)
{
    if (!im) return;
    free(im->data);
    memset(im, 0, sizeof *im);
}

lp_status lp_labels_new(lp_labels *lb, int Ly, int Lx, lp_err *err)
{
    lp_status st = check_size(1, Ly, Lx, err);

    if (st) return st;
    memset(lb, 0, sizeof *lb);
    lb->data = calloc((size_t)Ly * (size_t)Lx, sizeof(uint32_t));
    if (!lb->data) return lp_fail_mem(err, "labels", (double)Ly * Lx * sizeof(uint32_t));
    lb->Ly = Ly;
    lb->Lx = Lx;
    return LP_OK;
}

void lp_labels_free(lp_labels *lb)
{
    if (!lb) return;
    free(lb->data);
    memset(lb, 0, sizeof *lb);
}
