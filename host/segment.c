/* segment - one image at one diameter (Cellpose models.py: CellposeModel.eval, SizeModel.eval). */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

static int by_area(const void *a, const void *b)
{
    const lp_particle *p = a, *q = b;

    return p->area < q->area ? -1 : p->area > q->area;
}

/* Median of sqrt(area) * 2 / sqrt(pi); 0 without particles (Cellpose utils.diameters). */
static double median_diameter(lp_particle_table *t)
{
    double d;

    if (!t->n) return 0;
    qsort(t->particle, (size_t)t->n, sizeof *t->particle, by_area);
    d = (sqrt((double)t->particle[(t->n - 1) / 2].area) +
         sqrt((double)t->particle[t->n / 2].area)) /
        2;
    return d * 2 / sqrt(3.14159265358979323846);
}

/* SizeModel.eval: a first guess from the style, then the median of what is found with it. */
static lp_status estimate(lp_session *s, const lp_buf *img, int Ly, int Lx,
                          const lp_segment_options *o, lp_result *r, lp_err *err)
{
    const lp_size_model *z = lp_session_size_model(s);
    lp_masks_options m = lp_masks_defaults();
    lp_net_context c = lp_session_net(s, o);
    lp_net_options no = lp_session_net_options(s, o, lp_session_diam_labels(s));
    lp_net_output net = {0};
    lp_masks_input in = {.out_Ly = Ly, .out_Lx = Lx, .o = &m};
    lp_particle_table found = {0};
    double log_d = log(z->diam_mean) + z->ymean, d, t = omp_get_wtime();
    float *style = malloc((size_t)c.style_length * sizeof *style);
    uint32_t n;
    lp_status st;
    int k;

    if (!style) return lp_fail_mem(err, "style", 4.0 * c.style_length);
    c.on_tiles = NULL;
    no.resample = 0;
    no.bsize = 224;
    no.tile_overlap = 0.1;
    if ((st = lp_net_run(&c, img, Ly, Lx, &no, &net, err))) goto done;
    if ((st = lp_net_style(&c, &net, style, err))) goto done;
    for (k = 0; k < z->n; k++) log_d += z->A[k] * (style[k] - z->smean[k]);
    lp_net_output_free(c.be, c.dev, &net);
    d = exp(log_d);
    if (!isfinite(d)) d = z->diam_mean;
    if (d < 5) d = 5;
    r->diameter_style = d;

    no.rescale = z->diam_mean / d;
    if ((st = lp_net_run(&c, img, Ly, Lx, &no, &net, err))) goto done;
    m.interp = 0;
    m.compat_cellpose3 = o->compat_cellpose3;
    m.niter = lp_masks_niter(no.rescale, 0);
    in.yf = net.yf;
    in.Ly = net.Ly;
    in.Lx = net.Lx;
    in.diameter = d;
    if ((st = c.be->masks(c.dev, &in, NULL, NULL, &n, &found, err))) goto done;
    d = median_diameter(&found);
    r->diameter = d > 0 ? d : z->diam_mean;
    r->seconds[LP_T_SIZE] = omp_get_wtime() - t;
done:
    lp_net_output_free(c.be, c.dev, &net);
    free(found.particle);
    free(style);
    return st;
}

/* Style and, where they are asked for, flows and cellprob to host memory. */
static lp_status fetch(const lp_net_context *c, const lp_net_output *net, int flows, lp_result *r,
                       lp_err *err)
{
    size_t plane = (size_t)net->Ly * net->Lx * sizeof(float);
    lp_status st;

    r->net_Ly = net->Ly;
    r->net_Lx = net->Lx;
    if (!(r->style = malloc((size_t)c->style_length * sizeof *r->style)))
        return lp_fail_mem(err, "style", 4.0 * c->style_length);
    r->style_length = c->style_length;
    if ((st = lp_net_style(c, net, r->style, err)) || !flows) return st;
    r->flows = malloc(2 * plane);
    r->cellprob = malloc(plane);
    if (!r->flows || !r->cellprob) return lp_fail_mem(err, "flows", 3.0 * (double)plane);
    if ((st = c->be->get(c->dev, r->flows, net->yf, 0, 2 * plane, err))) return st;
    return c->be->get(c->dev, r->cellprob, net->yf, 2 * plane, plane, err);
}

lp_status lp_session_segment(lp_session *s, const float *image, int nchan, int Ly, int Lx,
                             const lp_segment_options *o, lp_result *out, lp_particle_table *t,
                             lp_err *err)
{
    int before = lp_session_enter(s);
    lp_net_context c = lp_session_net(s, o);
    lp_particle_table table = {.image = t ? t->image : NULL};
    lp_result r = {.diameter = o->diameter};
    lp_net_output net = {0};
    lp_net_options no;
    lp_buf *img = NULL;
    lp_status st;

    if ((st = lp_session_prepare(s, image, nchan, Ly, Lx, o, &img, &r, err))) goto done;
    if (o->diameter == 0 && (st = estimate(s, img, Ly, Lx, o, &r, err))) goto done;
    if ((st = lp_session_times(s, -1, r.seconds, err))) goto done;
    no = lp_session_net_options(s, o, r.diameter);
    if ((st = lp_net_run(&c, img, Ly, Lx, &no, &net, err))) goto done;
    lp_session_release(s, &img);
    if ((st = lp_session_masks(s, &net, Ly, Lx, o, &r, t ? &table : NULL, err))) goto done;
    if ((st = fetch(&c, &net, o->flows, &r, err))) goto done;
    if ((st = lp_session_times(s, 1, r.seconds, err))) goto done;
    *out = r;
    memset(&r, 0, sizeof r);
    if (t) *t = table;
    table.particle = NULL;
done:
    lp_session_release(s, &img);
    lp_net_output_free(c.be, c.dev, &net);
    lp_result_free(&r);
    free(table.particle);
    omp_set_num_threads(before);
    return st;
}

lp_status lp_segment(lp_session *s, const float *image, int nchan, int Ly, int Lx,
                     const lp_segment_options *o, lp_result *out, lp_err *err)
{
    return lp_session_segment(s, image, nchan, Ly, Lx, o, out, NULL, err);
}

void lp_result_free(lp_result *r)
{
    if (!r) return;
    free(r->masks);
    free(r->flow_error);
    free(r->flows);
    free(r->cellprob);
    free(r->style);
    memset(r, 0, sizeof *r);
}
