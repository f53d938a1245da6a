#include "backend.h"

#include <string.h>

/* The only place that knows which back ends there are; fastest first. */
static const lp_backend *const all[] = {
#ifdef LP_WITH_CUDA
    &lp_backend_cuda,
#endif
    &lp_backend_cpu,
};

lp_status lp_backend_find(const char *name, const lp_backend **be, lp_err *err)
{
    size_t i, n = sizeof all / sizeof *all;
    int any = !name || !strcmp(name, "auto");
    lp_device_info info;

    for (i = 0; i < n; i++)
        if (any ? i + 1 == n || !all[i]->list(0, &info, NULL) : !strcmp(name, all[i]->name)) {
            *be = all[i];
            return LP_OK;
        }
    if (!strcmp(name, "cuda"))
        return lp_fail(err, LP_EMISSING, "backend cuda: not in this build; use --backend cpu");
    return lp_fail(err, LP_EARG, "backend %s: unknown; choose auto, cpu or cuda", name);
}
