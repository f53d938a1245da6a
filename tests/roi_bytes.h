/* roi_bytes - ImageJ ROIs byte by byte, for tests of the reader. */
#ifndef LP_ROI_BYTES_H
#define LP_ROI_BYTES_H

#include "lp_test.h"

typedef struct {
    uint8_t b[4096];
    size_t n;
} roi_bytes;

static inline void roi_u16(roi_bytes *r, size_t at, int v)
{
    r->b[at] = (uint8_t)(v >> 8);
    r->b[at + 1] = (uint8_t)v;
}

static inline void roi_float(roi_bytes *r, size_t at, float v)
{
    uint32_t u;

    memcpy(&u, &v, 4);
    roi_u16(r, at, (int)(u >> 16));
    roi_u16(r, at + 2, (int)(u & 0xffff));
}

/* The header: type of RoiDecoder, bounds. */
static inline void roi_new(roi_bytes *r, int type, int y0, int x0, int y1, int x1)
{
    memset(r, 0, sizeof *r);
    memcpy(r->b, "Iout", 4);
    roi_u16(r, 4, 228);
    r->b[6] = (uint8_t)type;
    roi_u16(r, 8, y0);
    roi_u16(r, 10, x0);
    roi_u16(r, 12, y1);
    roi_u16(r, 14, x1);
    r->n = 64;
}

/* n points relative to the bounds. */
static inline void roi_points(roi_bytes *r, const int (*yx)[2], int n)
{
    int i;

    roi_u16(r, 16, n);
    for (i = 0; i < n; i++) {
        roi_u16(r, 64 + 2 * (size_t)i, yx[i][1]);
        roi_u16(r, 64 + 2 * (size_t)(n + i), yx[i][0]);
    }
    r->n = 64 + 4 * (size_t)n;
}

/* After roi_points: the same as absolute floats, which count. */
static inline void roi_subpixel(roi_bytes *r, const float (*yx)[2], int n)
{
    int i;

    roi_u16(r, 50, 128);
    for (i = 0; i < n; i++) {
        roi_float(r, 64 + 4 * (size_t)(n + i), yx[i][1]);
        roi_float(r, 64 + 4 * (size_t)(2 * n + i), yx[i][0]);
    }
    r->n = 64 + 12 * (size_t)n;
}

/* A composite of n numbers. */
static inline void roi_composite(roi_bytes *r, const float *v, int n)
{
    int i;

    roi_u16(r, 38, n);
    for (i = 0; i < n; i++) roi_float(r, 64 + 4 * (size_t)i, v[i]);
    r->n = 64 + 4 * (size_t)n;
}

#endif
