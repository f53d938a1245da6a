#include "arch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONV0 "downsample.down.res_down_%d.conv.conv_0.2.weight"

typedef struct {
    lp_tensor *t;
    int n, cap;
    size_t bytes;
    int failed; /* out of memory, or too large */
} list;

static void add(list *l, const char *prefix, const char *name, int ndim, int a, int b, int c, int d)
{
    int shape[4] = {a, b, c, d}, i;
    size_t len = strlen(prefix) + strlen(name) + 1;
    lp_tensor *t;

    if (l->failed) return;
    if (l->n == l->cap) {
        int cap = l->cap ? 2 * l->cap : 512;

        if (!(t = realloc(l->t, (size_t)cap * sizeof *t))) {
            l->failed = 1;
            return;
        }
        l->t = t;
        l->cap = cap;
    }
    t = &l->t[l->n];
    memset(t, 0, sizeof *t);
    if (!(t->name = malloc(len))) {
        l->failed = 1;
        return;
    }
    snprintf(t->name, len, "%s%s", prefix, name);
    t->ndim = ndim;
    for (t->n = 1, i = 0; i < ndim; i++) t->n *= (size_t)(t->shape[i] = shape[i]);
    l->bytes += t->n * sizeof(float); /* at most 4096 * 4096 * 225 * 4 per tensor: no overflow */
    l->n++;
}

static void add_norm(list *l, const char *prefix, int c)
{
    add(l, prefix, "0.weight", 1, c, 0, 0, 0);
    add(l, prefix, "0.bias", 1, c, 0, 0, 0);
    add(l, prefix, "0.running_mean", 1, c, 0, 0, 0);
    add(l, prefix, "0.running_var", 1, c, 0, 0, 0);
    add(l, prefix, "0.num_batches_tracked", 0, 0, 0, 0, 0);
}

/* batchconv: norm, ReLU, convolution; without the ReLU (batchconv0) the index is 1. */
static void add_conv(list *l, const char *prefix, int index, int in, int out, int sz)
{
    char name[32];

    add_norm(l, prefix, in);
    snprintf(name, sizeof name, "%d.weight", index);
    add(l, prefix, name, 4, out, in, sz, sz);
    snprintf(name, sizeof name, "%d.bias", index);
    add(l, prefix, name, 1, out, 0, 0, 0);
}

lp_status lp_arch_list(lp_weights *w, const char *where, lp_err *err)
{
    list l = {0};
    char p[96];
    int levels = w->n_nbase - 1, n, k, in, out, i;

    add(&l, "diam_mean", "", 1, 1, 0, 0, 0);
    add(&l, "diam_labels", "", 1, 1, 0, 0, 0);
    for (n = 0; n < levels; n++) {
        in = w->nbase[n];
        out = w->nbase[n + 1];
        for (k = 0; k < 4; k++) {
            snprintf(p, sizeof p, "downsample.down.res_down_%d.conv.conv_%d.", n, k);
            add_conv(&l, p, 2, k ? out : in, out, w->sz);
        }
        snprintf(p, sizeof p, "downsample.down.res_down_%d.proj.", n);
        add_conv(&l, p, 1, in, out, 1);
    }
    for (n = 0; n < levels; n++) {
        in = w->nbase[n + 2 < w->n_nbase ? n + 2 : levels];
        out = w->nbase[n + 1];
        snprintf(p, sizeof p, "upsample.up.res_up_%d.conv.conv_0.", n);
        add_conv(&l, p, 2, in, out, w->sz);
        for (k = 1; k < 4; k++) {
            snprintf(p, sizeof p, "upsample.up.res_up_%d.conv.conv_%d.conv.", n, k);
            add_conv(&l, p, 2, out, out, w->sz);
            snprintf(p, sizeof p, "upsample.up.res_up_%d.conv.conv_%d.full.", n, k);
            add(&l, p, "weight", 2, out, w->nbase[levels], 0, 0);
            add(&l, p, "bias", 1, out, 0, 0, 0);
        }
        snprintf(p, sizeof p, "upsample.up.res_up_%d.proj.", n);
        add_conv(&l, p, 1, in, out, 1);
    }
    add_conv(&l, "output.", 2, w->nbase[1], w->nout, 1);
    if (!l.failed && l.bytes <= LP_ARCH_MAX_BYTES) {
        w->tensors = l.t;
        w->n_tensors = l.n;
        return LP_OK;
    }
    for (i = 0; i < l.n; i++) free(l.t[i].name);
    free(l.t);
    return lp_fail_mem(err, where, (double)l.bytes);
}

int lp_arch_is_counter(const char *name)
{
    size_t n = strlen(name), m = strlen(".num_batches_tracked");

    return n >= m && !strcmp(name + n - m, ".num_batches_tracked");
}

static int by_name(const void *a, const void *b)
{
    const lp_arch_entry *const *x = a, *const *y = b;
    int c = strcmp((*x)->name, (*y)->name);

    return c ? c : *x < *y ? -1 : *x > *y;
}

static const lp_arch_entry *find(const lp_arch_entry **sorted, int n, const char *name)
{
    int lo = 0, hi = n - 1;

    while (lo <= hi) {
        int mid = lo + (hi - lo) / 2, c = strcmp(name, sorted[mid]->name);

        if (!c) return sorted[mid];
        if (c < 0)
            hi = mid - 1;
        else
            lo = mid + 1;
    }
    return NULL;
}

/* Refusals of the kinds of file that users mistake for a Cellpose 1-3 CNN. */
static lp_status refuse_known(const char *where, const lp_arch_entry **s, int n, lp_err *err)
{
    int i;

    if (find(s, n, "W2"))
        return lp_fail(err, LP_EFORMAT,
                       "%s: a Cellpose 4 (cpsam, SAM) model (key W2); only the CNNs of Cellpose "
                       "1 to 3 can be used",
                       where);
    for (i = 0; i < n; i++)
        if (!strncmp(s[i]->name, "encoder.", 8) || !strncmp(s[i]->name, "image_encoder.", 14))
            return lp_fail(err, LP_EFORMAT,
                           "%s: a Cellpose 4 (SAM) or transformer model (key %.80s); only the CNNs "
                           "of Cellpose 1 to 3 can be used",
                           where, s[i]->name);
    return LP_OK;
}

/* nbase, nout and sz from the first convolution of each level and the last one of all. */
static lp_status derive(const char *where, const lp_arch_entry **s, int n, lp_weights *w,
                        lp_err *err)
{
    const lp_arch_entry *e, *o = find(s, n, "output.2.weight");
    char name[96];
    int k, d;

    snprintf(name, sizeof name, CONV0, 0);
    if (!find(s, n, name) || !o)
        return lp_fail(err, LP_EFORMAT,
                       "%s: not a Cellpose 1-3 CNN: %d tensors, missing %s; found instead "
                       "%.80s%s%.80s%s",
                       where, n, o ? name : "output.2.weight", n ? s[0]->name : "nothing",
                       n > 1 ? ", " : "", n > 1 ? s[n / 2]->name : "", n > 2 ? ", ..." : "");
    for (k = 0;; k++) {
        snprintf(name, sizeof name, CONV0, k);
        if (!(e = find(s, n, name))) break;
        if (k == LP_ARCH_MAX_LEVELS)
            return lp_fail(err, LP_EFORMAT, "%s: more than %d levels", where, LP_ARCH_MAX_LEVELS);
        if (e->ndim == 5)
            return lp_fail(err, LP_EFORMAT,
                           "%s: a net with 3D convolutions (%s); only 2D ones can be used", where,
                           name);
        if (e->ndim != 4)
            return lp_fail(err, LP_EFORMAT, "%s: %s has %d dimensions, not 4", where, name,
                           e->ndim);
        for (d = 0; d < 2; d++)
            if (e->shape[d] < 1 || e->shape[d] > LP_MAX_WIDTH)
                return lp_fail(err, LP_EFORMAT, "%s: %s: %lld channels (1 to %d can be used)",
                               where, name, (long long)e->shape[d], LP_MAX_WIDTH);
        if (k == 0) {
            if (e->shape[2] < 1 || e->shape[2] > LP_ARCH_MAX_SZ || e->shape[2] % 2 == 0)
                return lp_fail(err, LP_EFORMAT, "%s: %s: kernel size %lld (odd, 1 to %d)", where,
                               name, (long long)e->shape[2], LP_ARCH_MAX_SZ);
            w->sz = (int)e->shape[2];
            w->nbase[0] = (int)e->shape[1];
        }
        w->nbase[k + 1] = (int)e->shape[0];
    }
    if (k < LP_ARCH_MIN_LEVELS)
        return lp_fail(err, LP_EFORMAT, "%s: %d level; %d to %d can be used", where, k,
                       LP_ARCH_MIN_LEVELS, LP_ARCH_MAX_LEVELS);
    w->n_nbase = k + 1;
    if (o->ndim != 4 || o->shape[0] != 3)
        return lp_fail(err, LP_EFORMAT,
                       "%s: output.2.weight gives %lld outputs, not 3 (flow y, flow x, cellprob): "
                       "an image restoration or other model, not one that segments",
                       where, o->ndim ? (long long)o->shape[0] : 0LL);
    w->nout = 3;
    return LP_OK;
}

static int same_shape(const lp_tensor *t, const lp_arch_entry *e)
{
    int d;

    if (t->n == 1 && t->ndim <= 1 && (e->ndim == 0 || (e->ndim == 1 && e->shape[0] == 1))) return 1;
    if (t->ndim != e->ndim) return 0;
    for (d = 0; d < t->ndim; d++)
        if (t->shape[d] != e->shape[d]) return 0;
    return 1;
}

/* A list of names that stops after three. */
typedef struct {
    char text[420];
    size_t len;
    int n;
} names;

static void __attribute__((format(printf, 2, 3))) note(names *l, const char *fmt, ...)
{
    va_list ap;
    int k;

    if (l->n++ >= 3 || l->len + 2 >= sizeof l->text) return;
    if (l->len) l->len += (size_t)sprintf(l->text + l->len, ", ");
    va_start(ap, fmt);
    k = vsnprintf(l->text + l->len, sizeof l->text - l->len, fmt, ap);
    va_end(ap);
    l->len = strlen(l->text);
    (void)k;
}

static void note_shape(names *l, const lp_tensor *t, const lp_arch_entry *e)
{
    char got[80] = "()", want[80] = "()";
    int d, k;

    for (d = k = 0; d < e->ndim && k < 60; d++)
        k += snprintf(got + k, sizeof got - (size_t)k, "%s%lld", d ? "x" : "",
                      (long long)e->shape[d]);
    for (d = k = 0; d < t->ndim && k < 60; d++)
        k += snprintf(want + k, sizeof want - (size_t)k, "%s%d", d ? "x" : "", t->shape[d]);
    note(l, "%s is %s, not %s", t->name, got, want);
}

static void append(char *msg, size_t size, const char *what, const names *l)
{
    size_t k = strlen(msg);

    if (!l->n || k >= size) return;
    k += (size_t)snprintf(msg + k, size - k, "; %s %s", what, l->text);
    if (l->n > 3 && k < size) snprintf(msg + k, size - k, " and %d more", l->n - 3);
}

lp_status lp_arch_resolve(const char *where, const lp_arch_entry *e, int n, int lax, lp_weights *w,
                          int **map, lp_err *err)
{
    const lp_arch_entry **s = malloc(((size_t)n + 1) * sizeof *s), *f;
    char *used = calloc((size_t)n + 1, 1), msg[900] = "";
    int *m = NULL, i;
    names missing = {0}, extra = {0}, shape = {0};
    lp_status st;

    if (!s || !used) {
        st = lp_fail_mem(err, where, (double)n * sizeof *s);
        goto done;
    }
    for (i = 0; i < n; i++) s[i] = e + i;
    qsort(s, (size_t)n, sizeof *s, by_name);
    for (i = 1; i < n; i++)
        if (!strcmp(s[i]->name, s[i - 1]->name)) {
            st = lp_fail(err, LP_EFORMAT, "%s: %.200s is there twice", where, s[i]->name);
            goto done;
        }
    if ((st = refuse_known(where, s, n, err))) goto done;
    if ((st = derive(where, s, n, w, err))) goto done;
    if ((st = lp_arch_list(w, where, err))) goto done;
    if (!(m = malloc((size_t)w->n_tensors * sizeof *m))) {
        st = lp_fail_mem(err, where, (double)w->n_tensors * sizeof *m);
        goto done;
    }
    for (i = 0; i < w->n_tensors; i++) {
        const lp_tensor *t = &w->tensors[i];

        m[i] = -1;
        if ((f = find(s, n, t->name))) {
            m[i] = (int)(f - e);
            used[f - e] = 1;
            if (!same_shape(t, f)) note_shape(&shape, t, f);
        } else if (!lax || (i > 1 && !lp_arch_is_counter(t->name))) {
            note(&missing, "%s", t->name); /* 0 and 1 are diam_mean and diam_labels */
        }
    }
    for (i = 0; i < n; i++)
        if (!used[i]) note(&extra, "%.100s", e[i].name);
    if (missing.n || extra.n || shape.n) {
        append(msg, sizeof msg, "missing", &missing);
        append(msg, sizeof msg, "extra", &extra);
        append(msg, sizeof msg, "wrong shape:", &shape);
        st = lp_fail(err, LP_EFORMAT, "%s: not a Cellpose 1-3 CNN%s", where, msg);
        goto done;
    }
    *map = m;
    m = NULL;
    st = LP_OK;
done:
    free(s);
    free(used);
    free(m);
    return st;
}
