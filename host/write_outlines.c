#include "write_outlines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "atomic.h"
#include "outline.h"

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

/* Bytes of one ROI, allocated: header, x then y as shorts relative to the bounding box, the
 * same as floats where the image is too large for shorts, header2, name. Offsets are those of
 * ImageJ's RoiDecoder. NULL where memory is short. */
static uint8_t *encode(const int32_t (*yx)[2], int64_t n, const char *name, size_t *size)
{
    int32_t y0 = yx[0][0], y1 = y0, x0 = yx[0][1], x1 = x0;
    size_t len = strlen(name), at;
    int64_t i;
    int sub;
    uint8_t *b;

    for (i = 1; i < n; i++) {
        if (yx[i][0] < y0) y0 = yx[i][0];
        if (yx[i][0] > y1) y1 = yx[i][0];
        if (yx[i][1] < x0) x0 = yx[i][1];
        if (yx[i][1] > x1) x1 = yx[i][1];
    }
    sub = y1 > ROI_MAX_SHORT || x1 > ROI_MAX_SHORT;
    at = ROI_HEADER + (size_t)n * (sub ? 12 : 4);
    *size = at + ROI_HEADER2 + 2 * len;
    b = calloc(1, *size);
    if (!b) return NULL;
    memcpy(b, "Iout", 4);
    put16(b + 4, 228); /* version */
    b[6] = 8;          /* traced */
    put16(b + 8, y0);
    put16(b + 10, x0);
    put16(b + 12, y1);
    put16(b + 14, x1);
    if (n < 65536)
        put16(b + 16, n);
    else
        put32(b + 18, n);
    if (sub) put16(b + 50, 128); /* option: floats follow */
    put32(b + 60, (int64_t)at);  /* offset of header2 */
    for (i = 0; i < n; i++) {
        put16(b + ROI_HEADER + 2 * i, yx[i][1] - x0);
        put16(b + ROI_HEADER + 2 * (n + i), yx[i][0] - y0);
        if (sub) {
            put_float(b + ROI_HEADER + 4 * (n + i), (float)yx[i][1]);
            put_float(b + ROI_HEADER + 4 * (2 * n + i), (float)yx[i][0]);
        }
    }
    put32(b + at + 16, (int64_t)(at + ROI_HEADER2)); /* name: offset, length, UTF-16 */
    put32(b + at + 20, (int64_t)len);
    for (i = 0; i < (int64_t)len; i++) put16(b + at + ROI_HEADER2 + 2 * i, name[i]);
    return b;
}

static int add_roi(zip_t *z, const int32_t (*yx)[2], int64_t n, uint32_t id)
{
    char name[32], entry[40];
    zip_source_t *s;
    zip_int64_t k;
    size_t size;
    uint8_t *b;

    snprintf(name, sizeof name, "%04u", (unsigned)id);
    snprintf(entry, sizeof entry, "%s.roi", name);
    b = encode(yx, n, name, &size);
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
    zip_t *z = NULL;
    lp_status st;
    int64_t i;
    int ok;

    if ((st = lp_outline_trace(lb, LP_OUTLINE_CORNERS, &o, err))) return st;
    if (!o.n) {
        st = lp_atomic_write_file(path, empty_zip, sizeof empty_zip, err);
        goto done;
    }
    mem = zip_source_buffer_create(NULL, 0, 0, NULL);
    z = mem ? zip_open_from_source(mem, ZIP_TRUNCATE, NULL) : NULL;
    if (z) zip_source_keep(mem); /* zip_close drops the archive's own reference */
    ok = z != NULL;
    for (i = 0; i < o.n && ok; i++)
        ok = add_roi(z, (const int32_t(*)[2])o.yx + o.start[i], o.start[i + 1] - o.start[i],
                     o.ids[i]);
    if (ok && zip_close(z) == 0)
        z = NULL;
    else
        ok = 0;
    if (z) zip_discard(z);
    st = ok ? save(path, mem, err) : lp_fail_mem(err, path, 16.0 * (double)o.start[o.n]);
done:
    if (mem) zip_source_free(mem);
    lp_outlines_free(&o);
    return st;
}
