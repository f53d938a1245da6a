#include "synth_files.h"

#include <math.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "atomic.h"
#include "write_tiff.h"

static char *join(const char *dir, const char *sub, int index, const char *end)
{
    size_t n = strlen(dir) + strlen(sub) + strlen(end) + 48;
    char *s = malloc(n);

    if (s) snprintf(s, n, "%s/%ssynth_%04d%s", dir, sub, index, end);
    return s;
}

lp_status lp_synth_paths_new(lp_synth_paths *p, const char *dir, int index, int format, lp_err *err)
{
    lp_synth_paths t;

    t.image = join(dir, "", index, format == LP_SYNTH_TIFF ? ".tif" : ".mrc");
    t.labels = join(dir, "labels/", index, "_masks.tif");
    t.truth = join(dir, "", index, "_truth.csv");
    if (!t.image || !t.labels || !t.truth) {
        lp_synth_paths_free(&t);
        return lp_fail_mem(err, "synth", (double)strlen(dir));
    }
    *p = t;
    return LP_OK;
}

void lp_synth_paths_free(lp_synth_paths *p)
{
    if (!p) return;
    free(p->image);
    free(p->labels);
    free(p->truth);
    memset(p, 0, sizeof *p);
}

static int make_dir(const char *path)
{
    struct stat sb;

    if (mkdir(path, 0777) == 0) return 0;
    if (errno != EEXIST) return -1;
    if (stat(path, &sb)) return -1;
    errno = ENOTDIR;
    return S_ISDIR(sb.st_mode) ? 0 : -1;
}

lp_status lp_synth_make_dirs(const char *dir, lp_err *err)
{
    size_t n = strlen(dir) + 16, i;
    char *s = malloc(n);
    lp_status st = LP_OK;

    if (!s) return lp_fail_mem(err, "synth", (double)n);
    snprintf(s, n, "%s/labels/", dir);
    for (i = 1; s[i]; i++) {
        if (s[i] != '/') continue;
        s[i] = 0;
        if (make_dir(s)) {
            st = lp_fail(err, LP_EIO, "%s: cannot make the folder: %s", s, strerror(errno));
            break;
        }
        s[i] = '/';
    }
    free(s);
    return st;
}

lp_status lp_synth_write_tiff(const char *path, const lp_image *im, lp_err *err)
{
    size_t n = (size_t)im->Ly * im->Lx, i;
    lp_tiff_desc d = {.npages = 1,
                      .Ly = im->Ly,
                      .Lx = im->Lx,
                      .nsamples = 1,
                      .bits = 16,
                      .pixel_nm = im->pixel_nm};
    uint16_t *w;
    lp_status st;

    for (i = 0; i < n; i++)
        if (!(im->data[i] >= 0.0f && im->data[i] <= 65535.0f) ||
            im->data[i] != floorf(im->data[i])) {
            d.bits = 32;
            d.is_float = 1;
            return lp_write_tiff(path, im->data, &d, err);
        }
    w = malloc(n * sizeof *w);
    if (!w) return lp_fail_mem(err, path, (double)n * sizeof *w);
    for (i = 0; i < n; i++) w[i] = (uint16_t)im->data[i];
    st = lp_write_tiff(path, w, &d, err);
    free(w);
    return st;
}

lp_status lp_synth_write_truth(const char *path, const lp_synth_particle *list, int n,
                               double pixel_nm, lp_err *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    lp_status st;
    int i, bad;

    bad = !out || fprintf(out, "id,kind,y_px,x_px,diameter_px,y_nm,x_nm,diameter_nm,area_px,"
                               "visible_fraction,touches_edge\n") < 0;
    for (i = 0; !bad && i < n; i++) {
        const lp_synth_particle *p = list + i;

        bad = fprintf(out, "%d,%s,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%lld,%.4f,%d\n", p->id,
                      lp_synth_kind_name(p->kind), p->y, p->x, p->diameter, p->y * pixel_nm,
                      p->x * pixel_nm, p->diameter * pixel_nm, (long long)p->area, p->visible,
                      p->touches_edge) < 0;
    }
    if (out && fclose(out)) bad = 1;
    st = bad ? lp_fail_mem(err, path, (double)size) : lp_atomic_write_file(path, text, size, err);
    free(text);
    return st;
}
