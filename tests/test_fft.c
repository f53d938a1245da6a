/* The transform against its definition, and there and back. */
#include "lp_test.h"

#include "host/fft.h"

static void matches_the_definition(void **state)
{
    enum { N = 8 };
    const double tau = 6.283185307179586 / N;
    float re[N * N], im[N * N], r0[N * N], i0[N * N];
    int u, v, y, x, sign;

    (void)state;
    for (y = 0; y < N * N; y++) {
        r0[y] = (float)((y * 37 + 11) % 23) - 9.0f;
        i0[y] = (float)((y * 53 + 5) % 19) - 7.0f;
    }
    for (sign = -1; sign <= 1; sign += 2) {
        memcpy(re, r0, sizeof re);
        memcpy(im, i0, sizeof im);
        assert_int_equal(lp_fft2(re, im, N, sign, NULL), LP_OK);
        for (v = 0; v < N; v++)
            for (u = 0; u < N; u++) {
                double a = 0, b = 0;

                for (y = 0; y < N; y++)
                    for (x = 0; x < N; x++) {
                        double t = sign * tau * (v * y + u * x), c = cos(t), s = sin(t);

                        a += r0[y * N + x] * c - i0[y * N + x] * s;
                        b += r0[y * N + x] * s + i0[y * N + x] * c;
                    }
                /* float32: 3 stages each way on sums of about 700 */
                LP_ASSERT_CLOSE(re[v * N + u], a, 1e-3, 0);
                LP_ASSERT_CLOSE(im[v * N + u], b, 1e-3, 0);
            }
    }
}

static void there_and_back(void **state)
{
    int n, i;

    (void)state;
    for (n = 2; n <= 256; n *= 2) {
        size_t px = (size_t)n * (size_t)n;
        float *re = lp_guard_new(px), *im = lp_guard_new(px);

        for (i = 0; i < (int)px; i++) {
            re[i] = (float)((i * 7919) % 1009) / 1009.0f;
            im[i] = (float)((i % 4096 * 311) % 997) / 997.0f;
        }
        assert_int_equal(lp_fft2(re, im, n, -1, NULL), LP_OK);
        assert_int_equal(lp_fft2(re, im, n, 1, NULL), LP_OK);
        for (i = 0; i < (int)px; i++) {
            LP_ASSERT_CLOSE(re[i] / (float)px, (float)((i * 7919) % 1009) / 1009.0f, 2e-6, 0);
            LP_ASSERT_CLOSE(im[i] / (float)px, (float)((i % 4096 * 311) % 997) / 997.0f, 2e-6, 0);
        }
        lp_guard_check(re, px);
        lp_guard_check(im, px);
        lp_guard_free(re);
        lp_guard_free(im);
    }
}

static void other_sizes_are_refused(void **state)
{
    float a[9] = {0}, b[9] = {0};
    lp_err err;

    (void)state;
    assert_int_equal(lp_fft2(a, b, 3, 1, &err), LP_EARG);
    assert_int_equal(lp_fft2(a, b, 1, 1, &err), LP_EARG);
    assert_int_equal(lp_fft2(a, b, 0, 1, &err), LP_EARG);
    assert_int_equal(lp_fft2(a, b, -4, 1, &err), LP_EARG);
    assert_int_equal(lp_fft2(a, b, 2 * LP_FFT_MAX, 1, &err), LP_EARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_the_definition),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(other_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
