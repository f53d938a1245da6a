/* Any bytes as an MRC file. */
#include <stddef.h>
#include <stdint.h>

#include "host/read_mrc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lp_bytes *b = NULL;
    lp_image im;
    lp_err err;
    int n = 1, Ly, Lx;

    if (lp_bytes_open_mem("fuzz", data, size, &b, &err)) return 0;
    if (lp_bytes_size(b) >= 0) {
        lp_mrc_probe(data, size);
        lp_mrc_count(b, &n, &err);
        lp_mrc_size(b, &n, &Ly, &Lx, &err);
        if (!lp_mrc_read(b, 0, &im, &err)) lp_image_free(&im);
        if (n > 1 && !lp_mrc_read(b, n - 1, &im, &err)) lp_image_free(&im);
    }
    lp_bytes_close(&b);
    return 0;
}
