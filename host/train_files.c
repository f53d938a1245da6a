#include "train_files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "done.h"
#include "inputs.h"

static const char *const endings[] = {"_masks", "_labels", "_label", "_mask", "_truth", "_gt"};
static const char *const drawn[] = {"_outlines.geojson", ".geojson",    "_outlines.zip",
                                    "_rois.zip",         "_RoiSet.zip", ".roi"};
static const char *const types[] = {".tif", ".tiff", ".png"};
#define COUNT(a) (sizeof(a) / sizeof *(a))

static int ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n > m && !strcmp(s + n - m, end);
}

static int exists(char *path, const char *dir, const char *stem, const char *ending,
                  const char *type)
{
    return snprintf(path, PATH_MAX, "%s/%s%s%s", dir, stem, ending, type) < PATH_MAX &&
           !access(path, F_OK);
}

static int with_ending(char *path, const char *dir, const char *stem, const char *ending)
{
    size_t k;

    for (k = 0; k < COUNT(types); k++)
        if (exists(path, dir, stem, ending, types[k])) return 1;
    return 0;
}

/* path [PATH_MAX]: the labels of stem in dir. plain: the name itself may be they. */
static int find(char *path, const char *dir, const char *stem, const lp_train_files_options *o,
                int plain)
{
    size_t k;

    if (*o->mask_filter && with_ending(path, dir, stem, o->mask_filter)) return 1;
    for (k = 0; k < COUNT(endings); k++)
        if (with_ending(path, dir, stem, endings[k])) return 1;
    for (k = 0; k < COUNT(drawn); k++)
        if (exists(path, dir, stem, drawn[k], "")) return 1;
    return with_ending(path, dir, stem, "_cp_masks") || (plain && with_ending(path, dir, stem, ""));
}

/* 1 for what segment wrote and nobody has touched since: not older than its record (done.h). */
static int is_prediction(const char *path)
{
    static const char *const ours[] = {"_cp_masks.tif", "_cp_masks.png", "_outlines.geojson",
                                       "_rois.zip"};
    char base[PATH_MAX], record[PATH_MAX];
    struct stat label, made;
    lp_err ignored;
    size_t k;

    for (k = 0; k < COUNT(ours) && !ends_with(path, ours[k]); k++) continue;
    if (k == COUNT(ours)) return 0;
    snprintf(base, sizeof base, "%.*s", (int)(strlen(path) - strlen(ours[k])), path);
    if (lp_done_file(base, NULL, 0, record, &ignored) || stat(record, &made) || stat(path, &label))
        return 0;
    return label.st_mtim.tv_sec < made.st_mtim.tv_sec ||
           (label.st_mtim.tv_sec == made.st_mtim.tv_sec &&
            label.st_mtim.tv_nsec <= made.st_mtim.tv_nsec);
}

/* 1 where the stem of an image is that of labels. */
static int is_labels(const char *stem, const char *mask_filter)
{
    size_t k;

    for (k = 0; k < COUNT(endings); k++)
        if (ends_with(stem, endings[k])) return 1;
    return *mask_filter && ends_with(stem, mask_filter);
}

static lp_status add(lp_train_files *f, const char *image, const char *labels, lp_err *err)
{
    lp_train_pair *p = realloc(f->pair, (size_t)(f->n + 1) * sizeof *p);

    if (!p) return lp_fail_mem(err, "list of images", (f->n + 1.0) * sizeof *p);
    f->pair = p;
    p[f->n].image = strdup(image);
    p[f->n].labels = strdup(labels);
    f->n++;
    return p[f->n - 1].image && p[f->n - 1].labels ? LP_OK : lp_fail_mem(err, "list of images", 1);
}

/* One image, whose base is folder/stem. */
static lp_status take(lp_train_files *f, const lp_input *in, const lp_train_files_options *o,
                      lp_err *err)
{
    const char *slash = strrchr(in->base, '/'), *stem = slash ? slash + 1 : in->base;
    char dir[PATH_MAX], sub[PATH_MAX], path[PATH_MAX], name[PATH_MAX];
    size_t cut = o->img_filter ? strlen(o->img_filter) : 0;
    int found;

    if (is_labels(stem, o->mask_filter)) return LP_OK;
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - in->base) : 1, slash ? in->base : ".");
    snprintf(name, sizeof name, "%.*s", (int)(strlen(stem) - cut), stem);
    if (o->labels) {
        found = find(path, o->labels, name, o, 1);
    } else {
        found = find(path, dir, name, o, 0);
        if (!found && snprintf(sub, sizeof sub, "%s/labels", dir) < (int)sizeof sub)
            found = find(path, sub, name, o, 1);
    }
    if (found && is_prediction(path)) {
        if (!f->n_predicted++ && !(f->predicted = strdup(path)))
            return lp_fail_mem(err, "list of images", 1);
        return LP_OK;
    }
    if (found) return add(f, in->path, path, err);
    if (!f->n_alone++ && !(f->alone = strdup(in->path)))
        return lp_fail_mem(err, "list of images", 1);
    return LP_OK;
}

/* 1 where an image that is used is called stem (of n characters) + img_filter. */
static int has_image(const lp_train_files *f, const char *stem, size_t n, const char *img_filter)
{
    size_t m = img_filter ? strlen(img_filter) : 0;
    int i;

    for (i = 0; i < f->n; i++) {
        const char *s = strrchr(f->pair[i].image, '/');

        s = s ? s + 1 : f->pair[i].image;
        if (!strncmp(s, stem, n) && (!m || !strncmp(s + n, img_filter, m)) && s[n + m] == '.')
            return 1;
    }
    return 0;
}

/* Files of dir that end with mask_filter, of no image that is used. */
static lp_status count_orphans(lp_train_files *f, const char *dir, const lp_train_files_options *o,
                               lp_err *err)
{
    DIR *d = *o->mask_filter ? opendir(dir) : NULL;
    struct dirent *e;
    lp_status st = LP_OK;

    while (d && !st && (e = readdir(d))) {
        char stem[NAME_MAX + 1], *dot;
        size_t k, n;

        snprintf(stem, sizeof stem, "%s", e->d_name);
        if (!(dot = strrchr(stem, '.'))) continue;
        for (k = 0; k < COUNT(types) && strcmp(dot, types[k]); k++) continue;
        *dot = 0;
        if (k == COUNT(types) || !ends_with(stem, o->mask_filter)) continue;
        n = strlen(stem) - strlen(o->mask_filter);
        if (has_image(f, stem, n, o->img_filter)) continue;
        if (n > 3 && !strncmp(stem + n - 3, "_cp", 3) && has_image(f, stem, n - 3, o->img_filter))
            continue;
        if (!f->n_orphans++ && !(f->orphan = strdup(e->d_name)))
            st = lp_fail_mem(err, "list of images", 1);
    }
    if (d) closedir(d);
    return st;
}

lp_status lp_train_files_find(const char *dir, const lp_train_files_options *o, lp_train_files *out,
                              lp_err *err)
{
    const lp_inputs_options io = {.img_filter = o->img_filter,
                                  .mask_filter = o->mask_filter,
                                  .look_one_level_down = o->look_one_level_down};
    lp_train_files f = {0};
    lp_inputs in = {0};
    char *names[1];
    struct stat sb;
    lp_status st;
    int i;

    errno = 0;
    if (stat(dir, &sb) || !S_ISDIR(sb.st_mode))
        return lp_fail(err, LP_EIO, "%s: %s", dir, errno ? strerror(errno) : "is no folder");
    errno = 0;
    if (o->labels && (stat(o->labels, &sb) || !S_ISDIR(sb.st_mode)))
        return lp_fail(err, LP_EIO, "%s: %s", o->labels, errno ? strerror(errno) : "is no folder");
    names[0] = (char *)(size_t)dir;
    if ((st = lp_inputs_find(names, 1, &io, &in, err))) return st;
    for (i = 0; i < in.n; i++)
        if ((st = take(&f, &in.item[i], o, err))) goto done;
    if ((st = count_orphans(&f, o->labels ? o->labels : dir, o, err))) goto done;
    if (!f.n) {
        if (f.n_predicted)
            st =
                lp_fail(err, LP_EARG,
                        "%s: no image has labels: %s is what lipopose found itself; correct it, or "
                        "rename it to end with %s",
                        dir, f.predicted, *o->mask_filter ? o->mask_filter : "_masks");
        else
            st = lp_fail(
                err, LP_EARG, "%s: no image has labels: for %s, %s%s.tif is looked for, %s", dir,
                f.alone ? f.alone : dir, f.alone ? "its name with " : "NAME", o->mask_filter,
                o->labels ? "in the folder of --labels" : "or labels/ there");
        goto done;
    }
    *out = f;
    memset(&f, 0, sizeof f);
done:
    lp_inputs_free(&in);
    lp_train_files_free(&f);
    return st;
}

void lp_train_files_free(lp_train_files *f)
{
    int i;

    if (!f) return;
    for (i = 0; i < f->n; i++) {
        free(f->pair[i].image);
        free(f->pair[i].labels);
    }
    free(f->pair);
    free(f->alone);
    free(f->orphan);
    free(f->predicted);
    memset(f, 0, sizeof *f);
}
