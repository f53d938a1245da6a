#include "eval_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "read.h"
#include "read_outlines.h"
#include "run_files.h"

/* The longest first: _cp_masks ends in _masks. */
static const char *const endings[] = {"_cp_masks", "_outlines", "_RoiSet", "_labels", "_truth",
                                      "_masks",    "_label",    "_rois",   "_mask",   "_gt"};
enum { CP_MASKS = 0, OUTLINES, ROI_SET, ROIS = 7, N_ENDINGS = 10, PLAIN = N_ENDINGS };

#define RUN LP_RUN_ENDING

typedef enum { TRUTH, PRED, IMAGE } role;

typedef struct {
    char *path, *name;
    int rank; /* smaller is preferred */
    int plain;
} entry;

typedef struct {
    entry *e;
    int n;
} entries;

static void free_entries(entries *l)
{
    int i;

    for (i = 0; i < l->n; i++) {
        free(l->e[i].path);
        free(l->e[i].name);
    }
    free(l->e);
    memset(l, 0, sizeof *l);
}

static int ends_with(const char *s, size_t n, const char *end)
{
    size_t m = strlen(end);

    return n >= m && !memcmp(s + n - m, end, m);
}

static const char *file_name(const char *path)
{
    const char *s = strrchr(path, '/');

    return s ? s + 1 : path;
}

/* Length without .gz or .bz2 and without one further extension. */
static size_t stem_length(const char *name)
{
    size_t n = strlen(name), i;

    if (ends_with(name, n, ".gz")) n -= 3;
    if (ends_with(name, n, ".bz2")) n -= 4;
    for (i = n; i > 1; i--)
        if (name[i - 1] == '.') return i - 1;
    return n;
}

static int is_outlines_ending(int k)
{
    return k == OUTLINES || k == ROI_SET || k == ROIS;
}

/* Index of the ending of name's stem, or PLAIN; *n: length without it. */
static int ending_of(const char *name, size_t *n)
{
    int k, outlines = lp_outlines_is_name(name);

    *n = stem_length(name);
    for (k = 0; k < N_ENDINGS; k++)
        if (*n > strlen(endings[k]) && ends_with(name, *n, endings[k]) &&
            (outlines || !is_outlines_ending(k))) {
            *n -= strlen(endings[k]);
            break;
        }
    return k;
}

static int by_name(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int c = strcmp(x->name, y->name);

    if (c) return c;
    return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank)
                              : strcmp(x->path, y->path);
}

/* Smaller is preferred: see eval_files.h. */
static int rank_of(int ending, int outlines, int tiff, role r)
{
    static const int rank[2][4] = {{2, 1, 0, 3},
                                   {0, 2, 1, 3}}; /* cp_masks, outlines, labels, other */
    int kind = outlines ? 1 : ending == CP_MASKS ? 0 : ending == PLAIN ? 3 : 2;

    return 2 * rank[r == PRED][kind] + !tiff;
}

static lp_status add(entries *l, const char *dir, const char *file, role r, lp_err *err)
{
    size_t n, need = (dir ? strlen(dir) : 0) + strlen(file) + 2, stem = stem_length(file);
    const char *base = file_name(file);
    int k = ending_of(base, &n), tiff = !strncmp(file + stem, ".tif", 4);
    int outlines = lp_outlines_is_name(base), run = r == PRED && lp_eval_is_run(file);
    entry *e = realloc(l->e, (size_t)(l->n + 1) * sizeof *e);

    if (!e) return lp_fail_mem(err, "list of files", (double)need);
    l->e = e;
    e += l->n;
    e->plain = k == PLAIN && !outlines && !run;
    if (run) n = strlen(base) - strlen(RUN);
    if (r == IMAGE && !e->plain) return LP_OK;
    e->rank = run ? 99 : rank_of(k, outlines, tiff, r);
    e->path = malloc(need);
    e->name = strndup(base, n);
    if (!e->path || !e->name) {
        free(e->path);
        free(e->name);
        return lp_fail_mem(err, "list of files", (double)need);
    }
    if (dir)
        snprintf(e->path, need, "%s%s%s", dir, ends_with(dir, strlen(dir), "/") ? "" : "/", file);
    else
        snprintf(e->path, need, "%s", file);
    l->n++;
    return LP_OK;
}

/* Leaves the preferred file of every name; plain names go where a label ending was seen. */
static void choose(entries *l, role r)
{
    int i, k = 0, labelled = 0;

    for (i = 0; i < l->n; i++) labelled |= r != IMAGE && !l->e[i].plain;
    if (l->n) qsort(l->e, (size_t)l->n, sizeof *l->e, by_name);
    for (i = 0; i < l->n; i++) {
        entry *e = &l->e[i];

        if ((labelled && e->plain) || (k && !strcmp(l->e[k - 1].name, e->name))) {
            free(e->path);
            free(e->name);
        } else {
            l->e[k++] = *e;
        }
    }
    l->n = k;
}

/* Any .zip may be named, but in a folder it should say that it has ROIs. */
static int wanted(const char *name, role r)
{
    size_t n = strlen(name);

    if (*name == '.') return 0;
    if (lp_read_is_image_name(name) || (r == PRED && lp_eval_is_run(name))) return 1;
    if (r == IMAGE || !lp_outlines_is_name(name)) return 0;
    if (n < 4 || strcasecmp(name + n - 4, ".zip")) return 1;
    return (n >= 8 && !strncasecmp(name + n - 8, "rois", 4)) ||
           (n >= 10 && !strncasecmp(name + n - 10, "RoiSet", 6));
}

static lp_status list(const char *dir, role r, entries *out, lp_err *err)
{
    entries l = {0};
    lp_status st = LP_OK;
    struct dirent *d;
    DIR *f = opendir(dir);

    if (!f) return lp_fail(err, LP_EIO, "%s: cannot open the folder: %s", dir, strerror(errno));
    while (!st && (d = readdir(f)))
        if (wanted(d->d_name, r)) st = add(&l, dir, d->d_name, r, err);
    closedir(f);
    choose(&l, r);
    if (!st && !l.n)
        st = lp_fail(err, LP_EIO, "%s: no %s there", dir,
                     r == IMAGE
                         ? "images"
                         : "label images (TIFF or PNG) or outlines (.geojson, _rois.zip, .roi)");
    if (st) {
        free_entries(&l);
        return st;
    }
    *out = l;
    return LP_OK;
}

static int by_name_only(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

static const entry *find(const entries *l, const char *name)
{
    entry key = {.name = (char *)(uintptr_t)name};

    return l->n ? bsearch(&key, l->e, (size_t)l->n, sizeof key, by_name_only) : NULL;
}

int lp_eval_is_run(const char *path)
{
    const char *base = file_name(path);

    return strlen(base) > strlen(RUN) && ends_with(base, strlen(base), RUN);
}

/* NAME + ending beside the prediction; NULL also where there is none. */
static char *beside(const char *pred, const char *ending)
{
    size_t dir = (size_t)(file_name(pred) - pred), n;
    char *s = malloc(strlen(pred) + 24);

    if (!s) return NULL;
    ending_of(pred + dir, &n);
    if (lp_eval_is_run(pred)) n = strlen(pred + dir) - strlen(RUN);
    sprintf(s, "%.*s%s", (int)(dir + n), pred, ending);
    if (!access(s, R_OK)) return s;
    free(s);
    return NULL;
}

static int natural(const void *a, const void *b)
{
    const lp_eval_item *x = a, *y = b;
    int c = strverscmp(x->name, y->name);

    return c ? c : strcmp(x->name, y->name);
}

static void free_item(lp_eval_item *x)
{
    free(x->name);
    free(x->truth);
    free(x->pred);
    free(x->table);
    free(x->image);
    free(x->run);
}

static int same_file(const char *a, const char *b)
{
    struct stat s, t;

    return !stat(a, &s) && !stat(b, &t) && s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

static char *copy(const entry *e, int *failed)
{
    char *s = e ? strdup(e->path) : NULL;

    if (e && !s) *failed = 1;
    return s;
}

/* An image called name in the folder of file, or NULL. */
static char *image_beside(const char *file, const char *name)
{
    size_t n = (size_t)(file_name(file) - file), k;
    char *dir = n ? strndup(file, n) : strdup("./"), *found = NULL;
    DIR *f = dir ? opendir(dir) : NULL;
    struct dirent *d;

    while (f && !found && (d = readdir(f))) {
        if (d->d_name[0] == '.' || !lp_read_is_image_name(d->d_name)) continue;
        if (ending_of(d->d_name, &k) != PLAIN || k != strlen(name) || memcmp(d->d_name, name, k))
            continue;
        if ((found = malloc(n + strlen(d->d_name) + 1)))
            sprintf(found, "%.*s%s", (int)n, file, d->d_name);
    }
    if (f) closedir(f);
    free(dir);
    return found;
}

static lp_status pair(const entries *t, const entries *p, const entries *im, int files,
                      lp_eval_files *f, const char **itself, lp_err *err)
{
    int i, failed = 0;

    f->item = calloc((size_t)t->n, sizeof *f->item);
    if (!f->item) return lp_fail_mem(err, "list of files", (double)t->n * sizeof *f->item);
    for (i = 0; i < t->n; i++) {
        lp_eval_item *x = &f->item[f->n++];
        const entry *e = files ? &p->e[0] : find(p, t->e[i].name);

        x->name = strdup(t->e[i].name);
        x->truth = strdup(t->e[i].path);
        x->pred = copy(e, &failed);
        x->image = copy(files && im->n == 1 ? &im->e[0] : find(im, t->e[i].name), &failed);
        if (failed || !x->name || !x->truth) return lp_fail_mem(err, "list of files", 1);
        if (!x->image && lp_outlines_is_name(x->truth)) {
            x->image = image_beside(x->truth, x->name);
            if (!x->image && x->pred) x->image = image_beside(x->pred, x->name);
        }
        if (e && same_file(x->truth, x->pred)) { /* one folder for both, and no _cp_masks */
            free(x->pred);
            x->pred = NULL;
            *itself = x->truth;
        } else if (e) {
            x->run = beside(e->path, RUN);
            if (!lp_eval_is_run(e->path)) x->table = beside(e->path, "_particles.csv");
        }
    }
    qsort(f->item, (size_t)f->n, sizeof *f->item, natural);
    for (i = 0; i < p->n && !files; i++) {
        if (find(t, p->e[i].name)) continue;
        if (!f->n_extra++ && !(f->extra = strdup(p->e[i].path)))
            return lp_fail_mem(err, "list of files", 1);
    }
    return LP_OK;
}

static lp_status kind_of(const char *path, int *folder, lp_err *err)
{
    struct stat s;

    if (stat(path, &s)) return lp_fail(err, LP_EIO, "%s: %s", path, strerror(errno));
    *folder = S_ISDIR(s.st_mode);
    return LP_OK;
}

static lp_status gather(const char *path, int folder, role r, entries *l, lp_err *err)
{
    return folder ? list(path, r, l, err) : add(l, NULL, path, r, err);
}

lp_status lp_eval_files_find(const char *truth, const char *pred, const char *images,
                             lp_eval_files *out, lp_err *err)
{
    lp_eval_files f = {0};
    entries t = {0}, p = {0}, im = {0};
    const char *itself = NULL;
    int td = 0, pd = 0, id = 0, i, common = 0;
    lp_status st;

    if ((st = kind_of(truth, &td, err)) || (st = kind_of(pred, &pd, err))) return st;
    if (images && (st = kind_of(images, &id, err))) return st;
    if (td != pd)
        return lp_fail(err, LP_EARG, "%s is a folder and %s a file: give two folders or two files",
                       td ? truth : pred, td ? pred : truth);
    if ((st = gather(truth, td, TRUTH, &t, err))) goto done;
    if ((st = gather(pred, pd, PRED, &p, err))) goto done;
    if (images && (st = gather(images, id, IMAGE, &im, err))) goto done;
    if ((st = pair(&t, &p, &im, !td, &f, &itself, err))) goto done;
    for (i = 0; i < f.n; i++) common += f.item[i].pred != NULL;
    if (!common && itself) {
        st = lp_fail(err, LP_EARG, "%s: is both truth and prediction", itself);
        goto done;
    }
    if (!common) {
        st = lp_fail(err, LP_EARG,
                     "no file of %s belongs to one of %s: %s_cp_masks.tif is looked for", pred,
                     truth, f.item[0].name);
        goto done;
    }
    *out = f;
    memset(&f, 0, sizeof f);
done:
    free_entries(&t);
    free_entries(&p);
    free_entries(&im);
    lp_eval_files_free(&f);
    return st;
}

lp_status lp_eval_files_runs(const char *truth, char *const *runs, int n, lp_eval_files *out,
                             lp_err *err)
{
    lp_eval_files f = {0};
    entries t = {0}, p = {0}, none = {0};
    const char *itself = NULL;
    int folder = 0, i, k = 0;
    lp_status st;

    if ((st = kind_of(truth, &folder, err))) return st;
    if ((st = gather(truth, folder, TRUTH, &t, err))) goto done;
    for (i = 0; i < n; i++)
        if ((st = add(&p, NULL, runs[i], PRED, err))) goto done;
    if (p.n) qsort(p.e, (size_t)p.n, sizeof *p.e, by_name);
    for (i = 1; i < p.n; i++)
        if (!by_name_only(&p.e[i - 1], &p.e[i]) && find(&t, p.e[i].name)) {
            st = lp_fail(err, LP_EARG, "%s and %s: the labels of %s could be of either",
                         p.e[i - 1].path, p.e[i].path, p.e[i].name);
            goto done;
        }
    if ((st = pair(&t, &p, &none, 0, &f, &itself, err))) goto done;
    for (i = 0; i < f.n; i++) {
        lp_eval_item x = f.item[i];

        if (x.pred) {
            f.item[i] = f.item[k];
            f.item[k++] = x;
        }
    }
    for (i = k; i < f.n; i++) free_item(&f.item[i]);
    f.n = k;
    if (!k) {
        st = lp_fail(err, LP_EARG,
                     "no label image of %s belongs to one of the images: %s_labels.tif is "
                     "looked for, for example",
                     truth, n ? p.e[0].name : "NAME");
        goto done;
    }
    *out = f;
    memset(&f, 0, sizeof f);
done:
    free_entries(&t);
    free_entries(&p);
    lp_eval_files_free(&f);
    return st;
}

static int has_name(const lp_eval_files *f, const char *name)
{
    int i;

    for (i = 0; i < f->n; i++)
        if (!strcmp(f->item[i].name, name)) return 1;
    return 0;
}

lp_status lp_eval_files_picks(const char *truth, const char *pred, const lp_picks *picks,
                              const char *images, lp_eval_files *out, lp_err *err)
{
    lp_eval_files f = {0};
    entries t = {0}, none = {0}, im = {0};
    const char *itself = NULL;
    int folder = 0, image_folder = 0, i, common = 0;
    lp_status st;

    if ((st = kind_of(truth, &folder, err))) return st;
    if ((st = gather(truth, folder, TRUTH, &t, err))) goto done;
    if (images && (st = kind_of(images, &image_folder, err))) goto done;
    if (images && (st = gather(images, image_folder, IMAGE, &im, err))) goto done;
    if ((st = pair(&t, &none, &im, 0, &f, &itself, err))) goto done;
    for (i = 0; i < f.n; i++) {
        if (lp_picks_find(picks, f.item[i].name) < 0) continue;
        common++;
        if (!(f.item[i].pred = strdup(pred))) {
            st = lp_fail_mem(err, "list of files", 1);
            goto done;
        }
    }
    for (i = 0; i < picks->n_names; i++) {
        if (has_name(&f, picks->name[i]) || f.n_extra++) continue;
        if (!(f.extra = strdup(picks->name[i]))) {
            st = lp_fail_mem(err, "list of files", 1);
            goto done;
        }
    }
    if (!common) {
        st = lp_fail(err, LP_EARG, "no coordinates of %s belong to a file of %s, as %s", pred,
                     truth, f.item[0].name);
        goto done;
    }
    *out = f;
    memset(&f, 0, sizeof f);
done:
    free_entries(&t);
    free_entries(&im);
    lp_eval_files_free(&f);
    return st;
}

void lp_eval_files_free(lp_eval_files *f)
{
    int i;

    if (!f) return;
    for (i = 0; i < f->n; i++) free_item(&f->item[i]);
    free(f->item);
    free(f->extra);
    memset(f, 0, sizeof *f);
}
