#include "onednn_train.h"

#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "big_alloc.h"
#include "onednn.h"

enum { FWD, DATA, WEIGHTS, KINDS };

typedef struct {
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t prim;
    dnnl_memory_desc_t weights, scratch;
    dnnl_primitive_t reorder; /* OIHW to weights; of WEIGHTS: weights to OIHW */
    float *packed;
} part;

/* oneDNN's fast code wants whole blocks of channels: it is told so, and weights are padded here. */
struct lp_tconv {
    lp_tconv_spec spec; /* as asked for */
    int ic, oc;         /* whole blocks */
    float *padded;      /* [oc][ic][k][k]; NULL where nothing is padded */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_memory_desc_t src, dst, d_dst, bias, oihw;
    part part[KINDS];
};

int lp_tconv_block(void)
{
    return lp_onednn_has_avx512() ? 16 : 8;
}

/* The descriptor of kind k with algorithm alg, weights in any order; hint: for a backward one. */
static dnnl_status_t describe(lp_tconv *c, int k, dnnl_alg_kind_t alg, int hint,
                              dnnl_convolution_desc_t *out)
{
    const lp_tconv_spec *p = &c->spec;
    dnnl_dims_t wd = {c->oc, c->ic, p->k, p->k}, stride = {1, 1}, pad = {p->k / 2, p->k / 2};
    dnnl_data_type_t dt = p->bf16 && k != WEIGHTS ? dnnl_bf16 : dnnl_f32;
    dnnl_memory_desc_t any;
    dnnl_status_t s = dnnl_memory_desc_init_by_tag(&any, 4, wd, dt, dnnl_format_tag_any);

    if (s) return s;
    if (k == FWD)
        return dnnl_convolution_forward_desc_init(out, dnnl_forward_training, alg, &c->src, &any,
                                                  &c->bias, hint ? &c->d_dst : &c->dst, stride, pad,
                                                  pad);
    if (k == DATA)
        return dnnl_convolution_backward_data_desc_init(out, alg, &c->src, &any, &c->d_dst, stride,
                                                        pad, pad);
    return dnnl_convolution_backward_weights_desc_init(out, alg, &c->src, &any, &c->bias, &c->d_dst,
                                                       stride, pad, pad);
}

static dnnl_status_t create(lp_tconv *c, int k, dnnl_alg_kind_t alg)
{
    part *p = &c->part[k];
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    dnnl_convolution_desc_t cd;
    dnnl_primitive_desc_t hint = NULL;
    dnnl_status_t s;

    if ((s = describe(c, k, alg, 0, &cd))) return s;
    if ((s = dnnl_primitive_attr_create(&attr))) return s;
    if ((s = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user))) goto done;
    if (k == FWD && c->spec.sum) {
        if ((s = dnnl_post_ops_create(&ops))) goto done;
        if ((s = dnnl_post_ops_append_sum(ops, 1.0f))) goto done;
        if ((s = dnnl_primitive_attr_set_post_ops(attr, ops))) goto done;
    }
    if (k != FWD) { /* oneDNN wants to see a forward one of the same algorithm */
        dnnl_convolution_desc_t fd;

        if ((s = describe(c, FWD, alg, 1, &fd))) goto done;
        if ((s = dnnl_primitive_desc_create(&hint, &fd, NULL, c->engine, NULL))) goto done;
    }
    if ((s = dnnl_primitive_desc_create(&p->pd, &cd, attr, c->engine, hint))) goto done;
    p->weights = *dnnl_primitive_desc_query_md(
        p->pd, k == WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    p->scratch = *dnnl_primitive_desc_query_md(p->pd, dnnl_query_scratchpad_md, 0);
    s = dnnl_primitive_create(&p->prim, p->pd);
    if (s) {
        dnnl_primitive_desc_destroy(p->pd);
        p->pd = NULL;
    }
done:
    if (hint) dnnl_primitive_desc_destroy(hint);
    if (ops) dnnl_post_ops_destroy(ops);
    dnnl_primitive_attr_destroy(attr);
    return s;
}

static dnnl_status_t prepare(lp_tconv *c, int k)
{
    part *p = &c->part[k];
    dnnl_primitive_desc_t rpd = NULL;
    dnnl_status_t s = dnnl_unimplemented;

    /* Winograd pays where both sides fill their blocks. */
    if (!c->spec.bf16 && c->spec.k == 3 && c->spec.ic >= 16 && c->spec.oc >= 16)
        s = create(c, k, dnnl_convolution_winograd);
    if (s) s = create(c, k, dnnl_convolution_direct);
    if (s) return s;
    if (!(p->packed = lp_big_alloc(dnnl_memory_desc_get_size(&p->weights))))
        return dnnl_out_of_memory;
    s = dnnl_reorder_primitive_desc_create(&rpd, k == WEIGHTS ? &p->weights : &c->oihw, c->engine,
                                           k == WEIGHTS ? &c->oihw : &p->weights, c->engine, NULL);
    if (s) return s;
    s = dnnl_primitive_create(&p->reorder, rpd);
    dnnl_primitive_desc_destroy(rpd);
    return s;
}

lp_status lp_tconv_new(const lp_tconv_spec *sp, int threads, lp_tconv **out, lp_err *err)
{
    int ic = (sp->ic + sp->block - 1) / sp->block * sp->block;
    int oc = (sp->oc + sp->block - 1) / sp->block * sp->block;
    dnnl_dims_t sd = {sp->n, ic, sp->h, sp->w}, dd = {sp->n, oc, sp->h, sp->w};
    dnnl_dims_t wd = {oc, ic, sp->k, sp->k}, bd = {oc};
    dnnl_format_tag_t tag = sp->bf16 ? dnnl_nhwc : sp->block == 16 ? dnnl_nChw16c : dnnl_nChw8c;
    dnnl_data_type_t dt = sp->bf16 ? dnnl_bf16 : dnnl_f32;
    lp_tconv *c = calloc(1, sizeof *c);
    int before = omp_get_max_threads(), k;
    dnnl_status_t s;

    if (!c) return lp_fail_mem(err, "convolution", sizeof *c);
    c->spec = *sp;
    c->ic = ic;
    c->oc = oc;
    if (ic != sp->ic || oc != sp->oc) {
        c->padded = calloc((size_t)oc * ic * sp->k * sp->k, sizeof *c->padded);
        if (!c->padded) {
            free(c);
            return lp_fail_mem(err, "convolution", (double)oc * ic * sp->k * sp->k * 4);
        }
    }
    omp_set_num_threads(threads); /* oneDNN plans for the number that it sees */
    s = dnnl_engine_create(&c->engine, dnnl_cpu, 0);
    if (!s) s = dnnl_stream_create(&c->stream, c->engine, dnnl_stream_default_flags);
    if (!s) s = dnnl_memory_desc_init_by_tag(&c->src, 4, sd, dt, tag);
    if (!s) s = dnnl_memory_desc_init_by_tag(&c->dst, 4, dd, sp->wide ? dnnl_f32 : dt, tag);
    if (!s) s = dnnl_memory_desc_init_by_tag(&c->d_dst, 4, dd, dt, tag);
    if (!s) s = dnnl_memory_desc_init_by_tag(&c->oihw, 4, wd, dnnl_f32, dnnl_oihw);
    if (!s) s = dnnl_memory_desc_init_by_tag(&c->bias, 1, bd, dnnl_f32, dnnl_a);
    for (k = 0; k < KINDS && !s; k++) s = prepare(c, k);
    omp_set_num_threads(before);
    if (s) {
        lp_tconv_free(&c);
        return lp_fail(err, LP_ENOMEM,
                       "training convolution %d->%d channels, %d x %d x %d pixels: oneDNN: %s",
                       sp->ic, sp->oc, sp->n, sp->h, sp->w,
                       s == dnnl_out_of_memory   ? "out of memory"
                       : s == dnnl_unimplemented ? "not supported on this CPU"
                                                 : "internal error");
    }
    *out = c;
    return LP_OK;
}

void lp_tconv_free(lp_tconv **pc)
{
    lp_tconv *c = pc ? *pc : NULL;
    int k;

    if (!c) return;
    for (k = 0; k < KINDS; k++) {
        part *p = &c->part[k];

        if (p->reorder) dnnl_primitive_destroy(p->reorder);
        if (p->prim) dnnl_primitive_destroy(p->prim);
        if (p->pd) dnnl_primitive_desc_destroy(p->pd);
        free(p->packed);
    }
    free(c->padded);
    if (c->stream) dnnl_stream_destroy(c->stream);
    if (c->engine) dnnl_engine_destroy(c->engine);
    free(c);
    *pc = NULL;
}

size_t lp_tconv_scratch(const lp_tconv *c)
{
    size_t most = 0, n;
    int k;

    for (k = 0; k < KINDS; k++)
        if ((n = dnnl_memory_desc_get_size(&c->part[k].scratch)) > most) most = n;
    return most;
}

const char *lp_tconv_name(const lp_tconv *c, char *buf)
{
    const char *name[KINDS] = {"?", "?", "?"};
    int k;

    for (k = 0; k < KINDS; k++)
        dnnl_primitive_desc_query(c->part[k].pd, dnnl_query_impl_info_str, 0, &name[k]);
    snprintf(buf, 200, "%s, %s, %s", name[0], name[1], name[2]);
    return buf;
}

typedef struct {
    int id;
    const dnnl_memory_desc_t *md;
    const void *data;
} arg;

static int run(const lp_tconv *c, dnnl_primitive_t prim, const arg *a, int n)
{
    dnnl_exec_arg_t args[5];
    dnnl_status_t s = dnnl_success;
    int i, k;

    for (k = 0; k < n; k++) {
        args[k].arg = a[k].id;
        s = dnnl_memory_create(&args[k].memory, a[k].md, c->engine, (void *)(size_t)a[k].data);
        if (s) break;
    }
    if (!s) s = dnnl_primitive_execute(prim, c->stream, n, args);
    if (!s) s = dnnl_stream_wait(c->stream);
    for (i = 0; i < k; i++) dnnl_memory_destroy(args[i].memory);
    return (int)s;
}

static int pack(const lp_tconv *c, int k, const float *w)
{
    const part *p = &c->part[k];
    const arg a[] = {{DNNL_ARG_FROM, &c->oihw, w}, {DNNL_ARG_TO, &p->weights, p->packed}};

    return run(c, p->reorder, a, 2);
}

/* w [oc][ic][k][k] into c->padded, or back. */
static void pad(const lp_tconv *c, float *w, int back)
{
    size_t row = (size_t)c->spec.ic * c->spec.k * c->spec.k;
    size_t wide = (size_t)c->ic * c->spec.k * c->spec.k;
    int o;

    for (o = 0; o < c->spec.oc; o++)
        memcpy(back ? w + o * row : c->padded + o * wide, back ? c->padded + o * wide : w + o * row,
               row * sizeof *w);
}

int lp_tconv_weights(lp_tconv *c, const float *weights, int backward)
{
    const float *w = c->padded ? c->padded : weights;
    int s;

    if (c->padded) pad(c, (float *)(size_t)weights, 0);
    s = pack(c, FWD, w);
    return s || !backward ? s : pack(c, DATA, w);
}

int lp_tconv_forward(const lp_tconv *c, const float *bias, const void *src, void *dst,
                     void *scratch)
{
    const part *p = &c->part[FWD];
    const arg a[] = {{DNNL_ARG_SRC, &c->src, src},
                     {DNNL_ARG_WEIGHTS, &p->weights, p->packed},
                     {DNNL_ARG_BIAS, &c->bias, bias},
                     {DNNL_ARG_DST, &c->dst, dst},
                     {DNNL_ARG_SCRATCHPAD, &p->scratch, scratch}};

    return run(c, p->prim, a, 5);
}

int lp_tconv_backward_data(const lp_tconv *c, const void *d_dst, void *d_src, void *scratch)
{
    const part *p = &c->part[DATA];
    const arg a[] = {{DNNL_ARG_DIFF_DST, &c->d_dst, d_dst},
                     {DNNL_ARG_WEIGHTS, &p->weights, p->packed},
                     {DNNL_ARG_DIFF_SRC, &c->src, d_src},
                     {DNNL_ARG_SCRATCHPAD, &p->scratch, scratch}};

    return run(c, p->prim, a, 4);
}

int lp_tconv_backward_weights(const lp_tconv *c, const void *src, const void *d_dst, float *d_w,
                              float *d_bias, void *scratch)
{
    const part *p = &c->part[WEIGHTS];
    const arg a[] = {{DNNL_ARG_SRC, &c->src, src},
                     {DNNL_ARG_DIFF_DST, &c->d_dst, d_dst},
                     {DNNL_ARG_DIFF_WEIGHTS, &p->weights, p->packed},
                     {DNNL_ARG_DIFF_BIAS, &c->bias, d_bias},
                     {DNNL_ARG_SCRATCHPAD, &p->scratch, scratch}};
    const arg b[] = {{DNNL_ARG_FROM, &p->weights, p->packed},
                     {DNNL_ARG_TO, &c->oihw, c->padded ? c->padded : d_w}};
    int s = run(c, p->prim, a, 5);

    if (!s) s = run(c, p->reorder, b, 2);
    if (c->padded) {
        pad(c, d_w, 1); /* the rest of c->padded is zero still: so are src and d_dst there */
    }
    return s;
}
