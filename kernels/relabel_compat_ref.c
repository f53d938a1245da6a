/* relabel_compat - plain versions. */
#include "relabel_compat.h"

void lp_relabel_miscount_ref(uint32_t *map, const lp_label_info *info, uint32_t n,
                             uint32_t min_size)
{
    int64_t k = -1;
    uint32_t l;

    for (l = 0; l <= n; l++) map[l] = l;
    for (l = 0; l <= n; l++) {
        if (!info[l].count) continue;
        k++;
        if (info[l].count < min_size) map[k] = 0;
    }
}

uint32_t lp_relabel_rank_ref(uint32_t *map, uint32_t n, const lp_label_info *info)
{
    uint32_t l, kept = 0;

    map[0] = 0;
    for (l = 1; l <= n; l++) map[l] = map[l] && info[l].count ? ++kept : 0;
    return kept;
}
