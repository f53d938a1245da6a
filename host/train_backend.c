#include "train_backend.h"

#include <string.h>

/* The only place that knows which back ends of training there are; fastest first. Apart from
 * backend.c: who only segments needs no cuDNN and no kernels of training. */
static const lp_train_backend *const all[] = {
#ifdef LP_WITH_CUDA
    &lp_train_cuda,
#endif
    &lp_train_cpu,
};

lp_status lp_train_backend_find(const char *name, int gpu_device, const lp_train_backend **be,
                                lp_err *err)
{
    size_t i, n = sizeof all / sizeof *all;
    int any = !name || !strcmp(name, "auto");
    lp_status st;

    for (i = 0; i < n; i++) {
        if (!any && strcmp(name, all[i]->name)) continue;
        st = all[i]->available(gpu_device, any ? NULL : err);
        if (st && !any) return st;
        if (st) continue;
        *be = all[i];
        return LP_OK;
    }
    if (!strcmp(name, "cuda"))
        return lp_fail(err, LP_EMISSING, "backend cuda: not in this build; use --backend cpu");
    return lp_fail(err, LP_EARG, "backend %s: unknown; choose auto, cpu or cuda", name);
}
