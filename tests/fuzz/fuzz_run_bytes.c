/* Masks as bytes: any bytes give masks that encode to the same masks again, or an error. The
 * first two bytes are the image's size, the third the number of masks. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/run_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lp_runs a = {0}, b = {0};
    unsigned char *p = NULL;
    lp_err err;
    size_t n;

    if (size < 3) return 0;
    if (lp_run_bytes_decode(data + 3, size - 3, data[2], data[0] + 1, data[1] + 1, "x", &a, &err))
        return 0;
    if (lp_run_bytes_encode(&a, &p, &n, &err)) abort();
    if (lp_run_bytes_decode(p, n, data[2], data[0] + 1, data[1] + 1, "x", &b, &err)) abort();
    if (memcmp(a.first, b.first, (a.n + (size_t)1) * sizeof *a.first) ||
        memcmp(a.run, b.run, a.first[a.n] * sizeof *a.run))
        abort();
    free(a.first);
    free(a.run);
    free(b.first);
    free(b.run);
    free(p);
    return 0;
}
