#include "measure_cuda.h"

#include <stdlib.h>

#include "layers_cuda.h"

lp_status lp_measure_particles_cuda(const lp_device_mem *mem, const uint32_t *d_labels,
                                    uint32_t n_labels, int Ly, int Lx, const float *d_image,
                                    const float *d_cellprob, const float *flow_error,
                                    int64_t n_flow_error, double diameter, lp_particle **out,
                                    int64_t *n, lp_err *err)
{
    lp_device_pieces p = {.mem = mem};
    size_t bytes = n_labels * sizeof(lp_measure_sums);
    lp_measure_sums *s = NULL, *d_s;
    double *d_sum;
    uint32_t n_runs;
    lp_status st;
    lp_runs r;
    int rc;

    if (!(s = malloc(bytes + 1))) return lp_fail_mem(err, "measure", (double)bytes);
    if ((st = lp_runs_make_cuda(&p, d_labels, n_labels, Ly, Lx, &r, &n_runs, err))) goto done;
    if ((st = lp_device_take(&p, bytes, (void **)&d_s, err)) ||
        (st = lp_device_take(&p, 2 * (size_t)n_runs * sizeof *d_sum, (void **)&d_sum, err)))
        goto done;
    rc =
        lp_measure_cuda(d_s, &r, n_runs, d_labels, d_image, d_cellprob, Ly, Lx, d_sum, mem->stream);
    if (rc) {
        st = mem->failed(mem->user, rc, "measure", err);
        goto done;
    }
    if (bytes && (st = mem->get(mem->user, s, d_s, bytes, err))) goto done;
    st = lp_measure_table(s, NULL, n_labels, Ly, Lx, d_image != NULL, d_cellprob != NULL,
                          flow_error, n_flow_error, diameter, out, n, err);
done:
    lp_device_drop(&p, 0);
    free(s);
    return st;
}
