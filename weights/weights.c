#include "weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"

void lp_size_model_free(lp_size_model **s)
{
    if (!s || !*s) return;
    free((*s)->A);
    free((*s)->smean);
    free(*s);
    *s = NULL;
}

void lp_weights_free(lp_weights **w)
{
    int i;

    if (!w || !*w) return;
    for (i = 0; i < (*w)->n_tensors; i++) {
        free((*w)->tensors[i].name);
        free((*w)->tensors[i].data);
    }
    free((*w)->tensors);
    free((*w)->source);
    free((*w)->source_sha256);
    free((*w)->licence);
    lp_size_model_free(&(*w)->size);
    free((*w)->test_x);
    free((*w)->test_y);
    free(*w);
    *w = NULL;
}

const float *lp_weights_get(const lp_weights *w, const char *name)
{
    int i;

    for (i = 0; i < w->n_tensors; i++)
        if (!strcmp(w->tensors[i].name, name)) return w->tensors[i].data;
    return NULL;
}

/* 1 where a value is NaN or Inf: all exponent bits set. */
static int has_nonfinite(const float *p, size_t n)
{
    uint32_t any = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        uint32_t u;

        memcpy(&u, p + i, 4);
        any |= (u & 0x7f800000) == 0x7f800000;
    }
    return (int)any;
}

static int is_variance(const char *name)
{
    size_t n = strlen(name), m = strlen(".running_var");

    return n > m && !strcmp(name + n - m, ".running_var");
}

static lp_status check_tensor(const lp_tensor *t, const lp_tensor *want, const char *where,
                              lp_err *err)
{
    size_t k;

    if (strcmp(t->name, want->name) || t->ndim != want->ndim || t->n != want->n ||
        memcmp(t->shape, want->shape, (size_t)t->ndim * sizeof *t->shape) || !t->data)
        return lp_fail(err, LP_EFORMAT, "%s: tensor %s is where %s should be, or has a wrong shape",
                       where, t->name, want->name);
    if (has_nonfinite(t->data, t->n))
        return lp_fail(err, LP_EFORMAT, "%s: %s holds NaN or Inf: damaged, or training diverged",
                       where, t->name);
    if (is_variance(t->name))
        for (k = 0; k < t->n; k++)
            if (t->data[k] < 0)
                return lp_fail(err, LP_EFORMAT, "%s: %s holds a negative variance", where, t->name);
    return LP_OK;
}

static int positive(double x)
{
    return isfinite(x) && x > 0;
}

static lp_status check_size(const lp_weights *w, const char *where, lp_err *err)
{
    const lp_size_model *s = w->size;
    int i;

    if (!s) return LP_OK;
    if (s->n != w->nbase[w->n_nbase - 1])
        return lp_fail(err, LP_EFORMAT,
                       "%s: the size model is for a style of %d values, the net's has %d: it "
                       "belongs to another model",
                       where, s->n, w->nbase[w->n_nbase - 1]);
    for (i = 0; i < s->n; i++)
        if (!isfinite(s->A[i]) || !isfinite(s->smean[i]))
            return lp_fail(err, LP_EFORMAT, "%s: the size model holds NaN or Inf", where);
    if (!isfinite(s->ymean) || !positive(s->diam_mean))
        return lp_fail(err, LP_EFORMAT, "%s: the size model's ymean or diam_mean is no number > 0",
                       where);
    return LP_OK;
}

lp_status lp_weights_check(const lp_weights *w, const char *where, lp_err *err)
{
    lp_weights want = {0};
    lp_status st = LP_OK;
    int i;

    if (w->n_nbase < LP_ARCH_MIN_LEVELS + 1 || w->n_nbase > LP_MAX_NBASE || w->nout != 3 ||
        w->sz < 1 || w->sz > LP_ARCH_MAX_SZ || w->sz % 2 == 0)
        return lp_fail(err, LP_EFORMAT,
                       "%s: %d levels, %d outputs, kernel size %d: no Cellpose net", where,
                       w->n_nbase - 1, w->nout, w->sz);
    for (i = 0; i < w->n_nbase; i++)
        if (w->nbase[i] < 1 || w->nbase[i] > LP_MAX_WIDTH)
            return lp_fail(err, LP_EFORMAT, "%s: nbase has %d channels (1 to %d)", where,
                           w->nbase[i], LP_MAX_WIDTH);
    if (!positive(w->diam_mean) || !positive(w->diam_labels))
        return lp_fail(err, LP_EFORMAT, "%s: diam_mean or diam_labels is no number > 0", where);
    if (!(w->diam_range[0] >= 0 && w->diam_range[1] >= w->diam_range[0] &&
          isfinite(w->diam_range[1])))
        return lp_fail(err, LP_EFORMAT, "%s: diam_range is no range", where);
    if ((st = check_size(w, where, err))) return st;
    if (!w->test_x != !w->test_y ||
        (w->test_x && (w->test_ly < 1 || w->test_ly > LP_SELFTEST_MAX_SIDE || w->test_lx < 1 ||
                       w->test_lx > LP_SELFTEST_MAX_SIDE)))
        return lp_fail(err, LP_EFORMAT, "%s: the self-test is incomplete", where);
    memcpy(want.nbase, w->nbase, sizeof want.nbase);
    want.n_nbase = w->n_nbase;
    want.nout = w->nout;
    want.sz = w->sz;
    if ((st = lp_arch_list(&want, where, err))) return st;
    if (want.n_tensors != w->n_tensors)
        st =
            lp_fail(err, LP_EFORMAT, "%s: %d tensors, not %d", where, w->n_tensors, want.n_tensors);
    for (i = 0; i < want.n_tensors && !st; i++)
        st = check_tensor(&w->tensors[i], &want.tensors[i], where, err);
    for (i = 0; i < want.n_tensors; i++) free(want.tensors[i].name);
    free(want.tensors);
    return st;
}
