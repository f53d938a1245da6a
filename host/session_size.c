/* session_size - the diameter of an image's particles by the model's size model (Cellpose
 * models.py: SizeModel.eval). */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "session_state.h"
#include "sort.h"

/* Median of sqrt(area) * 2 / sqrt(pi); 0 without particles (Cellpose utils.diameters), -1 where
 * memory is short. */
static double median_diameter(const lp_labels *m, uint32_t n)
{
    uint32_t *area = calloc((size_t)n + 1, sizeof *area);
    double d = 0;
    int64_t i;

    if (!area) return -1;
    for (i = 0; i < (int64_t)m->Ly * m->Lx; i++) area[m->data[i]]++;
    if (n) {
        qsort(area + 1, n, sizeof *area, lp_by_u32);
        d = (sqrt(area[(n + 1) / 2]) + sqrt(area[n / 2 + 1])) / 2;
    }
    free(area);
    return d * 2 / sqrt(3.14159265358979323846);
}

/* SizeModel.eval: a first guess from the style, then the median of what is found with it. */
lp_status lp_session_size(lp_session *s, const lp_buf *img, int Ly, int Lx,
                          const lp_segment_options *o, lp_result *r, lp_err *err)
{
    const lp_backend *be = s->s->be;
    const lp_size_model *z = s->s->size;
    lp_masks_options m = lp_masks_defaults();
    lp_net_context c = lp_session_net(s, o);
    lp_net_options no = lp_session_net_options(s, o, s->s->diam_labels);
    lp_net_output net = {0};
    lp_labels found = {0};
    double log_d = log(z->diam_mean) + z->ymean, d, t = omp_get_wtime();
    float *style = malloc((size_t)s->s->style_length * sizeof *style);
    uint32_t n = 0;
    lp_status st;
    int k;

    if (!style) return lp_fail_mem(err, "style", 4.0 * s->s->style_length);
    c.on_tiles = NULL;
    no.resample = 0;
    no.bsize = 224;
    no.tile_overlap = 0.1;
    if ((st = lp_net_run(&c, img, Ly, Lx, &no, &net, err))) goto done;
    if ((st = lp_net_style(&c, &net, style, err))) goto done;
    for (k = 0; k < z->n; k++) log_d += z->A[k] * (style[k] - z->smean[k]);
    lp_net_output_free(be, s->dev, &net);
    d = exp(log_d);
    if (!isfinite(d)) d = z->diam_mean;
    if (d < 5) d = 5;
    r->diameter_style = d;

    no.rescale = z->diam_mean / d;
    if ((st = lp_net_run(&c, img, Ly, Lx, &no, &net, err))) goto done;
    m.interp = 0;
    m.compat_cellpose3 = o->compat_cellpose3;
    m.niter = lp_masks_niter(no.rescale, 0);
    if ((st = be->masks(s->dev, net.yf, net.Ly, net.Lx, Ly, Lx, &m, &found, NULL, &n, err)))
        goto done;
    d = median_diameter(&found, n);
    if (d < 0) {
        st = lp_fail_mem(err, "estimating the diameter", 4.0 * n);
        goto done;
    }
    r->diameter = d > 0 ? d : z->diam_mean;
    r->seconds[LP_T_SIZE] = omp_get_wtime() - t;
done:
    lp_net_output_free(be, s->dev, &net);
    lp_labels_free(&found);
    free(style);
    return st;
}
