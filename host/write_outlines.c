#include "write_outlines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "atomic.h"
#include "outline.h"
#include "polygons.h"

lp_status lp_write_outlines_txt(const char *path, const lp_labels *lb, lp_err *err)
{
    lp_outlines o = {0};
    char *text = NULL;
    size_t size = 0;
    FILE *f = NULL;
    lp_status st;
    int64_t i, k;
    int bad;

    if ((st = lp_outline_trace(lb, LP_OUTLINE_PIXELS, &o, err))) return st;
    f = open_memstream(&text, &size);
    if (!f) {
        st = lp_fail_mem(err, path, 0);
        goto done;
    }
    for (i = 0; i < o.n; i++) {
        if (o.start[i + 1] - o.start[i] > 4)
            for (k = o.start[i]; k < o.start[i + 1]; k++)
                fprintf(f, "%s%d,%d", k > o.start[i] ? "," : "", (int)o.yx[k][1], (int)o.yx[k][0]);
        fputc('\n', f);
    }
    bad = ferror(f);
    bad |= fclose(f) != 0;
    st = bad ? lp_fail_mem(err, path, 12.0 * (double)o.start[o.n])
             : lp_atomic_write_file(path, text, size, err);
done:
    free(text);
    lp_outlines_free(&o);
    return st;
}

static void put16(uint8_t *p, int64_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, int64_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

static void put_float(uint8_t *p, float v)
{
    uint32_t u;

    memcpy(&u, &v, 4);
    put32(p, u);
}

/* ImageJ's RoiDecoder reads 16-bit coordinates up to this as unsigned. */
#define ROI_MAX_SHORT 60535
#define ROI_HEADER 64
#define ROI_HEADER2 64

/* The bounds of points, the last row and column one beyond. */
typedef struct {
    int32_t y0, x0, y1, x1;
} bounds;

static bounds bounds_of(const int32_t (*yx)[2], int64_t n)
{
    bounds r = {yx[0][0], yx[0][1], yx[0][0], yx[0][1]};
    int64_t i;

    for (i = 1; i < n; i++) {
        if (yx[i][0] < r.y0) r.y0 = yx[i][0];
        if (yx[i][0] > r.y1) r.y1 = yx[i][0];
        if (yx[i][1] < r.x0) r.x0 = yx[i][1];
        if (yx[i][1] > r.x1) r.x1 = yx[i][1];
    }
    return r;
}

/* A ROI with room for `body` bytes after the header, its name written behind those. NULL where
 * memory is short. Offsets are those of ImageJ's RoiDecoder. */
static uint8_t *new_roi(int type, bounds r, size_t body, const char *name, size_t *size)
{
    size_t len = strlen(name), at = ROI_HEADER + body, i;
    uint8_t *b;

    *size = at + ROI_HEADER2 + 2 * len;
    b = calloc(1, *size);
    if (!b) return NULL;
    memcpy(b, "Iout", 4);
    put16(b + 4, 228); /* version */
    b[6] = (uint8_t)type;
    put16(b + 8, r.y0);
    put16(b + 10, r.x0);
    put16(b + 12, r.y1);
    put16(b + 14, r.x1);
    put32(b + 60, (int64_t)at);                      /* offset of header2 */
    put32(b + at + 16, (int64_t)(at + ROI_HEADER2)); /* name: offset, length, UTF-16 */
    put32(b + at + 20, (int64_t)len);
    for (i = 0; i < len; i++) put16(b + at + ROI_HEADER2 + 2 * i, name[i]);
    return b;
}

/* One outline, type traced: x then y as shorts relative to the bounding box, and the same as
 * floats where the image is too large for shorts. */
static uint8_t *encode(const int32_t (*yx)[2], int64_t n, const char *name, size_t *size)
{
    bounds r = bounds_of(yx, n);
    int sub = r.y1 > ROI_MAX_SHORT || r.x1 > ROI_MAX_SHORT;
    uint8_t *b = new_roi(8, r, (size_t)n * (sub ? 12 : 4), name, size);
    int64_t i;

    if (!b) return NULL;
    if (n < 65536)
        put16(b + 16, n);
    else
        put32(b + 18, n);
    if (sub) put16(b + 50, 128); /* option: floats follow */
    for (i = 0; i < n; i++) {
        put16(b + ROI_HEADER + 2 * i, yx[i][1] - r.x0);
        put16(b + ROI_HEADER + 2 * (n + i), yx[i][0] - r.y0);
        if (sub) {
            put_float(b + ROI_HEADER + 4 * (n + i), (float)yx[i][1]);
            put_float(b + ROI_HEADER + 4 * (2 * n + i), (float)yx[i][0]);
        }
    }
    return b;
}

/* Several rings, first .. last - 1, type composite: floats, 0 x y moves to a point, 1 x y draws a
 * line to it, 4 closes the ring. */
static uint8_t *encode_rings(const lp_polygons *g, int64_t first, int64_t last, const char *name,
                             size_t *size)
{
    int64_t n = g->start[last] - g->start[first], numbers = 3 * n + (last - first), i, r;
    uint8_t *b = new_roi(1, bounds_of((const int32_t(*)[2])g->yx + g->start[first], n),
                         (size_t)numbers * 4, name, size);
    uint8_t *p;

    if (!b) return NULL;
    put32(b + 36, numbers);
    p = b + ROI_HEADER;
    for (r = first; r < last; r++) {
        for (i = g->start[r]; i < g->start[r + 1]; i++, p += 12) {
            put_float(p, i > g->start[r]);
            put_float(p + 4, (float)g->yx[i][1]);
            put_float(p + 8, (float)g->yx[i][0]);
        }
        put_float(p, 4);
        p += 4;
    }
    return b;
}

/* b [size] becomes the archive's. */
static int add_roi(zip_t *z, uint8_t *b, size_t size, const char *name)
{
    zip_source_t *s;
    char entry[40];
    zip_int64_t k;

    snprintf(entry, sizeof entry, "%s.roi", name);
    if (!b) return 0;
    s = zip_source_buffer(z, b, size, 1); /* frees b with the source */
    if (!s) {
        free(b);
        return 0;
    }
    k = zip_file_add(z, entry, s, 0);
    if (k < 0) {
        zip_source_free(s);
        return 0;
    }
    /* A constant date without time zone: 1980-01-01 00:00. */
    return zip_file_set_dostime(z, (zip_uint64_t)k, 0, 1 << 5 | 1, 0) == 0 &&
           zip_set_file_compression(z, (zip_uint64_t)k, ZIP_CM_STORE, 0) == 0;
}

/* Label i of o; k polygons q. */
static int add_label(zip_t *z, const lp_outlines *o, int64_t i, const lp_polygons *g,
                     const lp_polygon *q, int64_t k)
{
    uint8_t *b;
    char name[32];
    size_t size;

    snprintf(name, sizeof name, "%04u", (unsigned)o->ids[i]);
    if (k == 1 && q->n_rings == 1)
        b = encode((const int32_t(*)[2])o->yx + o->start[i], o->start[i + 1] - o->start[i], name,
                   &size);
    else
        b = encode_rings(g, q->first, q[k - 1].first + q[k - 1].n_rings, name, &size);
    return add_roi(z, b, size, name);
}

/* The finished archive in `mem` to the file. */
static lp_status save(const char *path, zip_source_t *mem, lp_err *err)
{
    zip_stat_t sb;
    lp_status st;
    char *b;

    if (zip_source_stat(mem, &sb) || !(sb.valid & ZIP_STAT_SIZE)) return lp_fail_mem(err, path, 0);
    b = malloc(sb.size ? sb.size : 1);
    if (!b) return lp_fail_mem(err, path, (double)sb.size);
    if (zip_source_open(mem) || zip_source_read(mem, b, sb.size) != (zip_int64_t)sb.size)
        st = lp_fail_mem(err, path, (double)sb.size);
    else
        st = lp_atomic_write_file(path, b, sb.size, err);
    zip_source_close(mem);
    free(b);
    return st;
}

/* libzip makes no archive without entries; this is the whole of an empty one. */
static const uint8_t empty_zip[22] = {'P', 'K', 5, 6};

lp_status lp_write_rois(const char *path, const lp_labels *lb, lp_err *err)
{
    zip_source_t *mem = NULL;
    lp_outlines o = {0};
    lp_polygons g = {0};
    zip_t *z = NULL;
    lp_status st;
    int64_t i, at = 0, k;
    int ok;

    if ((st = lp_outline_trace(lb, LP_OUTLINE_CORNERS, &o, err))) return st;
    if ((st = lp_polygons_trace(lb, &g, err))) goto done;
    if (!o.n) {
        st = lp_atomic_write_file(path, empty_zip, sizeof empty_zip, err);
        goto done;
    }
    mem = zip_source_buffer_create(NULL, 0, 0, NULL);
    z = mem ? zip_open_from_source(mem, ZIP_TRUNCATE, NULL) : NULL;
    if (z) zip_source_keep(mem); /* zip_close drops the archive's own reference */
    ok = z != NULL;
    for (i = 0; i < o.n && ok; i++, at += k) {
        for (k = 0; at + k < g.n && g.polygon[at + k].label == o.ids[i]; k++) {
        }
        ok = add_label(z, &o, i, &g, g.polygon + at, k);
    }
    if (ok && zip_close(z) == 0)
        z = NULL;
    else
        ok = 0;
    if (z) zip_discard(z);
    st = ok ? save(path, mem, err) : lp_fail_mem(err, path, 16.0 * (double)o.start[o.n]);
done:
    if (mem) zip_source_free(mem);
    lp_polygons_free(&g);
    lp_outlines_free(&o);
    return st;
}
