#include "onednn.h"

#include <dnnl.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "big_alloc.h"
#include "winograd.h"

struct lp_conv {
    lp_conv_spec spec;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t prim;
    dnnl_memory_desc_t src, dst, weights, bias, scratch;
};

struct lp_packed {
    dnnl_memory_desc_t md;
    void *data;
};

static dnnl_format_tag_t tag_of(lp_layout l)
{
    return l == LP_NHWC ? dnnl_nhwc : l == LP_BLK16 ? dnnl_nChw16c : dnnl_nchw;
}

static const char *text_of(dnnl_status_t s)
{
    return s == dnnl_out_of_memory   ? "out of memory"
           : s == dnnl_unimplemented ? "not supported on this CPU"
                                     : "internal error";
}

static dnnl_status_t create(lp_conv *c, dnnl_alg_kind_t alg)
{
    const lp_conv_spec *p = &c->spec;
    dnnl_dims_t sd = {1, p->ic, p->h, p->w}, wd = {p->oc, p->ic, p->k, p->k}, bd = {p->oc};
    dnnl_dims_t dd = {1, p->oc, p->h, p->w}, stride = {1, 1}, pad = {p->k / 2, p->k / 2};
    dnnl_data_type_t dt = p->bf16 ? dnnl_bf16 : dnnl_f32;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    dnnl_convolution_desc_t cd;
    dnnl_memory_desc_t any;
    dnnl_status_t s;

    if ((s = dnnl_memory_desc_init_by_tag(&c->src, 4, sd, dt, tag_of(p->src)))) return s;
    if ((s = dnnl_memory_desc_init_by_tag(&any, 4, wd, dt, dnnl_format_tag_any))) return s;
    if ((s = dnnl_memory_desc_init_by_tag(&c->bias, 1, bd, dnnl_f32, dnnl_a))) return s;
    if ((s = dnnl_memory_desc_init_by_tag(&c->dst, 4, dd, dt, tag_of(p->dst)))) return s;
    if ((s = dnnl_convolution_forward_desc_init(&cd, dnnl_forward_inference, alg, &c->src, &any,
                                                &c->bias, &c->dst, stride, pad, pad)))
        return s;
    if ((s = dnnl_primitive_attr_create(&attr))) return s;
    if ((s = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user))) goto done;
    if ((s = dnnl_post_ops_create(&ops))) goto done;
    if (p->sum && (s = dnnl_post_ops_append_sum(ops, 1.0f))) goto done;
    if (p->relu && (s = dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_relu, 0, 0)))
        goto done;
    if ((s = dnnl_primitive_attr_set_post_ops(attr, ops))) goto done;
    if ((s = dnnl_primitive_desc_create(&c->pd, &cd, attr, c->engine, NULL))) goto done;
    c->weights = *dnnl_primitive_desc_query_md(c->pd, dnnl_query_weights_md, 0);
    c->scratch = *dnnl_primitive_desc_query_md(c->pd, dnnl_query_scratchpad_md, 0);
    s = dnnl_primitive_create(&c->prim, c->pd);
    if (s) {
        dnnl_primitive_desc_destroy(c->pd);
        c->pd = NULL;
    }
done:
    if (ops) dnnl_post_ops_destroy(ops);
    dnnl_primitive_attr_destroy(attr);
    return s;
}

/* oneDNN 2.6 dies, instead of failing, where its code generator gets no memory. This asks for
 * what a convolution may need at most, and gives it back. */
static int has_room(void)
{
    const size_t reserve = (size_t)48 << 20;
    void *p = mmap(NULL, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) return 0;
    munmap(p, reserve);
    return 1;
}

lp_status lp_conv_new(const lp_conv_spec *spec, int threads, lp_conv **out, lp_err *err)
{
    lp_conv *c = calloc(1, sizeof *c);
    int before = omp_get_max_threads();
    dnnl_status_t s;

    if (!c || !has_room()) {
        free(c);
        return lp_fail_mem(err, "convolution", 48e6);
    }
    c->spec = *spec;
    /* oneDNN plans for the number of threads that it sees now. */
    omp_set_num_threads(threads);
    s = dnnl_engine_create(&c->engine, dnnl_cpu, 0);
    if (!s) s = dnnl_stream_create(&c->stream, c->engine, dnnl_stream_default_flags);
    if (!s) {
        s = dnnl_unimplemented;
        /* Narrow inputs gain nothing from Winograd. */
        if (!spec->bf16 && spec->k == 3 && spec->ic >= 16) s = create(c, dnnl_convolution_winograd);
        if (s) s = create(c, dnnl_convolution_direct);
    }
    omp_set_num_threads(before);
    if (s) {
        lp_conv_free(&c);
        return lp_fail(err, LP_ENOMEM, "convolution %d->%d channels, %d x %d pixels: oneDNN: %s",
                       spec->ic, spec->oc, spec->h, spec->w, text_of(s));
    }
    *out = c;
    return LP_OK;
}

void lp_conv_free(lp_conv **pc)
{
    lp_conv *c = pc ? *pc : NULL;

    if (!c) return;
    if (c->prim) dnnl_primitive_destroy(c->prim);
    if (c->pd) dnnl_primitive_desc_destroy(c->pd);
    if (c->stream) dnnl_stream_destroy(c->stream);
    if (c->engine) dnnl_engine_destroy(c->engine);
    free(c);
    *pc = NULL;
}

size_t lp_conv_scratch(const lp_conv *c)
{
    return dnnl_memory_desc_get_size(&c->scratch);
}

const char *lp_conv_name(const lp_conv *c)
{
    const char *name = "?";

    dnnl_primitive_desc_query(c->pd, dnnl_query_impl_info_str, 0, &name);
    return name;
}

/* Packs Winograd weights with our own code where the format is the one that it knows; 1 if so.
 * The format is oneDNN's private matter, so only its known release is trusted. */
static int pack_winograd(const lp_conv *c, const float *w, float *out)
{
    const dnnl_version_t *v = dnnl_version();
    const dnnl_wino_desc_t *d = &c->weights.format_desc.wino_desc;
    lp_winograd_order o = {d->alpha - 2, d->ic, d->oc, 1, 1, 0};

    if (v->major != 2 || v->minor != 6 || c->weights.format_kind != dnnl_format_kind_wino ||
        d->r != 3 || d->oc_block != 16 || d->ic != c->spec.ic || d->oc != c->spec.oc)
        return 0;
    if (d->wino_format == dnnl_wino_wei_OBaaIBOIio && d->alpha == 6) {
        o.ic1 = d->ic_block * d->ic2_block;
        o.oc2 = d->oc2_block;
        o.outer = 1;
    } else if (d->wino_format == dnnl_wino_wei_aaOBiOo && d->alpha == 4) {
        o.oc2 = d->oc2_block;
    } else if (d->wino_format != dnnl_wino_wei_aaOio || d->alpha != 4) {
        return 0;
    }
    if (d->size != (size_t)d->alpha * d->alpha * o.ic * o.oc * sizeof(float) || o.ic1 < 1 ||
        o.oc2 < 1 || o.ic % o.ic1 || o.oc % (16 * o.oc2))
        return 0;
    lp_winograd_weights(out, w, &o);
    return 1;
}

lp_status lp_packed_new(const lp_conv *c, const float *w, lp_packed **out, lp_err *err)
{
    const lp_conv_spec *sp = &c->spec;
    dnnl_dims_t wd = {sp->oc, sp->ic, sp->k, sp->k};
    dnnl_primitive_desc_t rpd = NULL;
    dnnl_primitive_t r = NULL;
    dnnl_memory_t m[2] = {NULL, NULL};
    dnnl_memory_desc_t from;
    size_t bytes = dnnl_memory_desc_get_size(&c->weights);
    lp_packed *p = calloc(1, sizeof *p);
    dnnl_status_t s = dnnl_out_of_memory;
    dnnl_exec_arg_t args[2];

    if (!p) return lp_fail_mem(err, "weights", sizeof *p);
    p->md = c->weights;
    p->data = lp_big_alloc(bytes);
    if (!p->data) goto done;
    if (pack_winograd(c, w, p->data)) {
        *out = p;
        return LP_OK;
    }
    if ((s = dnnl_memory_desc_init_by_tag(&from, 4, wd, dnnl_f32, dnnl_oihw))) goto done;
    if ((s = dnnl_memory_create(&m[0], &from, c->engine, (void *)(size_t)w))) goto done;
    if ((s = dnnl_memory_create(&m[1], &p->md, c->engine, p->data))) goto done;
    if ((s = dnnl_reorder_primitive_desc_create(&rpd, &from, c->engine, &p->md, c->engine, NULL)))
        goto done;
    if ((s = dnnl_primitive_create(&r, rpd))) goto done;
    args[0] = (dnnl_exec_arg_t){DNNL_ARG_FROM, m[0]};
    args[1] = (dnnl_exec_arg_t){DNNL_ARG_TO, m[1]};
    if ((s = dnnl_primitive_execute(r, c->stream, 2, args))) goto done;
    s = dnnl_stream_wait(c->stream);
done:
    if (r) dnnl_primitive_destroy(r);
    if (rpd) dnnl_primitive_desc_destroy(rpd);
    if (m[0]) dnnl_memory_destroy(m[0]);
    if (m[1]) dnnl_memory_destroy(m[1]);
    if (s) {
        lp_packed_free(&p);
        return lp_fail(err, LP_ENOMEM, "weights %d->%d channels (%.1f MiB): oneDNN: %s", sp->ic,
                       sp->oc, (double)bytes / 1048576.0, text_of(s));
    }
    *out = p;
    return LP_OK;
}

void lp_packed_free(lp_packed **p)
{
    if (!p || !*p) return;
    free((*p)->data);
    free(*p);
    *p = NULL;
}

int lp_packed_fits(const lp_packed *p, const lp_conv *c)
{
    return dnnl_memory_desc_equal(&p->md, &c->weights);
}

int lp_conv_run(const lp_conv *c, const lp_packed *w, const float *bias, const void *src, void *dst,
                void *scratch)
{
    const dnnl_memory_desc_t *md[5] = {&c->src, &w->md, &c->bias, &c->dst, &c->scratch};
    void *data[5] = {(void *)(size_t)src, w->data, (void *)(size_t)bias, dst, scratch};
    static const int id[5] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST,
                              DNNL_ARG_SCRATCHPAD};
    dnnl_exec_arg_t args[5];
    dnnl_status_t s = dnnl_success;
    int i, n = 0;

    for (; n < 5 && !s; n++) {
        args[n].arg = id[n];
        s = dnnl_memory_create(&args[n].memory, md[n], c->engine, data[n]);
        if (s) break;
    }
    if (!s) s = dnnl_primitive_execute(c->prim, c->stream, 5, args);
    if (!s) s = dnnl_stream_wait(c->stream);
    for (i = 0; i < n; i++) dnnl_memory_destroy(args[i].memory);
    return (int)s;
}

int lp_onednn_has_amx(void)
{
    return dnnl_get_effective_cpu_isa() == dnnl_cpu_isa_avx512_core_amx;
}

int lp_onednn_has_avx512(void)
{
    int isa = (int)dnnl_get_effective_cpu_isa();

    return (isa & (int)dnnl_cpu_isa_avx512_core) == (int)dnnl_cpu_isa_avx512_core;
}

int lp_onednn_has_bf16(void)
{
    return lp_onednn_has_avx512();
}
