#include "write_masks.h"

#include <stdlib.h>

#include "write_png.h"
#include "write_tiff.h"

static uint32_t largest(const lp_labels *lb)
{
    size_t n = (size_t)lb->Ly * lb->Lx, i;
    uint32_t max = 0;

#pragma omp parallel for schedule(static) reduction(max : max)
    for (i = 0; i < n; i++)
        if (lb->data[i] > max) max = lb->data[i];
    return max;
}

static uint16_t *narrow(const lp_labels *lb, const char *path, lp_err *err)
{
    size_t n = (size_t)lb->Ly * lb->Lx, i;
    uint16_t *d = malloc(n * sizeof *d);

    if (!d) {
        lp_fail_mem(err, path, (double)n * sizeof *d);
        return NULL;
    }
#pragma omp parallel for schedule(static)
    for (i = 0; i < n; i++) d[i] = (uint16_t)lb->data[i];
    return d;
}

lp_status lp_write_masks(const char *path, const lp_labels *lb, double pixel_nm, lp_err *err)
{
    lp_tiff_desc d = {
        .npages = 1, .Ly = lb->Ly, .Lx = lb->Lx, .nsamples = 1, .pixel_nm = pixel_nm, .deflate = 1};
    uint16_t *small;
    lp_status st;

    if (largest(lb) > 65535) {
        d.bits = 32;
        return lp_write_tiff(path, lb->data, &d, err);
    }
    small = narrow(lb, path, err);
    if (!small) return LP_ENOMEM;
    d.bits = 16;
    st = lp_write_tiff(path, small, &d, err);
    free(small);
    return st;
}

lp_status lp_write_masks_png(const char *path, const lp_labels *lb, int *fits, lp_err *err)
{
    uint16_t *small;
    lp_status st;

    if (largest(lb) > 65535) {
        *fits = 0;
        return LP_OK;
    }
    small = narrow(lb, path, err);
    if (!small) return LP_ENOMEM;
    st = lp_write_png(path, small, lb->Ly, lb->Lx, 1, 16, err);
    if (!st) *fits = 1;
    free(small);
    return st;
}
