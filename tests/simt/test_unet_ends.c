/* The U-Net's kernels beside its convolutions against their twins: the same bits. */
#include "../lp_test.h"
#include "simt_test.h"

#include "kernels/bf16.h"
#include "kernels/first.h"
#include "kernels/output.h"
#include "kernels/style.h"

static uint32_t seed = 3;
static float *floats(size_t n)
{
    float *p = lp_guard_new(n);
    size_t i;

    for (i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (float)(seed >> 8) / (1 << 22) - 2;
    }
    return p;
}

/* n elements of an activation. */
static void *activation(size_t n, int bf16)
{
    float *f = floats(n), *out = malloc(n * sizeof *out);
    size_t i;

    assert_non_null(out);
    for (i = 0; i < n; i++)
        if (bf16)
            ((uint16_t *)out)[i] = lp_bf16_from(f[i]);
        else
            out[i] = f[i];
    lp_guard_free(f);
    return out;
}

static const int sizes[][3] = {{1, 1, 1}, {2, 7, 13}, {1, 33, 16}, {3, 16, 18}};
#define SIZES (sizeof sizes / sizeof *sizes)

static void first(void **state)
{
    static const int nins[] = {1, 2, 3, 16}, couts[] = {16, 32, 48, 64};
    size_t i, k;
    int bf16;

    (void)state;
    for (i = 0; i < SIZES; i++)
        for (k = 0; k < 4; k++)
            for (bf16 = 0; bf16 < 2; bf16++) {
                int n = sizes[i][0], h = sizes[i][1], w = sizes[i][2], nin = nins[k], C = couts[k];
                size_t px = (size_t)n * h * w, bytes = px * C * (bf16 ? 2 : 4);
                float *x = floats(px * nin), *wt = floats((size_t)nin * 9 * C),
                      *b = floats((size_t)C);
                float *scale = floats((size_t)nin), *shift = floats((size_t)nin);
                float *y = lp_guard_new(bytes / 4);
                void *ref = malloc(bytes);

                assert_non_null(ref);
                lp_first_ref(ref, x, wt, b, scale, shift, n, nin, h, w, C, bf16);
                SIMT_SEEDS(s)
                {
                    memset(y, 0xff, bytes);
                    assert_int_equal(
                        lp_first_cuda(y, x, wt, b, scale, shift, n, nin, h, w, C, bf16, NULL), 0);
                    assert_memory_equal(y, ref, bytes);
                    lp_guard_check(y, bytes / 4);
                }
                lp_guard_free(x);
                lp_guard_free(wt);
                lp_guard_free(b);
                lp_guard_free(scale);
                lp_guard_free(shift);
                lp_guard_free(y);
                free(ref);
            }
}

static void output(void **state)
{
    static const int nouts[] = {1, 3, 4, 6}, cs[] = {16, 32, 48, 64};
    size_t i, k;
    int bf16;

    (void)state;
    for (i = 0; i < SIZES; i++)
        for (k = 0; k < 4; k++)
            for (bf16 = 0; bf16 < 2; bf16++) {
                int n = sizes[i][0], h = sizes[i][1], w = sizes[i][2], nout = nouts[k], C = cs[k];
                size_t px = (size_t)n * h * w;
                void *x = activation(px * C, bf16);
                float *scale = floats((size_t)C), *shift = floats((size_t)C),
                      *b = floats((size_t)nout);
                float *wt = floats((size_t)nout * C), *y = lp_guard_new(px * nout);
                float *ref = malloc(px * nout * sizeof *ref);

                assert_non_null(ref);
                lp_output_ref(ref, x, scale, shift, wt, b, n, nout, h, w, C, bf16);
                SIMT_SEEDS(s)
                {
                    memset(y, 0xff, px * nout * sizeof *y);
                    assert_int_equal(
                        lp_output_cuda(y, x, scale, shift, wt, b, n, nout, h, w, C, bf16, NULL), 0);
                    assert_memory_equal(y, ref, px * nout * sizeof *y);
                    lp_guard_check(y, px * nout);
                }
                free(x);
                lp_guard_free(scale);
                lp_guard_free(shift);
                lp_guard_free(b);
                lp_guard_free(wt);
                lp_guard_free(y);
                free(ref);
            }
}

static void style(void **state)
{
    static const int cs[][2] = {{16, 12}, {32, 32}, {256, 256}, {48, 48}, {2064, 2050}};
    size_t i, k;
    int bf16;

    (void)state;
    for (i = 0; i < SIZES; i++)
        for (k = 0; k < 5; k++)
            for (bf16 = 0; bf16 < 2; bf16++) {
                int n = sizes[i][0], h = sizes[i][1], w = sizes[i][2], C = cs[k][0], S = cs[k][1];
                void *x = activation((size_t)n * h * w * C, bf16);
                float *got = lp_guard_new((size_t)n * S);
                float *ref = malloc((size_t)n * S * sizeof *ref);
                double len = 0;
                int s;

                assert_non_null(ref);
                lp_style_ref(ref, x, n, h, w, C, S, bf16);
                for (s = 0; s < S; s++) len += (double)ref[s] * ref[s];
                LP_ASSERT_CLOSE(len, 1, 1e-5, 0);
                SIMT_SEEDS(t)
                {
                    memset(got, 0xff, (size_t)n * S * sizeof *got);
                    assert_int_equal(lp_style_cuda(got, x, n, h, w, C, S, bf16, NULL), 0);
                    assert_memory_equal(got, ref, (size_t)n * S * sizeof *got);
                    lp_guard_check(got, (size_t)n * S);
                }
                free(x);
                lp_guard_free(got);
                free(ref);
            }
}

static void shifts(void **state)
{
    static const int t[][3] = {{1, 1, 1}, {3, 48, 12}, {2, 1440, 256}, {1, 17, 33}};
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        int n = t[i][0], rows = t[i][1], S = t[i][2];
        float *sty = floats((size_t)n * S), *full = floats((size_t)rows * S);
        float *bias = floats((size_t)rows), *scale = floats((size_t)rows);
        float *shift = floats((size_t)rows), *got = lp_guard_new((size_t)n * rows);
        float *ref = malloc((size_t)n * rows * sizeof *ref);
        double sum = bias[0];
        int s;

        assert_non_null(ref);
        lp_style_shifts_ref(ref, sty, full, bias, scale, shift, n, rows, S);
        for (s = 0; s < S; s++) sum += (double)full[s] * sty[s];
        LP_ASSERT_CLOSE(ref[0], scale[0] * sum + shift[0], 1e-3, 0);
        SIMT_SEEDS(k)
        {
            memset(got, 0xff, (size_t)n * rows * sizeof *got);
            assert_int_equal(
                lp_style_shifts_cuda(got, sty, full, bias, scale, shift, n, rows, S, NULL), 0);
            assert_memory_equal(got, ref, (size_t)n * rows * sizeof *got);
            lp_guard_check(got, (size_t)n * rows);
        }
        lp_guard_free(sty);
        lp_guard_free(full);
        lp_guard_free(bias);
        lp_guard_free(scale);
        lp_guard_free(shift);
        lp_guard_free(got);
        free(ref);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first),
        cmocka_unit_test(output),
        cmocka_unit_test(style),
        cmocka_unit_test(shifts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
