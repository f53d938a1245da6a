/* Convolutions against plain loops: all layouts, with Winograd's packed weights too. */
#include "lp_test.h"

#include <omp.h>

#include "host/onednn.h"

static float noise(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return (float)(*s >> 8) / 8388608.0f - 1.0f;
}

static size_t at(lp_layout l, int C, int h, int w, int c, int y, int x)
{
    if (l == LP_PLANAR) return ((size_t)c * h + y) * w + x;
    if (l == LP_NHWC) return ((size_t)y * w + x) * C + c;
    return (((size_t)(c / 16) * h + y) * w + x) * 16 + c % 16;
}

static double plain(const lp_conv_spec *s, const float *w, const float *b, const float *src, int o,
                    int y, int x)
{
    double v = b[o];
    int c, i, j;

    for (c = 0; c < s->ic; c++)
        for (i = 0; i < s->k; i++)
            for (j = 0; j < s->k; j++) {
                int yy = y + i - s->k / 2, xx = x + j - s->k / 2;

                if (yy < 0 || yy >= s->h || xx < 0 || xx >= s->w) continue;
                v += (double)w[((o * s->ic + c) * s->k + i) * s->k + j] *
                     src[at(s->src, s->ic, s->h, s->w, c, yy, xx)];
            }
    return v;
}

/* threads: of the packing; the numbers must not depend on it. */
static void check(lp_conv_spec s, int threads)
{
    size_t nw = (size_t)s.oc * s.ic * s.k * s.k, pix = (size_t)s.h * s.w, i;
    float *w = malloc(nw * sizeof *w), *b = malloc((size_t)s.oc * sizeof *b);
    float *src = aligned_alloc(64, (pix * s.ic * sizeof *src + 63) / 64 * 64);
    float *dst = aligned_alloc(64, (pix * s.oc * sizeof *dst + 63) / 64 * 64), *was;
    void *scratch;
    lp_conv *conv = NULL;
    lp_packed *packed = NULL;
    uint32_t seed = 1;
    int o, y, x, before = omp_get_max_threads();
    lp_err err;

    for (i = 0; i < nw; i++) w[i] = noise(&seed);
    for (i = 0; i < (size_t)s.oc; i++) b[i] = noise(&seed);
    for (i = 0; i < pix * s.ic; i++) src[i] = noise(&seed);
    was = malloc(pix * s.oc * sizeof *was);
    for (i = 0; i < pix * s.oc; i++) dst[i] = was[i] = noise(&seed);
    assert_int_equal(lp_conv_new(&s, 1, &conv, &err), LP_OK);
    omp_set_num_threads(threads);
    assert_int_equal(lp_packed_new(conv, w, &packed, &err), LP_OK);
    assert_true(lp_packed_fits(packed, conv));
    omp_set_num_threads(1);
    scratch = aligned_alloc(64, (lp_conv_scratch(conv) + 64) / 64 * 64);
    assert_int_equal(lp_conv_run(conv, packed, b, src, dst, scratch), 0);
    omp_set_num_threads(before);
    for (o = 0; o < s.oc; o++)
        for (y = 0; y < s.h; y += y < 3 || y > s.h - 4 ? 1 : 5)
            for (x = 0; x < s.w; x += x < 3 || x > s.w - 4 ? 1 : 5) {
                double v = plain(&s, w, b, src, o, y, x);
                size_t k = at(s.dst, s.oc, s.h, s.w, o, y, x);

                if (s.sum) v += was[k];
                if (s.relu && v < 0) v = 0;
                /* Sums of up to 2,304 terms of size 1; Winograd loses about 2 digits. */
                LP_ASSERT_CLOSE(dst[k], v, 1e-3, 1e-4);
            }
    lp_packed_free(&packed);
    lp_conv_free(&conv);
    free(scratch);
    free(was);
    free(w);
    free(b);
    free(src);
    free(dst);
}

static void blocked(void **state)
{
    static const int ch[][2] = {{16, 16}, {32, 32}, {48, 80}, {64, 32}, {128, 64}, {256, 256}};
    size_t i;

    (void)state;
    if (!lp_onednn_has_avx512()) {
        print_message("skip: no AVX-512\n");
        skip();
    }
    for (i = 0; i < sizeof ch / sizeof *ch; i++)
        check((lp_conv_spec){ch[i][0], ch[i][1], 28, 28, 3, 0, i & 1, i & 2, LP_BLK16, LP_BLK16},
              1 + (i & 1));
    for (i = 0; i < sizeof ch / sizeof *ch; i++) /* where F(2x2,3x3) is chosen */
        check((lp_conv_spec){ch[i][0], ch[i][1], 10, 12, 3, 0, i & 1, i & 2, LP_BLK16, LP_BLK16},
              1);
    check((lp_conv_spec){32, 32, 112, 96, 3, 0, 1, 1, LP_BLK16, LP_BLK16}, 2);
    check((lp_conv_spec){2, 32, 32, 48, 3, 0, 0, 1, LP_PLANAR, LP_BLK16}, 2);
    check((lp_conv_spec){64, 32, 32, 48, 1, 0, 1, 0, LP_BLK16, LP_BLK16}, 1);
}

static void channels_last(void **state)
{
    (void)state;
    check((lp_conv_spec){2, 8, 16, 24, 3, 0, 0, 1, LP_NHWC, LP_NHWC}, 2);
    check((lp_conv_spec){8, 24, 16, 8, 3, 0, 1, 1, LP_NHWC, LP_NHWC}, 1);
    check((lp_conv_spec){24, 8, 16, 8, 1, 0, 1, 0, LP_NHWC, LP_NHWC}, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocked), cmocka_unit_test(channels_last)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
