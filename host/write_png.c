#include "write_png.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "atomic.h"

#define BLOCK_BYTES ((size_t)1 << 20)
#define BATCH 16 /* blocks deflated side by side */
#define LEVEL 1

typedef struct {
    const uint8_t *data;
    int Ly, Lx, nchan, bits;
    size_t row; /* bytes of a row without the filter byte */
    int rows;   /* of a block */
    int nblocks;
} png_job;

/* Where the file goes: a, or memory where a is NULL. The first error is kept. */
typedef struct {
    lp_atomic *a;
    uint8_t *mem;
    size_t n, cap;
    int failed;
} sink;

typedef struct {
    uint8_t *plain, *packed;
    size_t cap, n_packed, n_plain;
    uLong adler;
} block;

/* Big-endian bytes of row y into dst [row]; y < 0 is the row of zeros above the image. */
static void put_row(uint8_t *dst, const png_job *j, int y)
{
    size_t i, n = j->row / 2;

    if (y < 0) {
        memset(dst, 0, j->row);
    } else if (j->bits == 8) {
        memcpy(dst, j->data + (size_t)y * j->row, j->row);
    } else {
        const uint16_t *s = (const uint16_t *)j->data + (size_t)y * n;

        for (i = 0; i < n; i++) {
            dst[2 * i] = (uint8_t)(s[i] >> 8);
            dst[2 * i + 1] = (uint8_t)s[i];
        }
    }
}

/* Filter 2: each byte minus the one above it. From the last row upwards, because the row
 * above must still be unfiltered. */
static void filter(block *b, const png_job *j, int y0, int rows)
{
    size_t step = j->row + 1, i;
    int r;

    /* Row 0 of the buffer holds the row above the block. */
    for (r = 0; r <= rows; r++) put_row(b->plain + (size_t)r * step + 1, j, y0 + r - 1);
    for (r = rows; r >= 1; r--) {
        uint8_t *p = b->plain + (size_t)r * step;
        const uint8_t *up = p - step;

        p[0] = 2;
        for (i = 1; i < step; i++) p[i] = (uint8_t)(p[i] - up[i]);
    }
}

static int pack(block *b, const png_job *j, int k)
{
    int y0 = k * j->rows, rows = j->Ly - y0 < j->rows ? j->Ly - y0 : j->rows;
    int last = k == j->nblocks - 1, rc;
    z_stream z = {0};

    filter(b, j, y0, rows);
    b->n_plain = (size_t)rows * (j->row + 1);
    if (deflateInit2(&z, LEVEL, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY) != Z_OK) return 0;
    z.next_in = b->plain + j->row + 1;
    z.avail_in = (uInt)b->n_plain;
    z.next_out = b->packed;
    z.avail_out = (uInt)b->cap;
    b->adler = adler32(1, z.next_in, z.avail_in);
    rc = deflate(&z, last ? Z_FINISH : Z_FULL_FLUSH);
    b->n_packed = b->cap - z.avail_out;
    deflateEnd(&z);
    return last ? rc == Z_STREAM_END : rc == Z_OK && z.avail_in == 0 && z.avail_out > 0;
}

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static void put(sink *s, const void *buf, size_t n)
{
    if (s->a) {
        lp_atomic_write(s->a, buf, n, NULL);
        return;
    }
    if (s->failed) return;
    if (n > s->cap - s->n) {
        size_t cap = 2 * s->cap + n + 4096;
        uint8_t *more = realloc(s->mem, cap);

        if (!more) {
            s->failed = 1;
            return;
        }
        s->mem = more;
        s->cap = cap;
    }
    if (n) memcpy(s->mem + s->n, buf, n);
    s->n += n;
}

static void fail(sink *s)
{
    s->failed = 1;
    if (s->a) lp_atomic_failed(s->a, ENOMEM);
}

/* One chunk of up to three pieces. */
static void chunk(sink *s, const char *type, const void *head, size_t nhead, const void *body,
                  size_t nbody, const void *tail, size_t ntail)
{
    uint8_t b[8], c[4];
    uLong crc;

    put32(b, (uint32_t)(nhead + nbody + ntail));
    memcpy(b + 4, type, 4);
    crc = crc32(0, b + 4, 4);
    if (nhead) crc = crc32(crc, head, (uInt)nhead);
    if (nbody) crc = crc32(crc, body, (uInt)nbody);
    if (ntail) crc = crc32(crc, tail, (uInt)ntail);
    put32(c, (uint32_t)crc);
    put(s, b, 8);
    put(s, head, nhead);
    put(s, body, nbody);
    put(s, tail, ntail);
    put(s, c, 4);
}

static void write_header(sink *s, const png_job *j)
{
    uint8_t h[13] = {0};

    put(s, "\x89PNG\r\n\x1a\n", 8);
    put32(h, (uint32_t)j->Lx);
    put32(h + 4, (uint32_t)j->Ly);
    h[8] = (uint8_t)j->bits;
    h[9] = j->nchan == 3 ? 2 : 0;
    chunk(s, "IHDR", h, sizeof h, NULL, 0, NULL, 0);
}

static void write_blocks(sink *s, const png_job *j, block *b)
{
    static const uint8_t zlib_head[2] = {0x78, 0x01};
    uLong adler = 1;
    int first, k;

    for (first = 0; first < j->nblocks; first += BATCH) {
        int m = j->nblocks - first < BATCH ? j->nblocks - first : BATCH, ok = 1;

#pragma omp parallel for schedule(dynamic) reduction(& : ok)
        for (k = 0; k < m; k++) ok &= pack(&b[k], j, first + k);
        if (!ok) fail(s);
        for (k = 0; k < m && ok; k++) {
            int last = first + k == j->nblocks - 1;
            uint8_t sum[4];

            adler = adler32_combine(adler, b[k].adler, (z_off_t)b[k].n_plain);
            put32(sum, (uint32_t)adler);
            chunk(s, "IDAT", zlib_head, first + k == 0 ? 2 : 0, b[k].packed, b[k].n_packed, sum,
                  last ? 4 : 0);
        }
    }
}

static lp_status encode(sink *s, const void *data, int Ly, int Lx, int nchan, int bits,
                        const char *what, lp_err *err)
{
    png_job j = {.data = data, .Ly = Ly, .Lx = Lx, .nchan = nchan, .bits = bits};
    block b[BATCH] = {{0}};
    lp_status st = LP_OK;
    int k;

    j.row = (size_t)Lx * nchan * (bits / 8);
    j.rows = j.row >= BLOCK_BYTES ? 1 : (int)(BLOCK_BYTES / j.row);
    if (j.rows > Ly) j.rows = Ly;
    j.nblocks = (Ly + j.rows - 1) / j.rows;
    for (k = 0; k < BATCH && k < j.nblocks; k++) {
        size_t plain = (size_t)(j.rows + 1) * (j.row + 1);

        b[k].cap = compressBound(plain) + 64;
        b[k].plain = malloc(plain);
        b[k].packed = malloc(b[k].cap);
        if (!b[k].plain || !b[k].packed) {
            st = lp_fail_mem(err, what, (double)(plain + b[k].cap));
            goto done;
        }
    }
    write_header(s, &j);
    write_blocks(s, &j, b);
    chunk(s, "IEND", NULL, 0, NULL, 0, NULL, 0);
done:
    for (k = 0; k < BATCH; k++) {
        free(b[k].plain);
        free(b[k].packed);
    }
    return st;
}

lp_status lp_write_png(const char *path, const void *data, int Ly, int Lx, int nchan, int bits,
                       lp_err *err)
{
    sink s = {0};
    lp_status st = lp_atomic_open(path, &s.a, err);

    if (st) return st;
    if ((st = encode(&s, data, Ly, Lx, nchan, bits, path, err))) {
        lp_atomic_abort(&s.a);
        return st;
    }
    return lp_atomic_commit(&s.a, err);
}

lp_status lp_png_encode(const void *data, int Ly, int Lx, int nchan, int bits, uint8_t **png,
                        size_t *n, lp_err *err)
{
    sink s = {0};
    lp_status st = encode(&s, data, Ly, Lx, nchan, bits, "picture", err);

    if (!st && s.failed) st = lp_fail_mem(err, "picture", (double)Ly * Lx * nchan * bits / 8);
    if (st) {
        free(s.mem);
        return st;
    }
    *png = s.mem;
    *n = s.n;
    return LP_OK;
}
