#include "npy.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "unpickle.h"

#define MAX_FILE LP_PICKLE_MAX_BYTES

static lp_status bad(const char *path, const char *what, lp_err *err)
{
    return lp_fail(err, LP_EFORMAT, "%s: not a Cellpose size model: %s", path, what);
}

static lp_status read_file(const char *path, unsigned char **out, size_t *n, lp_err *err)
{
    unsigned char *p = NULL, *q;
    size_t cap = 65536, got = 0;
    lp_status st = LP_OK;
    struct stat sb;
    FILE *f;

    /* stat before open: opening a named pipe would wait for ever. */
    if (!stat(path, &sb) && !S_ISREG(sb.st_mode))
        return lp_fail(err, LP_EIO, "%s: cannot open the size model: not a plain file", path);
    if (!(f = fopen(path, "rbe")))
        return lp_fail(err, errno == ENOENT ? LP_EMISSING : LP_EIO,
                       "%s: cannot open the size model: %s", path, strerror(errno));
    for (;;) {
        if (!(q = realloc(p, cap))) {
            st = lp_fail_mem(err, path, (double)cap);
            goto done;
        }
        p = q;
        got += fread(p + got, 1, cap - got, f);
        if (got < cap) break;
        if (cap >= 2 * MAX_FILE) {
            st = bad(path, "the file is too large", err);
            goto done;
        }
        cap *= 2;
    }
    if (ferror(f)) {
        st = lp_fail(err, LP_EIO, "%s: %s", path, strerror(errno));
        goto done;
    }
    *out = p;
    *n = got;
    p = NULL;
done:
    free(p);
    fclose(f);
    return st;
}

/* Offset of the data behind numpy's header, which must announce one Python object; 0 where
 * it does not. */
static size_t data_offset(const unsigned char *p, size_t n)
{
    size_t len, at;
    char head[512];

    if (n < 12 || memcmp(p, "\x93NUMPY", 6) || p[6] < 1 || p[6] > 3) return 0;
    at = p[6] == 1 ? 10 : 12;
    len = p[8] | (size_t)p[9] << 8;
    if (p[6] > 1) len |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (len > n - at || len >= sizeof head) return 0;
    memcpy(head, p + at, len);
    head[len] = 0;
    return strstr(head, "'|O'") && strstr(head, "'shape': ()") ? at + len : 0;
}

/* The numbers of a numpy array (any shape, float32 or float64) or of one number as [*n]. */
static double *numbers(const lp_pk *v, int *n)
{
    const lp_pk *data;
    double *out;
    size_t size, i, count;
    float f;

    if (!v) return NULL;
    if (v->type == LP_PK_FLOAT || v->type == LP_PK_INT) {
        if (!(out = malloc(sizeof *out))) return NULL;
        *out = v->type == LP_PK_FLOAT ? v->u.f : (double)v->u.i;
        *n = 1;
        return out;
    }
    if (v->type != LP_PK_ARRAY || !v->u.array->data || !v->u.array->dtype) return NULL;
    data = v->u.array->data;
    size = (size_t)v->u.array->dtype->u.dtype.size;
    if (data->type != LP_PK_BYTES && data->type != LP_PK_STR) return NULL;
    if (v->u.array->dtype->u.dtype.kind != 'f' || v->u.array->dtype->u.dtype.order == '>' ||
        (size != 4 && size != 8))
        return NULL;
    /* One axis holds all values (shapes (n), (1, n), (n, 1)), so the order does not matter. */
    for (count = 1, i = 0; i < v->u.array->shape->u.seq.n; i++) {
        const lp_pk *d = v->u.array->shape->u.seq.v[i];

        if (d->type != LP_PK_INT || d->u.i < 1 || d->u.i > LP_MAX_WIDTH ||
            (d->u.i > 1 && count > 1))
            return NULL;
        count *= (size_t)d->u.i;
    }
    if (data->u.s.n != count * size || !(out = malloc(count * sizeof *out))) return NULL;
    for (i = 0; i < count; i++) {
        if (size == 8) {
            memcpy(out + i, data->u.s.p + 8 * i, 8);
        } else {
            memcpy(&f, data->u.s.p + 4 * i, 4);
            out[i] = f;
        }
    }
    *n = (int)count;
    return out;
}

static lp_status one_number(const char *path, const lp_pk *dict, const char *key, double *out,
                            lp_err *err)
{
    int n = 0;
    double *v = numbers(lp_pk_dict_get(dict, key), &n);
    lp_status st = LP_OK;

    if (!v || n != 1 || !isfinite(*v))
        st = lp_fail(err, LP_EFORMAT, "%s: not a Cellpose size model: %s is missing or no number",
                     path, key);
    else
        *out = *v;
    free(v);
    return st;
}

static lp_status many_numbers(const char *path, const lp_pk *dict, const char *key, int *n,
                              double **out, lp_err *err)
{
    *out = numbers(lp_pk_dict_get(dict, key), n);
    return *out ? LP_OK
                : lp_fail(err, LP_EFORMAT,
                          "%s: not a Cellpose size model: %s is missing or no float vector", path,
                          key);
}

lp_status lp_weights_import_size(const char *path, lp_weights *w, lp_err *err)
{
    unsigned char *p = NULL;
    size_t n = 0, at;
    lp_pickle *pk = NULL;
    lp_size_model *m = NULL, *old = w->size;
    const lp_pk *v;
    int n_smean = 0;
    lp_status st;

    if ((st = read_file(path, &p, &n, err))) return st;
    if (!(at = data_offset(p, n))) {
        st = bad(path, "no numpy file with one pickled object", err);
        goto done;
    }
    if ((st = lp_unpickle(p + at, n - at, path, NULL, &pk, err))) goto done;
    v = lp_pickle_root(pk);
    /* An object array is pickled with the list of its elements as data. */
    if (v->type == LP_PK_ARRAY && v->u.array->data && v->u.array->data->type == LP_PK_LIST &&
        v->u.array->data->u.seq.n == 1)
        v = v->u.array->data->u.seq.v[0];
    if (v->type != LP_PK_DICT) {
        st = bad(path, "it does not hold a dictionary", err);
        goto done;
    }
    if (!(m = calloc(1, sizeof *m))) {
        st = lp_fail_mem(err, path, (double)sizeof *m);
        goto done;
    }
    if ((st = many_numbers(path, v, "A", &m->n, &m->A, err))) goto done;
    if ((st = many_numbers(path, v, "smean", &n_smean, &m->smean, err))) goto done;
    if (n_smean != m->n) {
        st = bad(path, "A and smean differ in length", err);
        goto done;
    }
    if ((st = one_number(path, v, "ymean", &m->ymean, err))) goto done;
    if ((st = one_number(path, v, "diam_mean", &m->diam_mean, err))) goto done;
    w->size = m;
    if ((st = lp_weights_check(w, path, err))) {
        w->size = old;
        goto done;
    }
    lp_size_model_free(&old);
    m = NULL;
done:
    lp_size_model_free(&m);
    lp_pickle_free(&pk);
    free(p);
    return st;
}
