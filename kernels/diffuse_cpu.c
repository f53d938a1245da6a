/* diffuse - placeholder until the tuned version is in. */
#include "diffuse.h"

void lp_diffuse_cpu(float *mu, const uint32_t *labels, const lp_label_info *info, uint32_t n,
                    int Ly, int Lx, int nthreads, void *scratch)
{
    lp_diffuse_ref(mu, labels, info, n, Ly, Lx, nthreads, scratch);
}
