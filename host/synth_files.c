#include "synth_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tiffio.h>
#include <unistd.h>

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

/* A file that gets its name only when it is complete and on disk. */
typedef struct {
    const char *path;
    char *tmp;
} pending;

static lp_status pending_open(pending *p, const char *path, lp_err *err)
{
    size_t n = strlen(path) + 32;

    p->path = path;
    p->tmp = malloc(n);
    if (!p->tmp) return lp_fail_mem(err, path, (double)n);
    snprintf(p->tmp, n, "%s.tmp%ld", path, (long)getpid());
    return LP_OK;
}

static lp_status pending_close(pending *p, lp_status st, lp_err *err)
{
    int fd;

    if (!st) {
        fd = open(p->tmp, O_RDONLY);
        if (fd < 0 || fsync(fd) || rename(p->tmp, p->path))
            st = lp_fail(err, LP_EIO, "%s: cannot write: %s", p->path, strerror(errno));
        if (fd >= 0) close(fd);
    }
    if (st) unlink(p->tmp);
    free(p->tmp);
    return st;
}

/* One grey plane for write_plane. */
typedef struct {
    const void *data; /* [Ly][Lx] of bits, native byte order */
    int Ly, Lx, bits, is_float, lzw;
    double pixel_nm;
} plane;

/* Keeps libtiff's first message in the caller's buffer of 256. */
static int tiff_error(TIFF *t, void *user, const char *module, const char *fmt, va_list ap)
{
    (void)t;
    (void)module;
    if (!*(char *)user) vsnprintf(user, 256, fmt, ap);
    return 1;
}

static int put_tags(TIFF *t, const plane *p)
{
    int ok = TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)p->Lx) &&
             TIFFSetField(t, TIFFTAG_IMAGELENGTH, (uint32_t)p->Ly) &&
             TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, p->bits) &&
             TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 1) &&
             TIFFSetField(t, TIFFTAG_SAMPLEFORMAT,
                          p->is_float ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT) &&
             TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK) &&
             TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) &&
             TIFFSetField(t, TIFFTAG_COMPRESSION, p->lzw ? COMPRESSION_LZW : COMPRESSION_NONE) &&
             TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 64);

    if (ok && p->pixel_nm > 0.0) /* pixels per cm: 1 cm = 1e7 nm */
        ok = TIFFSetField(t, TIFFTAG_RESOLUTIONUNIT, RESUNIT_CENTIMETER) &&
             TIFFSetField(t, TIFFTAG_XRESOLUTION, 1e7 / p->pixel_nm) &&
             TIFFSetField(t, TIFFTAG_YRESOLUTION, 1e7 / p->pixel_nm);
    return ok;
}

static lp_status write_plane(const char *path, const plane *p, lp_err *err)
{
    size_t row = (size_t)p->Lx * (size_t)(p->bits / 8);
    double bytes = (double)p->Ly * (double)row;
    TIFFOpenOptions *opt = TIFFOpenOptionsAlloc();
    char msg[256] = "", *buf = malloc(row);
    pending f = {NULL, NULL};
    TIFF *t = NULL;
    lp_status st;
    int y;

    if (!opt || !buf) {
        st = lp_fail_mem(err, path, (double)row);
        goto done;
    }
    if ((st = pending_open(&f, path, err))) goto done;
    TIFFOpenOptionsSetErrorHandlerExtR(opt, tiff_error, msg);
    t = TIFFOpenExt(f.tmp, bytes > 3.9e9 ? "w8" : "w", opt);
    st = t && put_tags(t, p) ? LP_OK : LP_EIO;
    for (y = 0; !st && y < p->Ly; y++) { /* a copy, as libtiff may change the row it is given */
        memcpy(buf, (const char *)p->data + (size_t)y * row, row);
        if (TIFFWriteScanline(t, buf, (uint32_t)y, 0) < 0) st = LP_EIO;
    }
    if (!st && !TIFFFlush(t)) st = LP_EIO;
    if (t) TIFFClose(t);
    if (st || *msg)
        st = lp_fail(err, LP_EIO, "%s: cannot write: %s", path, *msg ? msg : strerror(errno));
    st = pending_close(&f, st, err);
done:
    if (opt) TIFFOpenOptionsFree(opt);
    free(buf);
    return st;
}

lp_status lp_synth_write_tiff(const char *path, const lp_image *im, lp_err *err)
{
    size_t n = (size_t)im->Ly * im->Lx, i;
    plane p = {.Ly = im->Ly, .Lx = im->Lx, .bits = 16, .pixel_nm = im->pixel_nm};
    uint16_t *w;
    lp_status st;

    for (i = 0; i < n; i++)
        if (!(im->data[i] >= 0.0f && im->data[i] <= 65535.0f)) {
            p.bits = 32;
            p.is_float = 1;
            p.data = im->data;
            return write_plane(path, &p, err);
        }
    w = malloc(n * sizeof *w);
    if (!w) return lp_fail_mem(err, path, (double)n * sizeof *w);
    for (i = 0; i < n; i++) w[i] = (uint16_t)im->data[i];
    p.data = w;
    st = write_plane(path, &p, err);
    free(w);
    return st;
}

lp_status lp_synth_write_labels(const char *path, const lp_labels *lb, double pixel_nm, lp_err *err)
{
    size_t n = (size_t)lb->Ly * lb->Lx, i;
    plane p = {.Ly = lb->Ly, .Lx = lb->Lx, .bits = 16, .lzw = 1, .pixel_nm = pixel_nm};
    uint16_t *w;
    lp_status st;

    for (i = 0; i < n; i++)
        if (lb->data[i] > 65535u) {
            p.bits = 32;
            p.data = lb->data;
            return write_plane(path, &p, err);
        }
    w = malloc(n * sizeof *w);
    if (!w) return lp_fail_mem(err, path, (double)n * sizeof *w);
    for (i = 0; i < n; i++) w[i] = (uint16_t)lb->data[i];
    p.data = w;
    st = write_plane(path, &p, err);
    free(w);
    return st;
}

lp_status lp_synth_write_truth(const char *path, const lp_synth_particle *list, int n,
                               double pixel_nm, lp_err *err)
{
    pending f = {NULL, NULL};
    FILE *out;
    lp_status st;
    int i, bad;

    if ((st = pending_open(&f, path, err))) return st;
    out = fopen(f.tmp, "w");
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
    if (bad) st = lp_fail(err, LP_EIO, "%s: cannot write: %s", path, strerror(errno));
    return pending_close(&f, st, err);
}
