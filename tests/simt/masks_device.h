/* masks_device - lp_masks_cuda in the executor, compared with lp_masks_compute. */
#ifndef LP_MASKS_DEVICE_H
#define LP_MASKS_DEVICE_H

#include "host/masks_cuda.h"

#include "../lp_test.h"
#include "host_mem.h"
#include "simt_test.h"

/* Same labels, number of masks, flow errors, counts and boxes, bit for bit. Returns the number. */
static uint32_t masks_device_same(const float *yf, int Ly, int Lx, int out_Ly, int out_Lx,
                                  const lp_masks_options *o)
{
    const size_t out = (size_t)out_Ly * (size_t)out_Lx,
                 bytes = lp_masks_cuda_scratch(Ly, Lx, out_Ly, out_Lx, o->compat_cellpose3);
    const size_t plane = (size_t)Ly * (size_t)Lx;
    uint32_t *labels = (uint32_t *)lp_guard_new(out), n, l;
    unsigned char *block = malloc(bytes + 512), *scratch;
    float *want_error;
    lp_masks_tables t = {0};
    lp_labels want;
    host_mem_state none = {.fail_at = 1};
    lp_device_mem mem = host_mem(&none);
    lp_err err = {0};

    assert_non_null(block);
    memset(block, 0xa5, bytes + 512);
    scratch = block + (256 - (uintptr_t)block % 256);
    if (lp_masks_compute(yf, yf + 2 * plane, Ly, Lx, out_Ly, out_Lx, o, &want, &want_error, &n,
                         &err))
        fail_msg("%s", err.msg);
    if (lp_masks_cuda(&mem, yf, Ly, Lx, out_Ly, out_Lx, o, labels, &t, scratch, &err))
        fail_msg("%s", err.msg);
    lp_guard_check((float *)labels, out);
    for (l = 0; l < 256; l++) assert_int_equal(scratch[bytes + l], 0xa5);
    assert_int_equal(t.n, n);
    assert_memory_equal(labels, want.data, out * sizeof *labels);
    if (n) lp_same_floats(t.d_flow_error + 1, want_error, n);
    if (n) {
        lp_label_info *info = malloc((n + (size_t)1) * sizeof *info);

        assert_non_null(info);
        lp_relabel_info_ref(info, n, want.data, out_Ly, out_Lx);
        assert_memory_equal(t.d_info + 1, info + 1, n * sizeof *info);
        free(info);
    }
    lp_labels_free(&want);
    free(want_error);
    free(block);
    lp_guard_free((float *)labels);
    return n;
}

#endif
