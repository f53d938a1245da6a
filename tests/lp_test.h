/* lp_test - what all tests share: cmocka, comparisons that fail on NaN, guard
 * bands, and the folder of shared real data (skipped, counted, where absent). */
#ifndef LP_TEST_H
#define LP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <unistd.h>
#include <cmocka.h>

/* Path of a file below the shared data folder (environment LIPOPOSE_DATA, else
 * ../shared/data), or NULL where it is not there; static storage. */
static inline const char *lp_test_data(const char *name)
{
    static char path[4][2048];
    static int k;
    const char *dir = getenv("LIPOPOSE_DATA");
    char *p = path[k = (k + 1) % 4];

    snprintf(p, sizeof path[0], "%s/%s", dir && *dir ? dir : "../shared/data", name);
    return access(p, R_OK) == 0 ? p : NULL;
}

/* Skips the running test (cmocka counts it) where the shared file is absent. */
#define LP_NEED_DATA(var, name)                                                                    \
    const char *var = lp_test_data(name);                                                          \
    if (!var) {                                                                                    \
        print_message("skip: no shared file %s\n", name);                                          \
        skip();                                                                                    \
    }

/* NaN fails. */
#define LP_ASSERT_CLOSE(got, ref, atol, rtol)                                                      \
    do {                                                                                           \
        double g_ = (double)(got), r_ = (double)(ref);                                             \
        if (!(fabs(g_ - r_) <= (atol) + (rtol)*fabs(r_)))                                          \
            fail_msg("%s = %.9g, expected %.9g (%s:%d)", #got, g_, r_, __FILE__, __LINE__);        \
    } while (0)

/* got, ref [n]: the same bits, but any NaN for NaN: processors make them with other bits. */
static inline void lp_same_floats(const float *got, const float *ref, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (!(isnan(got[i]) && isnan(ref[i])) && memcmp(got + i, ref + i, sizeof *got))
            fail_msg("[%zu] = %.9g, expected %.9g", i, (double)got[i], (double)ref[i]);
}

/* [n] floats with guard bands of 64 on both sides, filled with a signalling pattern.
 * lp_guard_check fails the test if a band was touched; lp_guard_free frees. */
#define LP_GUARD 64
static inline float *lp_guard_new(size_t n)
{
    float *p = malloc((n + 2 * LP_GUARD) * sizeof(float));
    size_t i;

    assert_non_null(p);
    for (i = 0; i < n + 2 * LP_GUARD; i++) p[i] = -12345.678f;
    return p + LP_GUARD;
}
static inline void lp_guard_check(const float *p, size_t n)
{
    size_t i;

    for (i = 0; i < LP_GUARD; i++) {
        assert_true(p[-1 - (long)i] == -12345.678f);
        assert_true(p[n + i] == -12345.678f);
    }
}
static inline void lp_guard_free(float *p)
{
    if (p) free(p - LP_GUARD);
}

#endif
