/* Tables of particles: any bytes give a finite support for every label, or an error. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/eval_support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t ids[3] = {1, 2, 7};
    char *text = malloc(size ? size : 1); /* ends where the memory ends */
    double v[3];
    lp_err err;
    int i;

    if (!text) return 0;
    if (size) memcpy(text, data, size);
    if (!lp_eval_support_parse(text, size, ids, 3, v, &err))
        for (i = 0; i < 3; i++)
            if (!isfinite(v[i])) abort();
    free(text);
    return 0;
}
