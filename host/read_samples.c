#include "read_samples.h"

#include <math.h>
#include <string.h>

#include "kernels/simd.h"

size_t lp_sample_size(lp_sample type)
{
    static const unsigned char size[] = {1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8};

    return size[type];
}

/* IEEE 754 half to single, exact. */
static inline float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, em = h & 0x7fff;
    uint32_t normal = (em << 13) + (112u << 23), special = 0x7f800000u | em << 13;
    float f = (float)em * 0x1p-24f;
    uint32_t bits;

    memcpy(&bits, &f, 4);
    bits = em >= 0x7c00 ? special : em >= 0x400 ? normal : bits;
    bits |= sign;
    memcpy(&f, &bits, 4);
    return f;
}

/* Loops over unaligned samples of one type; the dense case apart, so that it vectorises. */
#define EACH(type, expr)                                                                           \
    do {                                                                                           \
        if (stride == 1) {                                                                         \
            for (size_t i = 0; i < n; i++) {                                                       \
                type v;                                                                            \
                memcpy(&v, p + i * sizeof v, sizeof v);                                            \
                dst[i] = expr;                                                                     \
            }                                                                                      \
        } else {                                                                                   \
            for (size_t i = 0; i < n; i++) {                                                       \
                type v;                                                                            \
                memcpy(&v, p + i * stride * sizeof v, sizeof v);                                   \
                dst[i] = expr;                                                                     \
            }                                                                                      \
        }                                                                                          \
    } while (0)

LP_SIMD
void lp_samples_to_float(float *dst, const void *src, size_t n, lp_sample type, size_t stride)
{
    const unsigned char *p = src;

    switch (type) {
    case LP_SAMPLE_U8:
        EACH(uint8_t, (float)v);
        break;
    case LP_SAMPLE_I8:
        EACH(int8_t, (float)v);
        break;
    case LP_SAMPLE_U16:
        EACH(uint16_t, (float)v);
        break;
    case LP_SAMPLE_I16:
        EACH(int16_t, (float)v);
        break;
    case LP_SAMPLE_U32:
        EACH(uint32_t, (float)v);
        break;
    case LP_SAMPLE_I32:
        EACH(int32_t, (float)v);
        break;
    case LP_SAMPLE_U64:
        EACH(uint64_t, (float)v);
        break;
    case LP_SAMPLE_I64:
        EACH(int64_t, (float)v);
        break;
    case LP_SAMPLE_F16:
        EACH(uint16_t, half_to_float(v));
        break;
    case LP_SAMPLE_F32:
        EACH(float, v);
        break;
    case LP_SAMPLE_F64:
        EACH(double, (float)v);
        break;
    }
}

/* -1 stands for "not a label". */
static int64_t real_label(double v)
{
    return v >= 0 && v <= 4294967295.0 && v == floor(v) ? (int64_t)v : -1;
}

int lp_samples_to_labels(uint32_t *dst, const void *src, size_t n, lp_sample type, size_t stride)
{
    const unsigned char *p = src;
    size_t i, size = lp_sample_size(type);
    int ok = 1;

    for (i = 0; i < n; i++, p += stride * size) {
        union {
            uint8_t u8;
            int8_t i8;
            uint16_t u16;
            int16_t i16;
            uint32_t u32;
            int32_t i32;
            uint64_t u64;
            int64_t i64;
            float f32;
            double f64;
        } s;
        int64_t v = -1;

        memcpy(&s, p, size);
        switch (type) {
        case LP_SAMPLE_U8:
            v = s.u8;
            break;
        case LP_SAMPLE_I8:
            v = s.i8;
            break;
        case LP_SAMPLE_U16:
            v = s.u16;
            break;
        case LP_SAMPLE_I16:
            v = s.i16;
            break;
        case LP_SAMPLE_U32:
            v = s.u32;
            break;
        case LP_SAMPLE_I32:
            v = s.i32;
            break;
        case LP_SAMPLE_U64:
            v = s.u64 <= UINT32_MAX ? (int64_t)s.u64 : -1;
            break;
        case LP_SAMPLE_I64:
            v = s.i64;
            break;
        case LP_SAMPLE_F16:
            v = real_label(half_to_float(s.u16));
            break;
        case LP_SAMPLE_F32:
            v = real_label(s.f32);
            break;
        case LP_SAMPLE_F64:
            v = real_label(s.f64);
            break;
        }
        if (v < 0 || v > UINT32_MAX) {
            ok = 0;
            v = 0;
        }
        dst[i] = (uint32_t)v;
    }
    return ok;
}

LP_SIMD
void lp_samples_swap(void *buf, size_t n, size_t size)
{
    unsigned char *p = buf;
    uint16_t v2;
    uint32_t v4;
    uint64_t v8;

    if (size == 2)
        for (size_t i = 0; i < n; i++) {
            memcpy(&v2, p + 2 * i, 2);
            v2 = __builtin_bswap16(v2);
            memcpy(p + 2 * i, &v2, 2);
        }
    if (size == 4)
        for (size_t i = 0; i < n; i++) {
            memcpy(&v4, p + 4 * i, 4);
            v4 = __builtin_bswap32(v4);
            memcpy(p + 4 * i, &v4, 4);
        }
    if (size == 8)
        for (size_t i = 0; i < n; i++) {
            memcpy(&v8, p + 8 * i, 8);
            v8 = __builtin_bswap64(v8);
            memcpy(p + 8 * i, &v8, 8);
        }
}

void lp_samples_unpack(uint32_t *dst, const uint8_t *src, size_t n, int bits)
{
    uint64_t acc = 0, mask = ((uint64_t)1 << bits) - 1;
    int have = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        while (have < bits) {
            acc = acc << 8 | *src++;
            have += 8;
        }
        have -= bits;
        dst[i] = (uint32_t)(acc >> have & mask);
    }
}

void lp_samples_undo_differences(void *buf, size_t n, lp_sample type, size_t stride)
{
    size_t size = lp_sample_size(type), i;
    unsigned char *p = buf;

    for (i = stride; i < n; i++) {
        uint64_t a = 0, d = 0; /* little-endian: the low bytes */

        memcpy(&a, p + (i - stride) * size, size);
        memcpy(&d, p + i * size, size);
        a += d;
        memcpy(p + i * size, &a, size);
    }
}

/* An all-ones exponent marks NaN and Inf. */
static inline int is_bad(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, 4);
    return (bits & 0x7f800000u) == 0x7f800000u;
}

LP_SIMD
static int64_t count_bad(const float *p, size_t n)
{
    int64_t bad = 0;

    for (size_t i = 0; i < n; i++) bad += is_bad(p[i]);
    return bad;
}

void lp_samples_repair(lp_image *im)
{
    size_t n = (size_t)im->Ly * (size_t)im->Lx, i;
    int c;

    for (c = 0; c < im->nchan; c++) {
        float *p = im->data + (size_t)c * n;
        int64_t bad = count_bad(p, n);
        double sum = 0;
        float mean;

        if (!bad) continue;
        for (i = 0; i < n; i++)
            if (!is_bad(p[i])) sum += p[i];
        mean = bad < (int64_t)n ? (float)(sum / (double)((int64_t)n - bad)) : 0;
        for (i = 0; i < n; i++)
            if (is_bad(p[i])) p[i] = mean;
        im->replaced += bad;
    }
}
