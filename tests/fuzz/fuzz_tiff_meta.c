/* Any text as a TIFF image description (ImageJ, OME-XML). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/read_tiff_meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    lp_tiff_meta m = {.description = text, .xres = 2, .yres = 3, .unit = 3};

    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    lp_tiff_pixel_nm(&m);
    lp_tiff_stack_images(text, 7);
    m.description = NULL;
    m.maker = (const char *)data;
    m.maker_n = (int)size;
    lp_tiff_pixel_nm(&m);
    free(text);
    return 0;
}
