#include "inputs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "read.h"
#include "shard.h"

/* Endings of stems that a segmentation, ours or Cellpose's, writes beside its images. */
static const char *const written[] = {
    "_cp_masks", "_masks",    "_labels",   "_overlay", "_flows",     "_flows_0", "_flows_1",
    "_flows_2",  "_cellprob", "_outlines", "_dP",      "_cp_output", NULL};

static int ends_with(const char *s, size_t n, const char *end)
{
    size_t m = strlen(end);

    return n >= m && !memcmp(s + n - m, end, m);
}

/* Length of name without .gz/.bz2 and without one further extension. */
static size_t stem_length(const char *name)
{
    size_t n = strlen(name);
    const char *dot;

    if (ends_with(name, n, ".gz"))
        n -= 3;
    else if (ends_with(name, n, ".bz2"))
        n -= 4;
    for (dot = name + n; dot > name + 1; dot--)
        if (dot[-1] == '.') return (size_t)(dot - 1 - name);
    return n;
}

static const char *file_name(const char *path)
{
    const char *s = strrchr(path, '/');

    return s ? s + 1 : path;
}

static void free_item(lp_input *x)
{
    free(x->path);
    free(x->name);
    free(x->base);
    free(x->key);
}

/* A folder as written, and as the system knows it: a/../b and b are the same. */
typedef struct {
    char *written, *real;
    size_t n; /* of written */
} known_folder;

static void free_folder(known_folder *f)
{
    free(f->written);
    free(f->real);
    memset(f, 0, sizeof *f);
}

/* base with its folder as the system knows it. Images of a folder follow each other: *last is the
 * folder of the one before. */
static char *make_key(const char *base, known_folder *last)
{
    size_t dir = (size_t)(file_name(base) - base);
    char *key;

    if (!last->real || last->n != dir || memcmp(last->written, base, dir)) {
        free_folder(last);
        last->written = dir ? strndup(base, dir) : strdup(".");
        if (!last->written) return NULL;
        last->real = realpath(last->written, NULL);
        /* not there: reading will fail */
        if (!last->real && errno != ENOMEM) last->real = strdup(last->written);
        if (!last->real) return NULL;
        last->n = dir;
    }
    if ((key = malloc(strlen(last->real) + strlen(base + dir) + 2)))
        sprintf(key, "%s/%s", last->real, base + dir);
    return key;
}

static lp_status make_keys(lp_inputs *in, lp_err *err)
{
    known_folder last = {0};
    lp_status st = LP_OK;
    int i;

    for (i = 0; i < in->n && !st; i++)
        if (!(in->item[i].key = make_key(in->item[i].base, &last)))
            st = lp_fail_mem(err, "list of images", in->n * 8.0);
    free_folder(&last);
    return st;
}

static lp_status add(lp_inputs *in, const char *path, const char *savedir, const char *below,
                     lp_err *err)
{
    const char *name = file_name(path);
    size_t dir = (size_t)(name - path), stem = stem_length(name), need;
    lp_input *item = realloc(in->item, (size_t)(in->n + 1) * sizeof *item);
    lp_input *x;

    if (!item) return lp_fail_mem(err, "list of images", sizeof *item);
    in->item = item;
    x = &item[in->n];
    need = dir + stem + strlen(path) + (savedir ? strlen(savedir) : 0) + strlen(below) + 8;
    memset(x, 0, sizeof *x);
    x->path = strdup(path);
    x->name = malloc(strlen(below) + strlen(name) + 2);
    x->base = malloc(need);
    if (!x->path || !x->name || !x->base) {
        free_item(x);
        return lp_fail_mem(err, "list of images", (double)need);
    }
    sprintf(x->name, "%s%s%s", below, *below ? "/" : "", name);
    if (savedir)
        snprintf(x->base, need, "%s%s%s%s%.*s", savedir,
                 ends_with(savedir, strlen(savedir), "/") ? "" : "/", below, *below ? "/" : "",
                 (int)stem, name);
    else
        snprintf(x->base, need, "%.*s%.*s", (int)dir, path, (int)stem, name);
    in->n++;
    return LP_OK;
}

static int by_version(const void *a, const void *b)
{
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* Whether dir/e is a folder (folders 1) or a plain file (0). Most file systems tell the kind. */
static int is_kind(const char *dir, const struct dirent *e, int folders)
{
    char path[PATH_MAX];
    struct stat s;

    if (e->d_type == DT_REG || e->d_type == DT_DIR) return e->d_type == (folders ? DT_DIR : DT_REG);
    if (snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= (int)sizeof path) return 0;
    return !stat(path, &s) && (folders ? S_ISDIR(s.st_mode) : S_ISREG(s.st_mode));
}

/* Names in a folder, sorted; folders tells which kind. */
static lp_status list(const char *dir, int folders, char ***names, int *n, lp_err *err)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    char **list_ = NULL;
    int k = 0;

    if (!d) return lp_fail(err, LP_EIO, "%s: cannot open the folder: %s", dir, strerror(errno));
    while ((e = readdir(d))) {
        char **more;

        if (e->d_name[0] == '.') continue;
        if (!folders && !lp_read_is_image_name(e->d_name)) continue;
        if (!is_kind(dir, e, folders)) continue;
        more = realloc(list_, (size_t)(k + 1) * sizeof *more);
        if (more) {
            list_ = more;
            list_[k] = strdup(e->d_name);
        }
        if (!more || !list_[k]) {
            while (k) free(list_[--k]);
            free(list_);
            closedir(d);
            return lp_fail_mem(err, "list of images", (k + 1) * 8.0);
        }
        k++;
    }
    closedir(d);
    if (k) qsort(list_, (size_t)k, sizeof *list_, by_version);
    *names = list_;
    *n = k;
    return LP_OK;
}

static int wanted(const char *name, const lp_inputs_options *o)
{
    size_t stem = stem_length(name);
    int i;

    for (i = 0; written[i]; i++)
        if (stem > strlen(written[i]) && ends_with(name, stem, written[i])) return 0;
    if (o->mask_filter && *o->mask_filter && ends_with(name, stem, o->mask_filter)) return 0;
    return !o->img_filter || ends_with(name, stem, o->img_filter);
}

static lp_status add_folder(lp_inputs *in, const char *dir, const char *below, int deeper,
                            const lp_inputs_options *o, lp_err *err)
{
    char **names = NULL, path[PATH_MAX];
    int n = 0, i;
    lp_status st = list(dir, 0, &names, &n, err);

    for (i = 0; i < n && !st; i++) {
        if (!wanted(names[i], o)) continue;
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        st = add(in, path, o->savedir, below, err);
    }
    for (i = 0; i < n; i++) free(names[i]);
    free(names);
    if (st || !deeper) return st;
    names = NULL;
    n = 0;
    st = list(dir, 1, &names, &n, err);
    for (i = 0; i < n && !st; i++) {
        int before = in->n;

        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        st = add_folder(in, path, names[i], 0, o, err);
        if (st || in->n == before || !o->savedir) continue;
        snprintf(path, sizeof path, "%s/%s", o->savedir, names[i]);
        st = lp_inputs_make_folder(path, err);
    }
    for (i = 0; i < n; i++) free(names[i]);
    free(names);
    return st;
}

static int by_key(const void *a, const void *b)
{
    const lp_input *x = *(const lp_input *const *)a, *y = *(const lp_input *const *)b;
    int c = strcmp(x->key, y->key);

    return c ? c : (x > y) - (x < y);
}

/* Drops files named twice; refuses different files with the same results. */
static lp_status check_bases(lp_inputs *in, lp_err *err)
{
    lp_input **sorted = malloc((size_t)in->n * sizeof *sorted);
    lp_status st = LP_OK;
    int i, k = 0;

    if (!sorted) return lp_fail_mem(err, "list of images", in->n * 8.0);
    for (i = 0; i < in->n; i++) sorted[i] = &in->item[i];
    qsort(sorted, (size_t)in->n, sizeof *sorted, by_key);
    for (i = 1; i < in->n && !st; i++) {
        lp_input *first = sorted[k], *x = sorted[i];
        struct stat a, b;

        if (strcmp(first->key, x->key)) {
            k = i;
        } else if (!strcmp(first->path, x->path) ||
                   (!stat(first->path, &a) && !stat(x->path, &b) && a.st_dev == b.st_dev &&
                    a.st_ino == b.st_ino)) {
            free_item(x);
            x->path = NULL;
        } else {
            st = lp_fail(err, LP_EARG,
                         "%s and %s would both write %s_cp_masks.tif: run them with different "
                         "--savedir",
                         first->path, x->path, first->base);
        }
    }
    free(sorted);
    for (i = k = 0; i < in->n; i++)
        if (in->item[i].path) in->item[k++] = in->item[i];
    in->n = k;
    return st;
}

lp_status lp_inputs_find(char *const *names, int n, const lp_inputs_options *o, lp_inputs *out,
                         lp_err *err)
{
    lp_inputs in = {0};
    lp_status st = LP_OK;
    int i;

    for (i = 0; i < n && !st; i++) {
        struct stat s;
        char *name = strdup(names[i]);
        size_t len = strlen(names[i]);
        int before = in.n;

        if (!name) {
            st = lp_fail_mem(err, "list of images", (double)len);
            break;
        }
        while (len > 1 && name[len - 1] == '/') name[--len] = 0;
        if (!*name) {
            st = lp_fail(err, LP_EARG, "an empty name was given for an image");
        } else if (o->growing && (stat(name, &s) || !S_ISDIR(s.st_mode))) {
            st = lp_fail(err, LP_EIO, "%s: no such folder", name);
        } else if (stat(name, &s) || !S_ISDIR(s.st_mode)) {
            st = add(&in, name, o->savedir, "", err);
        } else {
            st = add_folder(&in, name, "", o->look_one_level_down, o, err);
            if (!st && in.n == before && !o->growing)
                st = lp_fail(err, LP_EARG,
                             "%s: no images (.tif .tiff .png .mrc .mrcs .map .rec .st, also .gz, "
                             ".bz2) in this folder%s",
                             name, o->img_filter ? " end with --img_filter" : "");
        }
        free(name);
    }
    if (!st && in.n == 0 && !o->growing) st = lp_fail(err, LP_EARG, "no images given");
    if (!st) st = make_keys(&in, err);
    if (!st && in.n && !o->growing) st = check_bases(&in, err);
    if (st) {
        lp_inputs_free(&in);
        return st;
    }
    *out = in;
    return LP_OK;
}

lp_status lp_inputs_add(lp_inputs *in, const lp_input *x, lp_err *err)
{
    lp_input *item = realloc(in->item, (size_t)(in->n + 1) * sizeof *item);
    lp_input own;

    if (!item) return lp_fail_mem(err, "list of images", sizeof *item);
    in->item = item;
    own = (lp_input){strdup(x->path), strdup(x->key), strdup(x->name), strdup(x->base)};
    if (!own.path || !own.key || !own.name || !own.base) {
        free_item(&own);
        return lp_fail_mem(err, "list of images", 1000);
    }
    in->item[in->n++] = own;
    return LP_OK;
}

void lp_inputs_keep(lp_inputs *in, int index, int count)
{
    int i, k = 0;

    for (i = 0; i < in->n; i++) {
        if (lp_shard_of(in->item[i].name, count) == index)
            in->item[k++] = in->item[i];
        else
            free_item(&in->item[i]);
    }
    in->n = k;
}

void lp_inputs_free(lp_inputs *in)
{
    int i;

    if (!in) return;
    for (i = 0; i < in->n; i++) free_item(&in->item[i]);
    free(in->item);
    memset(in, 0, sizeof *in);
}

lp_status lp_inputs_make_folder(const char *path, lp_err *err)
{
    char part[PATH_MAX];
    size_t n = strlen(path), i;
    struct stat s;

    if (n == 0 || n >= sizeof part)
        return lp_fail(err, LP_EARG, "folder name is empty or too long");
    for (i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i]) continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0777) && errno != EEXIST && errno != EISDIR && !(errno == EROFS && path[i]))
            return lp_fail(err, LP_EIO, "%s: cannot make the folder: %s", part, strerror(errno));
    }
    if (stat(path, &s) || !S_ISDIR(s.st_mode))
        return lp_fail(err, LP_EIO, "%s: is not a folder", path);
    if (access(path, W_OK | X_OK))
        return lp_fail(err, LP_EIO, "%s: cannot write there: %s", path, strerror(errno));
    return LP_OK;
}

static int is_file(const char *path)
{
    struct stat s;

    return !stat(path, &s) && !S_ISDIR(s.st_mode);
}

static int is_folder(const char *path)
{
    struct stat s;

    return !stat(path, &s) && S_ISDIR(s.st_mode);
}

/* dir/name or dir/name.h5 as a malloc'ed string, or NULL. */
static char *look(const char *dir, const char *below, const char *name)
{
    char path[PATH_MAX];

    if (!dir || !*dir) return NULL;
    if (snprintf(path, sizeof path, "%s%s/%s.h5", dir, below, name) < (int)sizeof path &&
        is_file(path))
        return strdup(path);
    if (snprintf(path, sizeof path, "%s%s/%s", dir, below, name) < (int)sizeof path &&
        is_file(path))
        return strdup(path);
    return NULL;
}

lp_status lp_inputs_find_model(const char *name, char **path, lp_err *err)
{
    char exe[PATH_MAX], *slash, *found = NULL;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    const char *given = name ? name : LP_DEFAULT_MODEL;

    if (!*given)
        return lp_fail(err, LP_EARG,
                       "model: its name is empty; without --model it is the bundled %s",
                       LP_DEFAULT_MODEL);
    exe[n > 0 ? n : 0] = 0;
    if ((slash = strrchr(exe, '/'))) *slash = 0;
    if (name && is_file(name)) {
        found = strdup(name);
    } else if (!strchr(given, '/')) {
        found = look(getenv("LIPOPOSE_MODELS"), "", given);
        if (!found) found = look(exe, "/../share/lipopose", given); /* installed */
        if (!found) found = look(exe, "/../weights", given);        /* in the build tree */
        if (!found) found = look(getenv("CELLPOSE_LOCAL_MODELS_PATH"), "", given);
        if (!found) found = look(getenv("HOME"), "/.cellpose/models", given);
    }
    if (!found && name && is_folder(name))
        return lp_fail(err, LP_EMISSING, "model %s: is a folder; give --model FILE.h5", name);
    if (!found)
        return lp_fail(err, LP_EMISSING,
                       "model %s: no such file, nor a model of that name in $LIPOPOSE_MODELS, "
                       "%s/../share/lipopose or ~/.cellpose/models; give --model FILE.h5",
                       given, exe);
    *path = found;
    return LP_OK;
}
