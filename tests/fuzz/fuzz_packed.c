/* Any bytes as a gzip or bzip2 file: forward, backward, as an MRC file, and into memory. */
#include <stddef.h>
#include <stdint.h>

#include "host/read_mrc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* An MRC header inside may claim gigabytes that only unpacking would disprove. */
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:max_allocation_size_mb=64";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lp_bytes *b = NULL;
    uint8_t buf[2000];
    lp_image im;
    lp_err err;
    size_t got;

    if (lp_bytes_open_mem("fuzz", data, size, &b, &err)) return 0;
    lp_bytes_read(b, 700, buf, sizeof buf, &got, &err);
    lp_bytes_read(b, 0, buf, sizeof buf, &got, &err);
    if (!lp_mrc_read(b, 0, &im, &err)) lp_image_free(&im);
    lp_bytes_load(b, 1 << 20, &err);
    lp_bytes_read(b, 1, buf, sizeof buf, &got, &err);
    lp_bytes_close(&b);
    return 0;
}
