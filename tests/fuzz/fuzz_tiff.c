/* Any bytes as a TIFF file: counted, first and last page read, read as labels. */
#include <stddef.h>
#include <stdint.h>

#include "host/read_tiff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* A page may claim gigabytes (a constant image packs well): such a claim meets "out of memory". */
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:max_allocation_size_mb=64";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lp_bytes *b = NULL;
    lp_labels lb;
    lp_image im;
    lp_err err;
    int n = 1, Ly, Lx;

    if (size < 8 || lp_bytes_open_mem("fuzz", data, size, &b, &err)) return 0;
    lp_tiff_count(b, &n, &err);
    lp_tiff_size(b, n - 1, &n, &Ly, &Lx, &err);
    if (!lp_tiff_read(b, 0, &im, &err)) lp_image_free(&im);
    if (n > 1 && !lp_tiff_read(b, n - 1, &im, &err)) lp_image_free(&im);
    if (!lp_tiff_read_labels(b, &lb, &err)) lp_labels_free(&lb);
    lp_bytes_close(&b);
    return 0;
}
