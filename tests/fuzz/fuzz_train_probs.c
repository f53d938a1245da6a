/* Weights of images: any bytes give sums that rise to 1, or an error. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/train_probs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const path[] = {"d/a.tif", "d/b.png", "d/sub/b.tif"};
    char *text = malloc(size ? size : 1); /* ends where the memory ends */
    double sum[3];
    int extra, line;
    lp_err err = {LP_OK, ""};

    if (!text) return 0;
    if (size) memcpy(text, data, size);
    if (!lp_train_probs_parse(text, size, path, 3, sum, &extra, &line, &err)) {
        if (!(sum[0] >= 0 && sum[1] >= sum[0] && sum[2] >= sum[1] && sum[2] > 0.999 &&
              sum[2] < 1.001 && extra >= 0))
            abort();
    } else if (!*err.msg || strlen(err.msg) > 900) {
        abort();
    }
    free(text);
    return 0;
}
