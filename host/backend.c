#include "backend.h"

#include <string.h>

/* The only place that knows which back ends there are; fastest first. */
static const lp_backend *const all[] = {&lp_backend_cpu};

lp_status lp_backend_find(const char *name, const lp_backend **be, lp_err *err)
{
    size_t i;

    if (!name || !strcmp(name, "auto")) {
        *be = all[0];
        return LP_OK;
    }
    for (i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(name, all[i]->name)) {
            *be = all[i];
            return LP_OK;
        }
    if (!strcmp(name, "cuda"))
        return lp_fail(err, LP_EMISSING, "backend cuda: not in this build; use --backend cpu");
    return lp_fail(err, LP_EARG, "backend %s: unknown; choose auto, cpu or cuda", name);
}
