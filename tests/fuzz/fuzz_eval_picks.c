/* Coordinate files: any bytes of any of the formats give finite points with a named image, or an
 * error. The first byte chooses the format. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/eval_picks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const lp_picks_kind kinds[3] = {LP_PICKS_BOX, LP_PICKS_STAR, LP_PICKS_TXT};
    lp_picks p = {0};
    char *text;
    lp_err err;
    int64_t i;

    if (!size || !(text = malloc(size))) return 0;
    memcpy(text, data + 1, size - 1);
    if (!lp_picks_parse(text, size - 1, kinds[data[0] % 3], "d/m_autopick.x", &p, &err))
        for (i = 0; i < p.n; i++)
            if (!isfinite(p.pick[i].x) || !isfinite(p.pick[i].y) || p.pick[i].image < 0 ||
                p.pick[i].image >= p.n_names)
                abort();
    lp_picks_free(&p);
    free(text);
    return 0;
}
