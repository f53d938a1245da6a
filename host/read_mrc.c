#include "read_mrc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "read_samples.h"

/* Byte offsets of the header words used. */
enum {
    NX = 0,
    NY = 4,
    NZ = 8,
    MODE = 12,
    MX = 28,
    MY = 32,
    CELL_X = 40,
    CELL_Y = 44,
    MAPC = 64,
    DMIN = 76,
    DMAX = 80,
    NSYMBT = 92,
    IMOD_STAMP = 152,
    IMOD_FLAGS = 156,
    MAP = 208,
    MACHINE = 212
};

#define IMOD_STAMP_VALUE 1146047817

typedef struct {
    int nx, ny, nz, mode;
    int nchan, bits; /* per sample */
    lp_sample type;
    int swap;
    int64_t row_bytes, page_bytes, data_at;
    double pixel_nm;
} layout;

static int32_t word(const uint8_t *h, int at, int big)
{
    uint32_t le = (uint32_t)h[at] | (uint32_t)h[at + 1] << 8 | (uint32_t)h[at + 2] << 16 |
                  (uint32_t)h[at + 3] << 24;

    return (int32_t)(big ? __builtin_bswap32(le) : le);
}

static float real(const uint8_t *h, int at, int big)
{
    int32_t w = word(h, at, big);
    float f;

    memcpy(&f, &w, 4);
    return f;
}

static int known_mode(int mode)
{
    return (mode >= 0 && mode <= 4) || mode == 6 || mode == 12 || mode == 16 || mode == 101;
}

static int sensible(const uint8_t *h, int big)
{
    int nx = word(h, NX, big), ny = word(h, NY, big), nz = word(h, NZ, big);

    return nx >= 1 && nx <= LP_MAX_SIDE && ny >= 1 && ny <= LP_MAX_SIDE && nz >= 1 &&
           nz <= LP_MRC_MAX_SECTIONS && known_mode(word(h, MODE, big));
}

/* Without "MAP " more must fit: the axes are a permutation of 1, 2, 3, or were left 0. */
static int sensible_axes(const uint8_t *h, int big)
{
    int c = word(h, MAPC, big), r = word(h, MAPC + 4, big), s = word(h, MAPC + 8, big);

    if (!c && !r && !s) return 1;
    return c >= 1 && c <= 3 && r >= 1 && r <= 3 && s >= 1 && s <= 3 && c != r && r != s && c != s;
}

static int has_map(const uint8_t *h)
{
    return !memcmp(h + MAP, "MAP", 3) && (h[MAP + 3] == ' ' || h[MAP + 3] == 0);
}

static int big_endian(const uint8_t *h)
{
    int stamp = h[MACHINE] == 0x11;

    if (h[MACHINE] != 0x11 && h[MACHINE] != 0x44) return !sensible(h, 0) && sensible(h, 1);
    return sensible(h, stamp) || !sensible(h, !stamp) ? stamp : !stamp;
}

int lp_mrc_probe(const uint8_t *head, size_t n)
{
    int big;

    if (n < LP_MRC_HEADER) return 0;
    if (has_map(head)) return 1;
    big = big_endian(head);
    return sensible(head, big) && sensible_axes(head, big);
}

static int unsigned_bytes(const uint8_t *h, int big)
{
    if (word(h, IMOD_STAMP, big) == IMOD_STAMP_VALUE) return !(word(h, IMOD_FLAGS, big) & 1);
    return real(h, DMIN, big) >= 0 && real(h, DMAX, big) > 127;
}

/* nm; 0 where cell / sampling is no length between 0.01 Angstrom and 10 micrometres. */
static double pixel_size(const uint8_t *h, int big, const layout *l)
{
    int mx = word(h, MX, big), my = word(h, MY, big);
    double x = (double)real(h, CELL_X, big) / (mx > 0 ? mx : l->nx);
    double y = (double)real(h, CELL_Y, big) / (my > 0 ? my : l->ny);
    int x_ok = x > 0.01 && x<1e5, y_ok = y> 0.01 && y < 1e5;

    if (x_ok && y_ok) return fabs(x - y) > 0.01 * x ? 0 : x / 10;
    return x_ok ? x / 10 : y_ok ? y / 10 : 0;
}

static lp_status set_mode(layout *l, const uint8_t *h, int big, const char *path, lp_err *err)
{
    l->nchan = 1;
    switch (l->mode) {
    case 0:
        l->type = unsigned_bytes(h, big) ? LP_SAMPLE_U8 : LP_SAMPLE_I8;
        break;
    case 1:
        l->type = LP_SAMPLE_I16;
        break;
    case 2:
        l->type = LP_SAMPLE_F32;
        break;
    case 6:
        l->type = LP_SAMPLE_U16;
        break;
    case 12:
        l->type = LP_SAMPLE_F16;
        break;
    case 16:
        l->type = LP_SAMPLE_U8;
        l->nchan = 3;
        break;
    case 101:
        l->type = LP_SAMPLE_U8;
        break;
    case 3:
    case 4:
        return lp_fail(err, LP_EFORMAT,
                       "%s: MRC mode %d (complex numbers) is not an image: give a real-space map",
                       path, l->mode);
    default:
        return lp_fail(err, LP_EFORMAT,
                       "%s: MRC mode %d is not supported (0, 1, 2, 6, 12, 16 and 101 are)", path,
                       l->mode);
    }
    l->bits = l->mode == 101 ? 4 : (int)lp_sample_size(l->type) * 8;
    return LP_OK;
}

/* Where the data start. nsymbt is not trusted where the file's size disproves it. */
static lp_status find_data(layout *l, int nsymbt, int64_t size, const char *path, lp_err *err)
{
    int64_t all = l->page_bytes * l->nz;

    if (nsymbt < 0 || (size >= 0 && size - all == LP_MRC_HEADER)) nsymbt = 0;
    l->data_at = LP_MRC_HEADER + (int64_t)nsymbt;
    if (size >= 0 && size < l->data_at + all)
        return lp_fail(err, LP_EFORMAT,
                       "%s: MRC file of %d x %d x %d, mode %d, is cut short: %lld bytes expected, "
                       "%lld found; copy or export it again",
                       path, l->nx, l->ny, l->nz, l->mode, (long long)(l->data_at + all),
                       (long long)size);
    return LP_OK;
}

static lp_status read_layout(lp_bytes *b, layout *l, lp_err *err)
{
    const char *path = lp_bytes_path(b);
    uint8_t h[LP_MRC_HEADER];
    lp_status st;
    size_t got;
    int big;

    if ((st = lp_bytes_read(b, 0, h, sizeof h, &got, err))) return st;
    if (got < sizeof h)
        return lp_fail(err, LP_EFORMAT, "%s: MRC header of 1024 bytes is cut short: %d found", path,
                       (int)got);
    big = big_endian(h);
    memset(l, 0, sizeof *l);
    l->nx = word(h, NX, big);
    l->ny = word(h, NY, big);
    l->nz = word(h, NZ, big);
    l->mode = word(h, MODE, big);
    l->swap = big;
    if (l->nx < 1 || l->ny < 1 || l->nz < 1 || l->nx > LP_MAX_SIDE || l->ny > LP_MAX_SIDE ||
        l->nz > LP_MRC_MAX_SECTIONS || (int64_t)l->nx * l->ny > LP_MAX_PIXELS)
        return lp_fail(err, LP_EFORMAT,
                       "%s: MRC header says %d x %d x %d: sides of 1 to %d and at most %d sections "
                       "are supported",
                       path, l->nx, l->ny, l->nz, LP_MAX_SIDE, LP_MRC_MAX_SECTIONS);
    if ((st = set_mode(l, h, big, path, err))) return st;
    l->row_bytes = ((int64_t)l->nx * l->nchan * l->bits + 7) / 8;
    l->page_bytes = l->row_bytes * l->ny;
    l->pixel_nm = pixel_size(h, big, l);
    return find_data(l, word(h, NSYMBT, big), lp_bytes_size(b), path, err);
}

lp_status lp_mrc_count(lp_bytes *b, int *npages, lp_err *err)
{
    layout l;
    lp_status st = read_layout(b, &l, err);

    if (!st) *npages = l.nz;
    return st;
}

lp_status lp_mrc_size(lp_bytes *b, int *npages, int *Ly, int *Lx, lp_err *err)
{
    layout l;
    lp_status st = read_layout(b, &l, err);

    if (st) return st;
    *npages = l.nz;
    *Ly = l.ny;
    *Lx = l.nx;
    return LP_OK;
}

/* Packed files tell their length only here. */
static lp_status read_exactly(lp_bytes *b, const layout *l, int64_t at, void *buf, size_t n,
                              lp_err *err)
{
    size_t got;
    lp_status st = lp_bytes_read(b, at, buf, n, &got, err);

    if (!st && got < n)
        st = lp_fail(err, LP_EFORMAT,
                     "%s: MRC file of %d x %d x %d, mode %d, is cut short: %lld bytes expected, "
                     "%lld found; copy or export it again",
                     lp_bytes_path(b), l->nx, l->ny, l->nz, l->mode,
                     (long long)(l->data_at + l->page_bytes * l->nz),
                     (long long)(at + (int64_t)got));
    return st;
}

static void convert_row(float *plane, int64_t plane_size, uint8_t *row, const layout *l)
{
    size_t nx = (size_t)l->nx, x;
    int c;

    if (l->mode == 101) {
        for (x = 0; x < nx; x++) plane[x] = (float)(x & 1 ? row[x / 2] >> 4 : row[x / 2] & 15);
        return;
    }
    if (l->swap) lp_samples_swap(row, nx * (size_t)l->nchan, (size_t)l->bits / 8);
    for (c = 0; c < l->nchan; c++)
        lp_samples_to_float(plane + c * plane_size, row + c * (l->bits / 8), nx, l->type,
                            (size_t)l->nchan);
}

/* Blocks of whole rows of about a megabyte; floats in place, others through a buffer. The disk is
 * told of the next ones, so that it works on while these are converted. */
static lp_status read_blocks(lp_bytes *b, const layout *l, int64_t at, float *data, lp_err *err)
{
    int64_t rows = 1048576 / l->row_bytes + 1, y, r, n;
    int in_place = l->type == LP_SAMPLE_F32;
    uint8_t *buf = NULL, *to;
    lp_status st = LP_OK;

    if (rows > l->ny) rows = l->ny;
    if (!in_place && !(buf = malloc((size_t)(rows * l->row_bytes))))
        return lp_fail_mem(err, lp_bytes_path(b), (double)rows * (double)l->row_bytes);
    for (y = 0; y < l->ny && !st; y += n) {
        int64_t from = at + y * l->row_bytes;

        n = rows < l->ny - y ? rows : l->ny - y;
        to = in_place ? (uint8_t *)(data + y * l->nx) : buf;
        lp_bytes_expect(b, from, 3 * n * l->row_bytes, at + l->page_bytes);
        if ((st = read_exactly(b, l, from, to, (size_t)(n * l->row_bytes), err))) break;
        if (in_place && l->swap) lp_samples_swap(to, (size_t)(n * l->nx), 4);
        for (r = 0; r < n && !in_place; r++)
            convert_row(data + (y + r) * l->nx, (int64_t)l->ny * l->nx, buf + r * l->row_bytes, l);
    }
    free(buf);
    return st;
}

/* Unpacks what follows the last section, since the check sum stands at the end. */
static lp_status verify_rest(lp_bytes *b, int64_t at, lp_err *err)
{
    const int64_t most = at + (64 << 20); /* more is no honest trailer: left unverified */
    uint8_t rest[16384];
    size_t got = sizeof rest;
    lp_status st = LP_OK;

    for (; !st && got == sizeof rest && at < most; at += (int64_t)got)
        st = lp_bytes_read(b, at, rest, sizeof rest, &got, err);
    return st;
}

lp_status lp_mrc_read(lp_bytes *b, int page, lp_image *im, lp_err *err)
{
    lp_image tmp;
    lp_status st;
    int64_t at;
    layout l;

    if ((st = read_layout(b, &l, err))) return st;
    if (page < 0 || page >= l.nz)
        return lp_fail(err, LP_EARG, "%s: no page %d: the file has %d (0 to %d)", lp_bytes_path(b),
                       page, l.nz, l.nz - 1);
    if ((st = lp_image_new(&tmp, l.nchan, l.ny, l.nx, err))) return st;
    at = l.data_at + l.page_bytes * page;
    st = read_blocks(b, &l, at, tmp.data, err);
    if (!st && lp_bytes_size(b) < 0 && page == l.nz - 1)
        st = verify_rest(b, at + l.page_bytes, err);
    if (st) {
        lp_image_free(&tmp);
        return st;
    }
    if (l.type == LP_SAMPLE_F32 || l.type == LP_SAMPLE_F16) lp_samples_repair(&tmp);
    tmp.pixel_nm = l.pixel_nm;
    tmp.page = page;
    tmp.npages = l.nz;
    *im = tmp;
    return LP_OK;
}
