#include "train_data.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/diffuse.h"
#include "channels.h"
#include "eval_labels.h"
#include "label_index.h"
#include "read.h"
#include "read_outlines.h"
#include "sort.h"

#define PI 3.14159265358979323846

void lp_train_image_free(lp_train_image *im)
{
    if (!im) return;
    free(im->name);
    free(im->image);
    free(im->inside);
    free(im->flows);
    memset(im, 0, sizeof *im);
}

void lp_train_set_free(lp_train_set *s)
{
    int i;

    if (!s) return;
    for (i = 0; i < s->n; i++) lp_train_image_free(&s->image[i]);
    free(s->image);
    memset(s, 0, sizeof *s);
}

static double diameter_of(double area)
{
    return sqrt(area) / (sqrt(PI) / 2);
}

/* Labels 1 .. n instead of any numbers. */
static lp_status renumber(const lp_labels *lb, lp_labels *out, uint32_t *n, lp_err *err)
{
    lp_label_index ix = {0};
    size_t i, all = (size_t)lb->Ly * lb->Lx;
    lp_status st;

    if ((st = lp_labels_new(out, lb->Ly, lb->Lx, err))) return st;
    if ((st = lp_label_index_new(lb, &ix, err))) {
        lp_labels_free(out);
        return st;
    }
    for (i = 0; i < all; i++)
        out->data[i] = lb->data[i] ? (uint32_t)lp_label_index_find(&ix, lb->data[i]) + 1 : 0;
    *n = (uint32_t)ix.n;
    lp_label_index_free(&ix);
    return LP_OK;
}

static lp_status make_flows(const lp_labels *lb, const lp_label_info *info, uint32_t n,
                            lp_train_image *im, lp_err *err)
{
    size_t all = (size_t)lb->Ly * lb->Lx, i;
    int threads = omp_get_max_threads();
    size_t bytes = lp_diffuse_scratch(info, n, threads);
    float *mu = malloc(2 * all * sizeof *mu);
    void *scratch = aligned_alloc(64, (bytes + 64) / 64 * 64);

    im->flows = malloc(2 * all * sizeof *im->flows);
    im->inside = malloc(all);
    if (!mu || !scratch || !im->flows || !im->inside) {
        free(mu);
        free(scratch);
        return lp_fail_mem(err, im->name, 13.0 * (double)all + (double)bytes);
    }
    lp_diffuse_cpu(mu, lb->data, info, n, lb->Ly, lb->Lx, threads, scratch);
    for (i = 0; i < all; i++) im->inside[i] = lb->data[i] > 0;
    for (i = 0; i < 2 * all; i++) im->flows[i] = (int16_t)lrintf(mu[i] * 32767.0f);
    free(mu);
    free(scratch);
    return LP_OK;
}

/* Channels up to the last one that is not all zero, at least one. */
static int used_channels(const float *image, int nchan, size_t plane)
{
    size_t i;

    for (; nchan > 1; nchan--)
        for (i = 0; i < plane; i++)
            if (image[(nchan - 1) * plane + i] != 0) return nchan;
    return 1;
}

lp_status lp_train_image_make(const char *name, const float *image, int nchan,
                              const lp_labels *labels, lp_train_image *out, double **areas,
                              lp_err *err)
{
    lp_train_image im = {.Ly = labels->Ly, .Lx = labels->Lx};
    size_t plane = (size_t)labels->Ly * labels->Lx;
    lp_labels lb = {0};
    lp_label_info *info = NULL;
    double *area = NULL;
    uint32_t n = 0, k;
    lp_status st;

    im.nchan = used_channels(image, nchan, plane);
    im.name = strdup(name);
    im.image = malloc((size_t)im.nchan * plane * sizeof *im.image);
    if (!im.name || !im.image) {
        st = lp_fail_mem(err, name, 4.0 * im.nchan * (double)plane);
        goto done;
    }
    memcpy(im.image, image, (size_t)im.nchan * plane * sizeof *im.image);
    if ((st = renumber(labels, &lb, &n, err))) goto done;
    info = malloc(((size_t)n + 1) * sizeof *info);
    area = malloc(((size_t)n + 1) * sizeof *area);
    if (!info || !area) {
        st = lp_fail_mem(err, name, (n + 1.0) * (sizeof *info + sizeof *area));
        goto done;
    }
    lp_relabel_info_ref(info, n, lb.data, lb.Ly, lb.Lx);
    if ((st = make_flows(&lb, info, n, &im, err))) goto done;
    for (k = 0; k < n; k++) area[k] = info[k + 1].count;
    qsort(area, n, sizeof *area, lp_by_double);
    im.n_masks = (int)n;
    im.diameter = 0;
    if (n) /* the median of the roots, as numpy does it for even numbers */
        im.diameter = (diameter_of(area[(n - 1) / 2]) + diameter_of(area[n / 2])) / 2;
    if (im.diameter < 5) im.diameter = 5;
    *out = im;
    memset(&im, 0, sizeof im);
    if (areas) {
        *areas = area;
        area = NULL;
    }
done:
    lp_train_image_free(&im);
    lp_labels_free(&lb);
    free(info);
    free(area);
    return st;
}

lp_status lp_train_labels_read(const lp_train_pair *p, int Ly, int Lx, lp_labels *lb, lp_err *err)
{
    lp_status st = lp_eval_is_drawn(p->labels) ? lp_read_outlines(p->labels, Ly, Lx, lb, err)
                                               : lp_read_labels(p->labels, lb, err);

    if (st || (lb->Ly == Ly && lb->Lx == Lx)) return st;
    st = lp_fail(err, LP_EFORMAT,
                 "%s: %d x %d pixels, its image %s has %d x %d: they do not belong together",
                 p->labels, lb->Lx, lb->Ly, p->image, Lx, Ly);
    lp_labels_free(lb);
    return st;
}

static lp_status load(const lp_train_pair *p, const lp_train_data_options *o, lp_train_image *out,
                      double **areas, lp_err *err)
{
    lp_image raw = {0}, im = {0};
    lp_labels lb = {0};
    uint32_t flat = 0; /* notes of lp_normalize */
    lp_err why;
    lp_status st;

    if ((st = lp_read_image(p->image, 0, &raw, err))) return st;
    if ((st = lp_train_labels_read(p, raw.Ly, raw.Lx, &lb, err))) goto done;
    st = lp_channels_select(&raw, o->chan, o->chan2, o->nchan, &im, &why);
    if (!st) st = lp_normalize(im.data, im.nchan, im.Ly, im.Lx, &o->normalize, &flat, &why);
    if (st) {
        lp_fail(err, st, "%s: %s", p->image, why.msg);
        goto done;
    }
    if ((st = lp_train_image_make(p->image, im.data, im.nchan, &lb, out, areas, err))) goto done;
    out->replaced = raw.replaced;
    out->flat = (flat & 0xffff) != 0;
    out->npages = raw.npages;
done:
    lp_image_free(&raw);
    lp_image_free(&im);
    lp_labels_free(&lb);
    return st;
}

/* FNV-1a over 8 bytes at a time. */
static void digest(uint64_t *h, const void *data, size_t n)
{
    const uint8_t *p = data;

    for (; n >= 8; n -= 8, p += 8) {
        uint64_t v;

        memcpy(&v, p, 8);
        *h = (*h ^ v) * 0x100000001b3u;
        *h ^= *h >> 29;
    }
    for (; n; n--) *h = (*h ^ *p++) * 0x100000001b3u;
}

static void digest_image(uint64_t *h, const lp_train_image *im)
{
    size_t plane = (size_t)im->Ly * im->Lx;
    const char *slash = strrchr(im->name, '/'), *name = slash ? slash + 1 : im->name;
    int32_t size[4] = {im->Ly, im->Lx, im->nchan, im->n_masks};

    digest(h, name, strlen(name));
    digest(h, size, sizeof size);
    digest(h, im->image, (size_t)im->nchan * plane * sizeof *im->image);
    digest(h, im->inside, plane);
    digest(h, im->flows, 2 * plane * sizeof *im->flows);
}

/* All areas of the images that are used. */
typedef struct {
    double *v;
    int64_t n;
} pool;

static int keep_areas(pool *p, const double *area, int n)
{
    double *v = realloc(p->v, (size_t)(p->n + n + 1) * sizeof *v);

    if (!v) return 0;
    p->v = v;
    memcpy(v + p->n, area, (size_t)n * sizeof *v);
    p->n += n;
    return 1;
}

static double bytes_of(const lp_train_image *im)
{
    return (4.0 * im->nchan + 5) * im->Ly * im->Lx;
}

lp_status lp_train_set_load(const lp_train_files *files, const lp_train_data_options *o,
                            lp_train_set *out, lp_err *err)
{
    lp_train_set s = {.digest = 0xcbf29ce484222325u};
    double *area = NULL, bytes = 0;
    pool all = {0};
    lp_status st = LP_OK;
    int i;

    s.image = calloc((size_t)files->n + 1, sizeof *s.image);
    if (!s.image) return lp_fail_mem(err, "training images", files->n * sizeof *s.image);
    for (i = 0; i < files->n; i++) {
        lp_train_image im;

        if ((st = load(&files->pair[i], o, &im, &area, err))) goto done;
        if (im.n_masks < o->min_train_masks) {
            s.n_few++;
            lp_train_image_free(&im);
        } else {
            s.image[s.n++] = im;
            bytes += bytes_of(&im);
            digest_image(&s.digest, &im);
            s.diam_labels += im.diameter;
            if (!keep_areas(&all, area, im.n_masks) || (o->memory > 0 && bytes > o->memory)) {
                st = lp_fail(err, LP_ENOMEM,
                             "%s: %d of %d training images fill the memory there is for them (%.1f "
                             "GiB): use fewer",
                             im.name, i + 1, files->n, bytes / 1073741824.0);
                goto done;
            }
        }
        free(area);
        area = NULL;
    }
    if (!s.n) {
        st = lp_fail(err, LP_EARG,
                     "%s: no image with at least %d particles in its labels (--min_train_masks)",
                     files->pair[0].image, o->min_train_masks);
        goto done;
    }
    s.diam_labels /= s.n;
    s.n_particles = all.n;
    if (all.n) {
        qsort(all.v, (size_t)all.n, sizeof *all.v, lp_by_double);
        s.diam_range[0] = diameter_of(lp_quantile(all.v, all.n, 0.05));
        s.diam_range[1] = diameter_of(lp_quantile(all.v, all.n, 0.95));
    }
    *out = s;
    memset(&s, 0, sizeof s);
done:
    lp_train_set_free(&s);
    free(all.v);
    free(area);
    return st;
}
