/* Any bytes as a PNG file, as picture and as labels. */
#include <stddef.h>
#include <stdint.h>

#include "host/read_png.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lp_bytes *b = NULL;
    lp_labels lb;
    lp_image im;
    lp_err err;
    int Ly, Lx;

    if (lp_bytes_open_mem("fuzz", data, size, &b, &err)) return 0;
    lp_png_size(b, &Ly, &Lx, &err);
    if (lp_bytes_size(b) >= 0) {
        if (!lp_png_read(b, &im, &err)) lp_image_free(&im);
        if (!lp_png_read_labels(b, &lb, &err)) lp_labels_free(&lb);
    }
    lp_bytes_close(&b);
    return 0;
}
