#include "read_rois.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zip.h>

#include "read_text.h"

#define MAX_ROI ((size_t)1 << 28)   /* bytes of one */
#define MAX_TOTAL ((size_t)1 << 30) /* unpacked, of all in a .zip */
#define MAX_ZIP ((size_t)1 << 30)   /* of the .zip itself */
#define HEADER 64

/* Offsets, types and options of RoiDecoder. */
enum {
    AT_VERSION = 4,
    AT_TYPE = 6,
    AT_TOP = 8,
    AT_LEFT = 10,
    AT_BOTTOM = 12,
    AT_RIGHT = 14,
    AT_N = 16,
    AT_X1 = 18, /* floats, or the number of points where it needs 32 bits */
    AT_SHAPE_SIZE = 36,
    AT_SUBTYPE = 48,
    AT_OPTIONS = 50,
    AT_ARC = 54
};
enum { POLYGON, RECT, OVAL, LINE, FREELINE, POLYLINE, NO_ROI, FREEHAND, TRACED, ANGLE, POINT };
enum { TEXT = 1, ARROW = 2, IMAGE = 4 };
#define SUBPIXEL 128

static int u16(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

/* Signed, but beyond ImageJ's -5000 it was meant as unsigned. */
static int s16(const uint8_t *p)
{
    int v = (int16_t)u16(p);

    return v < -5000 ? u16(p) : v;
}

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)u16(p) << 16 | (uint32_t)u16(p + 2);
}

static double real(const uint8_t *p)
{
    uint32_t u = u32(p);
    float f;

    memcpy(&f, &u, 4);
    return f;
}

static lp_status points(const uint8_t *b, size_t n, int subpixel, lp_shapes *s, lp_err *err)
{
    size_t k = (size_t)u16(b + AT_N), i, need;
    const uint8_t *x = b + HEADER, *y;
    lp_status st;

    if (!k) k = u32(b + AT_X1);
    if (k > (size_t)LP_SHAPES_MAX_POINTS || k < 3)
        return lp_fail(err, LP_EFORMAT, "an outline of %zu points", k);
    need = HEADER + k * (subpixel ? 12 : 4);
    if (n < need) return lp_fail(err, LP_EFORMAT, "cut short: %zu bytes of %zu", n, need);
    if ((st = lp_shapes_begin(s, LP_SHAPE_RINGS, err)) || (st = lp_shapes_ring(s, err))) return st;
    if (subpixel) x += 4 * k;
    y = x + (subpixel ? 4 : 2) * k;
    for (i = 0; i < k && !st; i++)
        st = subpixel ? lp_shapes_point(s, real(y + 4 * i), real(x + 4 * i), err)
                      : lp_shapes_point(s, s16(b + AT_TOP) + u16(y + 2 * i),
                                        s16(b + AT_LEFT) + u16(x + 2 * i), err);
    return st;
}

/* A quarter ellipse about (cy, cx) from angle a quarters on. */
static lp_status corner(lp_shapes *s, double cy, double cx, double ry, double rx, int a,
                        lp_err *err)
{
    enum { STEPS = 16 };
    lp_status st = LP_OK;
    int i;

    for (i = 0; i <= STEPS && !st; i++) {
        double t = (a + (double)i / STEPS) * 1.5707963267948966;

        st = lp_shapes_point(s, cy + ry * sin(t), cx + rx * cos(t), err);
    }
    return st;
}

static lp_status box(const uint8_t *b, int type, int subpixel, lp_shapes *s, lp_err *err)
{
    double y0 = s16(b + AT_TOP), x0 = s16(b + AT_LEFT), y1 = s16(b + AT_BOTTOM),
           x1 = s16(b + AT_RIGHT), r = u16(b + AT_ARC) / 2.0, ry, rx;
    lp_status st;

    if (subpixel) {
        x0 = real(b + AT_X1);
        y0 = real(b + AT_X1 + 4);
        x1 = x0 + real(b + AT_X1 + 8);
        y1 = y0 + real(b + AT_X1 + 12);
    }
    if (!(y1 >= y0 && x1 >= x0))
        return lp_fail(err, LP_EFORMAT, "a box from x %g, y %g to x %g, y %g", x0, y0, x1, y1);
    st = lp_shapes_begin(s, type == OVAL ? LP_SHAPE_ELLIPSE : LP_SHAPE_RINGS, err);
    if (st || (st = lp_shapes_ring(s, err))) return st;
    if (type == OVAL) {
        if ((st = lp_shapes_point(s, y0, x0, err))) return st;
        return lp_shapes_point(s, y1, x1, err);
    }
    ry = r < (y1 - y0) / 2 ? r : (y1 - y0) / 2;
    rx = r < (x1 - x0) / 2 ? r : (x1 - x0) / 2;
    if (r == 0) {
        if ((st = lp_shapes_point(s, y0, x0, err)) || (st = lp_shapes_point(s, y0, x1, err)))
            return st;
        if ((st = lp_shapes_point(s, y1, x1, err))) return st;
        return lp_shapes_point(s, y1, x0, err);
    }
    if ((st = corner(s, y1 - ry, x1 - rx, ry, rx, 0, err))) return st;
    if ((st = corner(s, y1 - ry, x0 + rx, ry, rx, 1, err))) return st;
    if ((st = corner(s, y0 + ry, x0 + rx, ry, rx, 2, err))) return st;
    return corner(s, y0 + ry, x1 - rx, ry, rx, 3, err);
}

/* A Bezier curve of degree 2 or 3 from p [degree + 1] (x, y), its first point not again. */
static lp_status curve(lp_shapes *s, double (*p)[2], int degree, lp_err *err)
{
    enum { STEPS = 16 };
    lp_status st = LP_OK;
    int i, j, k, a;

    for (i = 1; i <= STEPS && !st; i++) {
        double q[4][2], t = (double)i / STEPS;

        memcpy(q, p, (size_t)(degree + 1) * sizeof *q);
        for (j = degree; j > 0; j--)
            for (k = 0; k < j; k++)
                for (a = 0; a < 2; a++) q[k][a] += t * (q[k + 1][a] - q[k][a]);
        st = lp_shapes_point(s, q[0][1], q[0][0], err);
    }
    return st;
}

/* Segments of java.awt.geom: 0 move, 1 line, 2 and 3 curves, 4 close, each with its points. */
static lp_status composite(const uint8_t *b, size_t n, lp_shapes *s, lp_err *err)
{
    static const int n_points[5] = {1, 1, 2, 3, 0};
    size_t k = u32(b + AT_SHAPE_SIZE), i = 0;
    double p[4][2] = {{0}};
    int open = 0, j;
    lp_status st;

    if (k > (n - HEADER) / 4)
        return lp_fail(err, LP_EFORMAT, "cut short: %zu of %zu numbers", (n - HEADER) / 4, k);
    if ((st = lp_shapes_begin(s, LP_SHAPE_RINGS, err))) return st;
    while (i < k && !st) {
        double kind = real(b + HEADER + 4 * i++);
        int seg = kind >= 0 && kind <= 4 ? (int)kind : -1;

        if (seg < 0 || seg != kind || i + 2 * (size_t)n_points[seg] > k ||
            (seg > 0 && seg < 4 && !open))
            return lp_fail(err, LP_EFORMAT, "a composite outline is damaged at number %zu", i);
        for (j = 1; j <= n_points[seg]; j++, i += 2) {
            p[j][0] = real(b + HEADER + 4 * i);
            p[j][1] = real(b + HEADER + 4 * i + 4);
            /* A curve of far points has no bounds of its own. */
            if (!(fabs(p[j][0]) <= LP_SHAPES_FAR && fabs(p[j][1]) <= LP_SHAPES_FAR))
                return lp_fail(err, LP_EFORMAT, "a point at x %g, y %g", p[j][0], p[j][1]);
        }
        if (seg == 4) continue;
        if (seg == 0) st = lp_shapes_ring(s, err);
        if (!st) st = seg < 2 ? lp_shapes_point(s, p[1][1], p[1][0], err) : curve(s, p, seg, err);
        memcpy(p[0], p[seg < 2 ? 1 : seg], sizeof p[0]);
        open = 1;
    }
    return st;
}

lp_status lp_roi_parse(const uint8_t *b, size_t n, lp_shapes *s, lp_err *err)
{
    static const char *const what[] = {
        [LINE] = "line",   [FREELINE] = "line", [POLYLINE] = "line",
        [NO_ROI] = "none", [ANGLE] = "angle",   [POINT] = "set of points",
    };
    int type, subpixel, subtype, version;

    if (n < HEADER || memcmp(b, "Iout", 4))
        return lp_fail(err, LP_EFORMAT, "no ImageJ ROI, or cut short");
    type = b[AT_TYPE];
    version = u16(b + AT_VERSION);
    subtype = u16(b + AT_SUBTYPE);
    subpixel = version >= 222 && (u16(b + AT_OPTIONS) & SUBPIXEL);
    if (type > POINT) return lp_fail(err, LP_EFORMAT, "a ROI of unknown type %d", type);
    if (what[type])
        return lp_fail(err, LP_EFORMAT, "a %s has no inside: delete it, or draw an outline",
                       what[type]);
    if (type == RECT && u32(b + AT_SHAPE_SIZE)) return composite(b, n, s, err);
    if (type == RECT && (subtype == TEXT || subtype == IMAGE || subtype == ARROW))
        return lp_fail(err, LP_EFORMAT, "text or a picture is no outline: delete it");
    if (type == RECT || type == OVAL) return box(b, type, subpixel && version >= 223, s, err);
    return points(b, n, subpixel, s, err);
}

static int is_roi_name(const char *name)
{
    size_t n = strlen(name);

    return n > 4 && !strcasecmp(name + n - 4, ".roi") && strncmp(name, "__MACOSX/", 9) != 0;
}

static lp_status one_entry(zip_t *z, zip_uint64_t i, const char *name, size_t *total, lp_shapes *s,
                           lp_err *err)
{
    zip_file_t *f = NULL;
    uint8_t *b = NULL;
    zip_stat_t sb;
    lp_status st;

    if (zip_stat_index(z, i, 0, &sb) || !(sb.valid & ZIP_STAT_SIZE))
        return lp_fail(err, LP_EFORMAT, "%s: damaged", name);
    if (sb.size > MAX_ROI || (*total += sb.size) > MAX_TOTAL)
        return lp_fail(err, LP_EFORMAT, "%s: unpacks to too much", name);
    if (!(b = malloc(sb.size + 1))) return lp_fail_mem(err, name, (double)sb.size);
    f = zip_fopen_index(z, i, 0);
    /* One byte more than there is, so that the checksum is compared. */
    if (!f || zip_fread(f, b, sb.size + 1) != (zip_int64_t)sb.size) {
        st = lp_fail(err, LP_EFORMAT, "%s: cannot be unpacked: %s", name,
                     f ? zip_file_strerror(f) : zip_strerror(z));
    } else {
        lp_err why;

        if ((st = lp_roi_parse(b, sb.size, s, &why)))
            st = lp_fail(err, st, "%s: %.400s", name, why.msg);
    }
    if (f) zip_fclose(f);
    free(b);
    return st;
}

static lp_status from_zip(const void *data, size_t n, lp_shapes *s, lp_err *err)
{
    zip_source_t *src = zip_source_buffer_create(data, n, 0, NULL);
    zip_t *z = src ? zip_open_from_source(src, ZIP_RDONLY, NULL) : NULL;
    zip_int64_t i, k;
    size_t total = 0;
    int found = 0;
    lp_status st = LP_OK;

    if (!z) {
        zip_source_free(src);
        return lp_fail(err, LP_EFORMAT, "a damaged .zip");
    }
    k = zip_get_num_entries(z, 0);
    for (i = 0; i < k && !st; i++) {
        const char *name = zip_get_name(z, (zip_uint64_t)i, 0);

        if (!name || !is_roi_name(name)) continue;
        found = 1;
        st = one_entry(z, (zip_uint64_t)i, name, &total, s, err);
    }
    if (!st && k && !found) st = lp_fail(err, LP_EFORMAT, "a .zip without ImageJ ROIs (.roi)");
    zip_discard(z);
    return st;
}

lp_status lp_read_rois(const char *path, lp_shapes *s, lp_err *err)
{
    char *b = NULL;
    size_t n = 0;
    lp_err why;
    lp_status st = lp_read_text(path, MAX_ZIP, &b, &n, err);

    if (st) return st;
    /* An empty .zip is its directory's end alone, which not every libzip opens. */
    if (n == 22 && !memcmp(b, "PK\5\6\0\0\0\0\0\0\0\0", 12)) goto done;
    if (n >= 4 && !memcmp(b, "Iout", 4))
        st = lp_roi_parse((const uint8_t *)b, n, s, &why);
    else if (n >= 4 && !memcmp(b, "PK\3\4", 4))
        st = from_zip(b, n, s, &why);
    else /* also nothing at all, an empty archive to libzip */
        st = lp_fail(&why, LP_EFORMAT, "neither an ImageJ ROI nor a .zip of them");
    if (st) st = lp_fail(err, st, "%.400s: %.500s", path, why.msg);
done:
    free(b);
    return st;
}
