/* GeoJSON: any text gives shapes of finite points that can be drawn, or an error. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/rasterize.h"
#include "host/read_geojson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    lp_shapes s = {0};
    lp_labels lb = {0};
    lp_err err;
    int64_t i;

    if (!text) return 0;
    memcpy(text, data, size);
    if (!lp_geojson_parse(text, size, &s, &err)) {
        for (i = 0; i < s.n_points; i++)
            if (!isfinite(s.yx[i][0]) || !isfinite(s.yx[i][1])) abort();
        if (!lp_rasterize(&s, 37, 41, &lb, &err))
            for (i = 0; i < 37 * 41; i++)
                if (lb.data[i] > s.n) abort();
    }
    lp_labels_free(&lb);
    lp_shapes_free(&s);
    free(text);
    return 0;
}
