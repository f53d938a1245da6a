/* Settings: any bytes give settings within their limits, or an error. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1), differ[200]; /* ends where the memory ends */
    lp_settings s = {0};
    lp_err err;
    int i;

    if (!text) return 0;
    if (size) memcpy(text, data, size);
    if (!lp_settings_parse(text, size, &s, &err)) {
        if (s.n_diameters < 1 || s.n_diameters > LP_MAX_DIAMETERS) abort();
        for (i = 0; i < s.n_diameters; i++)
            if (!(s.diameter[i] > 0 && s.diameter[i] <= 1e6)) abort();
        if (!(s.merge.threshold >= 0) || s.merge.n_levels > LP_MERGE_MAX_LEVELS) abort();
        if (strlen(s.model_sha256) != 64 || !isfinite(s.segment.flow_threshold)) abort();
        if (*lp_settings_differences(&s, &s, differ)) abort();
        lp_settings_free(&s);
    } else if (!*err.msg || strlen(err.msg) > 400) {
        abort();
    }
    free(text);
    return 0;
}
