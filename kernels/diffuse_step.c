/* diffuse_step - portable and AVX-512 versions of one step of four rows. */
#include "diffuse_step.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "simd.h"

/* -DLP_NO_AVX512 builds what other CPUs run. */
#if defined(__x86_64__) && !defined(LP_NO_AVX512)
#define LP_AVX512
#endif

LP_SIMD
static void step4_any(double *const *o, const double *const *t, const uint8_t *const *m, int x0,
                      int x1)
{
    int i, x;

    for (i = 0; i < 4; i++) {
        const double *u = t[i], *c = t[i + 1], *d = t[i + 2];
        const uint8_t *in = m[i];
        double *restrict out = o[i];

        for (x = x0; x < x1; x++) {
            double s = c[x] + u[x] + d[x] + c[x - 1] + c[x + 1] + u[x - 1] + u[x + 1] + d[x - 1] +
                       d[x + 1];

            out[x] = s * (in[x] * (1 / 9.0)); /* no branch: the loop is vectorised */
        }
    }
}

#if defined(LP_AVX512)
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl")))

AVX512 static inline __m512d from_left(__m512d v, __m512d before)
{
    return _mm512_castsi512_pd(
        _mm512_alignr_epi64(_mm512_castpd_si512(v), _mm512_castpd_si512(before), 7));
}

AVX512 static inline __m512d from_right(__m512d v, __m512d after)
{
    return _mm512_castsi512_pd(
        _mm512_alignr_epi64(_mm512_castpd_si512(after), _mm512_castpd_si512(v), 1));
}

/* The same sums; every value is loaded once for the four rows. */
AVX512 static void step4_avx512(double *const *o, const double *const *t, const uint8_t *const *m,
                                int x0, int x1)
{
    const __m512d ninth = _mm512_set1_pd(1 / 9.0), none = _mm512_setzero_pd();
    __m512d before[6], c[6], l[6], r[6];
    __mmask8 in[4];
    int x, i;

    for (i = 0; i < 6; i++) {
        before[i] = none;
        c[i] = _mm512_load_pd(t[i] + x0);
    }
    for (x = x0; x < x1; x += 8) {
        for (i = 0; i < 6; i++) {
            __m512d after = x + 8 < x1 ? _mm512_load_pd(t[i] + x + 8) : none;

            l[i] = from_left(c[i], before[i]);
            r[i] = from_right(c[i], after);
            before[i] = c[i];
            c[i] = after;
        }
        for (i = 0; i < 4; i++) {
            __m128i row = _mm_loadl_epi64((const __m128i *)(m[i] + x));

            in[i] = (__mmask8)_mm_test_epi8_mask(row, row);
        }
        if (!(in[0] | in[1] | in[2] | in[3])) { /* nothing of the mask here */
            for (i = 0; i < 4; i++) _mm512_store_pd(o[i] + x, none);
            continue;
        }
        for (i = 0; i < 4; i++) {
            __m512d s = _mm512_add_pd(before[i + 1], before[i]);

            s = _mm512_add_pd(s, before[i + 2]);
            s = _mm512_add_pd(s, l[i + 1]);
            s = _mm512_add_pd(s, r[i + 1]);
            s = _mm512_add_pd(s, l[i]);
            s = _mm512_add_pd(s, r[i]);
            s = _mm512_add_pd(s, l[i + 2]);
            s = _mm512_add_pd(s, r[i + 2]);
            _mm512_store_pd(o[i] + x, _mm512_maskz_mul_pd(in[i], s, ninth));
        }
    }
}
#endif

lp_diffuse_step4 *lp_diffuse_step4_choose(void)
{
#if defined(LP_AVX512)
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return step4_avx512;
#endif
    return step4_any;
}
