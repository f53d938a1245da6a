#include "write_mrc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atomic.h"

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

static void putf(uint8_t *p, double v)
{
    float f = (float)v;
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    put32(p, u);
}

uint16_t lp_write_mrc_half(float v)
{
    uint32_t u, sign, mant;
    int e;

    memcpy(&u, &v, sizeof u);
    sign = u >> 16 & 0x8000u;
    u &= 0x7FFFFFFFu;
    if (u > 0x7F800000u) return (uint16_t)(sign | 0x7E00u);
    if (u >= 0x477FF000u) return (uint16_t)(sign | 0x7BFFu); /* rounds to 65536 or is above */
    e = (int)(u >> 23) - 112;
    mant = u & 0x7FFFFFu;
    if (e <= 0) { /* subnormal: shift in the hidden bit */
        int shift = 14 - e;
        uint32_t half, rest;

        if (shift > 24) return (uint16_t)sign;
        mant |= 0x800000u;
        half = mant >> shift;
        rest = mant & ((1u << shift) - 1u);
        if (rest > 1u << (shift - 1) || (rest == 1u << (shift - 1) && half & 1)) half++;
        return (uint16_t)(sign | half);
    }
    u = (uint32_t)e << 10 | mant >> 13;
    mant &= 0x1FFFu;
    if (mant > 0x1000u || (mant == 0x1000u && u & 1)) u++;
    return (uint16_t)(sign | u);
}

static double half_value(uint16_t h)
{
    int e = h >> 10 & 31, m = h & 1023;
    double v = e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);

    if (e == 31) v = m ? (double)NAN : (double)INFINITY;
    return h & 0x8000 ? -v : v;
}

static double whole(float v, double lo, double hi)
{
    double r = nearbyint(v);

    return isnan(r) ? 0.0 : r < lo ? lo : r > hi ? hi : r;
}

static size_t sample_bytes(int mode)
{
    return mode == 0 ? 1 : mode == 1 || mode == 6 || mode == 12 ? 2 : mode == 2 ? 4 : 0;
}

/* Stores v at p and returns the value as stored. */
static double encode(uint8_t *p, float v, int mode)
{
    double r;
    int k;

    switch (mode) {
    case 0:
        r = whole(v, -128, 127);
        p[0] = (uint8_t)(int)r;
        return r;
    case 1:
    case 6:
        r = mode == 1 ? whole(v, -32768, 32767) : whole(v, 0, 65535);
        k = (int)r;
        break;
    case 12:
        k = lp_write_mrc_half(v);
        r = half_value((uint16_t)k);
        break;
    default:
        putf(p, v);
        return v;
    }
    p[0] = (uint8_t)k;
    p[1] = (uint8_t)(k >> 8);
    return r;
}

static void header(uint8_t h[1024], const lp_image *im, int mode, const char *label,
                   const double stats[4])
{
    double cell = im->pixel_nm > 0.0 ? im->pixel_nm * 10.0 : 0.0; /* Angstrom */
    int k;

    memset(h, 0, 1024);
    put32(h, (uint32_t)im->Lx);
    put32(h + 4, (uint32_t)im->Ly);
    put32(h + 8, 1);
    put32(h + 12, (uint32_t)mode);
    put32(h + 28, (uint32_t)im->Lx); /* mx, my, mz */
    put32(h + 32, (uint32_t)im->Ly);
    put32(h + 36, 1);
    putf(h + 40, cell * im->Lx); /* cella */
    putf(h + 44, cell * im->Ly);
    putf(h + 48, cell);
    for (k = 0; k < 3; k++) {
        putf(h + 52 + 4 * k, 90.0);             /* cellb */
        put32(h + 64 + 4 * k, (uint32_t)k + 1); /* mapc, mapr, maps */
        putf(h + 76 + 4 * k, stats[k]);         /* dmin, dmax, dmean */
    }
    put32(h + 108, mode == 12 ? 20141 : 20140); /* nversion */
    memcpy(h + 208, "MAP ", 4);
    h[212] = h[213] = 0x44; /* little-endian */
    putf(h + 216, stats[3]);
    if (label && *label) {
        size_t n = strlen(label);

        put32(h + 220, 1);
        memset(h + 224, ' ', 80);
        memcpy(h + 224, label, n < 80 ? n : 80);
    }
}

/* Minimum, maximum, mean, rms deviation of the values as stored. */
static void measure(const lp_image *im, int mode, double stats[4])
{
    size_t n = (size_t)im->Ly * im->Lx, i;
    double lo = INFINITY, hi = -INFINITY, sum = 0.0, sq = 0.0, v;
    uint8_t scratch[4];

    for (i = 0; i < n; i++) {
        v = encode(scratch, im->data[i], mode);
        if (v < lo) lo = v;
        if (v > hi) hi = v;
        sum += v;
    }
    sum /= (double)n;
    for (i = 0; i < n; i++) {
        v = encode(scratch, im->data[i], mode) - sum;
        sq += v * v;
    }
    stats[0] = lo;
    stats[1] = hi;
    stats[2] = sum;
    stats[3] = sqrt(sq / (double)n);
}

lp_status lp_write_mrc(const char *path, const lp_image *im, int mode, const char *label,
                       lp_err *err)
{
    size_t w = sample_bytes(mode), n = (size_t)im->Lx, x;
    uint8_t h[1024], *row;
    lp_atomic *file = NULL;
    double stats[4];
    lp_status st;
    int y;

    if (!w)
        return lp_fail(err, LP_EARG, "%s: MRC mode %d cannot be written: choose 0, 1, 2, 6 or 12",
                       path, mode);
    row = malloc(n * w);
    if (!row) return lp_fail_mem(err, path, (double)n * (double)w);
    measure(im, mode, stats);
    header(h, im, mode, label, stats);
    if ((st = lp_atomic_open(path, &file, err))) goto done;
    st = lp_atomic_write(file, h, sizeof h, err);
    for (y = 0; !st && y < im->Ly; y++) {
        for (x = 0; x < n; x++) encode(row + x * w, im->data[(size_t)y * n + x], mode);
        st = lp_atomic_write(file, row, n * w, err);
    }
    if (!st) st = lp_atomic_commit(&file, err);
done:
    lp_atomic_abort(&file);
    free(row);
    return st;
}
