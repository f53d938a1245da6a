/* The passes of training over activations against host/train_ops.h: elementwise ones bit by bit,
 * sums within their rounding and the same bits for every order of blocks and threads. */
#include "../lp_test.h"
#include "simt_test.h"

#include "host/big_alloc.h"
#include "host/train_ops.h"
#include "kernels/train_maps.h"

/* Of the smaller activation where there are two. */
static const struct {
    int n, h, w, c;
} shapes[] = {{1, 1, 1, 3}, {2, 7, 13, 24}, {3, 16, 32, 40}, {1, 113, 97, 8}};
#define SHAPES (sizeof shapes / sizeof *shapes)

static uint32_t seed;

/* Few values, so that some are equal; all of them bfloat16. */
static float noise(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)((int)(seed >> 24) - 128) / 32;
}

/* The same activation in the CPU's order and in the device's. */
typedef struct {
    lp_tdims d;
    int c;
    void *cpu, *dev;
} act;

static size_t planes_of(const act *a)
{
    return (size_t)a->d.n * a->c * a->d.h * a->d.w;
}

static act fresh(int shape, int twice, int bf16, int fill)
{
    int cb = bf16 ? 16 : 8, c = shapes[shape].c;
    act a = {{shapes[shape].n, (c + cb - 1) / cb, cb, shapes[shape].h << twice,
              shapes[shape].w << twice, bf16},
             c,
             NULL,
             NULL};
    size_t bytes = lp_tdims_size(&a.d) * (bf16 ? 2 : 4), n = planes_of(&a), i;
    float *p = calloc(n, sizeof *p);

    a.cpu = lp_big_alloc(bytes);
    assert_int_equal(posix_memalign(&a.dev, 64, bytes), 0);
    assert_true(p && a.cpu);
    for (i = 0; fill && i < n; i++) p[i] = noise();
    lp_tops_from_planes(&a.d, a.cpu, p, c);
    assert_int_equal(lp_tmaps_from_planes_cuda(&a.d, a.dev, p, c, NULL), 0);
    free(p);
    return a;
}

static void drop(act *a)
{
    free(a->cpu);
    free(a->dev);
}

/* Also that padding is 0. */
static void check(const act *a)
{
    size_t n = planes_of(a), k;
    int cp = a->d.nblk * a->d.cb;
    float *p = malloc(n * sizeof *p), *q = malloc(n * sizeof *q);

    lp_tops_to_planes(&a->d, p, a->cpu, a->c);
    assert_int_equal(lp_tmaps_to_planes_cuda(&a->d, q, a->dev, a->c, NULL), 0);
    assert_memory_equal(p, q, n * sizeof *p);
    for (k = 0; k < lp_tdims_size(&a->d); k++)
        if ((int)(k % cp) >= a->c)
            assert_true(a->d.bf16 ? !((uint16_t *)a->dev)[k] : !((float *)a->dev)[k]);
    free(p);
    free(q);
}

/* [rows][cp], 0 beyond c. */
static float *channels(const act *a, int rows)
{
    int cp = a->d.nblk * a->d.cb, k;
    float *v = NULL;

    assert_int_equal(posix_memalign((void **)&v, 64, (size_t)rows * cp * sizeof *v), 0);
    for (k = 0; k < rows * cp; k++) v[k] = k % cp < a->c ? noise() / 3 : 0;
    return v;
}

static void test_elementwise(void **state)
{
    size_t s;
    int bf16, add, extra;

    (void)state;
    seed = 3;
    for (s = 0; s < 2 * SHAPES; s++) {
        act x, g, out, copy, more;
        float *scale, *shift, *p, *q;
        lp_tdims d;

        bf16 = s >= SHAPES;
        x = fresh(s % SHAPES, 0, bf16, 1);
        g = fresh(s % SHAPES, 0, bf16, 1);
        more = fresh(s % SHAPES, 0, bf16, 1);
        out = fresh(s % SHAPES, 0, bf16, 1);
        copy = fresh(s % SHAPES, 0, bf16, 0);
        d = x.d;
        scale = channels(&x, 1);
        shift = channels(&x, d.n);
        p = channels(&x, 1);
        q = channels(&x, d.n);
        lp_tops_norm(&d, out.cpu, copy.cpu, x.cpu, scale, shift);
        assert_int_equal(lp_tmaps_norm_cuda(&d, out.dev, copy.dev, x.dev, scale, shift, NULL), 0);
        check(&out);
        check(&copy);
        for (add = 0; add < 2; add++)
            for (extra = 0; extra < 2; extra++) {
                lp_tops_norm_back(&d, out.cpu, add, g.cpu, x.cpu, scale, shift, p, q,
                                  extra ? more.cpu : NULL);
                assert_int_equal(lp_tmaps_norm_back_cuda(&d, out.dev, add, g.dev, x.dev, scale,
                                                         shift, p, q, extra ? more.dev : NULL,
                                                         NULL),
                                 0);
                check(&out);
            }
        lp_tops_add_channels(&d, x.cpu, q);
        assert_int_equal(lp_tmaps_add_channels_cuda(&d, x.dev, q, d.nblk * d.cb, 1, NULL), 0);
        check(&x);
        drop(&x);
        drop(&g);
        drop(&more);
        drop(&out);
        drop(&copy);
        free(scale);
        free(shift);
        free(p);
        free(q);
    }
}

static void test_bias_and_types(void **state)
{
    size_t s, k, n;

    (void)state;
    for (s = 0; s < SHAPES; s++) {
        act x = fresh((int)s, 0, 0, 1);
        float *b = channels(&x, x.d.n), *bias = malloc((size_t)x.c * sizeof *bias), *back;
        uint16_t *half;
        lp_tdims d = x.d;
        int i;

        memcpy(bias, b, (size_t)x.c * sizeof *bias);
        for (i = 0; i < d.n; i++) memcpy(b + i * d.nblk * d.cb, bias, (size_t)x.c * sizeof *b);
        lp_tops_add_channels(&d, x.cpu, b);
        assert_int_equal(lp_tmaps_add_channels_cuda(&d, x.dev, bias, x.c, 0, NULL), 0);
        check(&x);
        n = lp_tdims_size(&d);
        half = lp_big_alloc(n * sizeof *half);
        back = lp_big_alloc(n * sizeof *back);
        d.bf16 = 1;
        assert_int_equal(lp_tmaps_convert_cuda(&d, half, x.dev, NULL), 0);
        d.bf16 = 0;
        assert_int_equal(lp_tmaps_convert_cuda(&d, back, half, NULL), 0);
        for (k = 0; k < n; k++) LP_ASSERT_CLOSE(back[k], ((float *)x.dev)[k], 0, 1.0 / 256);
        drop(&x);
        free(b);
        free(bias);
        free(half);
        free(back);
    }
}

static void test_sizes(void **state)
{
    size_t s;

    (void)state;
    for (s = 0; s < 2 * SHAPES; s++) {
        int bf16 = s >= SHAPES, k = (int)(s % SHAPES);
        act small = fresh(k, 0, bf16, 1), large = fresh(k, 1, bf16, 1), g = fresh(k, 1, bf16, 1);
        lp_tdims d = small.d;

        lp_tops_pool(&d, small.cpu, large.cpu);
        assert_int_equal(lp_tmaps_pool_cuda(&d, small.dev, large.dev, NULL), 0);
        check(&small);
        lp_tops_pool_back(&d, g.cpu, small.cpu, large.cpu);
        assert_int_equal(lp_tmaps_pool_back_cuda(&d, g.dev, small.dev, large.dev, NULL), 0);
        check(&g);
        lp_tops_up_back(&d, small.cpu, g.cpu);
        assert_int_equal(lp_tmaps_up_back_cuda(&d, small.dev, g.dev, NULL), 0);
        check(&small);
        lp_tops_up(&d, large.cpu, small.cpu);
        assert_int_equal(lp_tmaps_up_cuda(&d, large.dev, small.dev, NULL), 0);
        check(&large);
        drop(&small);
        drop(&large);
        drop(&g);
    }
}

/* The CPU's sums are float32 in pieces of up to 8192 values of order 1. */
static void close_to(const double *got, const double *ref, int n, double atol)
{
    int k;

    for (k = 0; k < n; k++) LP_ASSERT_CLOSE(got[k], ref[k], atol, 2e-6);
}

enum { MEAN, VAR, IMAGES, SUM_G, SUM_GX, MEANS, OUTS };

static void test_sums(void **state)
{
    size_t s;
    int k, c;

    (void)state;
    seed = 9;
    for (s = 0; s < 2 * SHAPES; s++) {
        int bf16 = s >= SHAPES, shape = (int)(s % SHAPES);
        act x = fresh(shape, 0, bf16, 1), g = fresh(shape, 0, bf16, 1);
        lp_tdims d = x.d;
        int cp = d.nblk * d.cb, rows = d.n * cp;
        float *f = channels(&x, d.n), *scale = channels(&x, 1), *shift = channels(&x, d.n);
        float *bias = malloc((size_t)x.c * sizeof *bias), *bias0 = malloc((size_t)x.c * 4);
        size_t work = lp_tdims_work(&d) > lp_tmaps_work(&d) ? lp_tdims_work(&d) : lp_tmaps_work(&d);
        double *w = malloc(work * sizeof *w), *ref[OUTS], *got[OUTS], *first[OUTS];

        for (k = 0; k < OUTS; k++) {
            ref[k] = calloc((size_t)rows, sizeof(double));
            got[k] = calloc((size_t)rows, sizeof(double));
            first[k] = calloc((size_t)rows, sizeof(double));
        }
        lp_tops_stats(&d, x.cpu, f, ref[MEAN], ref[VAR], ref[IMAGES], w);
        lp_tops_norm_sums(&d, g.cpu, x.cpu, scale, shift, ref[SUM_G], ref[SUM_GX], w);
        lp_tops_means(&d, x.cpu, ref[MEANS]);
        free(w);
        w = malloc(lp_tmaps_work(&d) * sizeof *w);
        SIMT_SEEDS(i)
        {
            assert_int_equal(
                lp_tmaps_stats_cuda(&d, x.dev, f, got[MEAN], got[VAR], got[IMAGES], w, NULL), 0);
            assert_int_equal(lp_tmaps_norm_sums_cuda(&d, g.dev, x.dev, scale, shift, got[SUM_G],
                                                     got[SUM_GX], w, NULL),
                             0);
            assert_int_equal(lp_tmaps_stats_cuda(&d, x.dev, NULL, NULL, NULL, got[MEANS], w, NULL),
                             0);
            assert_int_equal(lp_tmaps_bias_sums_cuda(&d, g.dev, x.c, bias, w, NULL), 0);
            for (k = 0; k < OUTS; k++) {
                double size = k == SUM_G || k == SUM_GX ? (double)d.h * d.w : 1;

                close_to(got[k], ref[k], k < IMAGES ? cp : rows, 4e-6 * size);
                if (!i) memcpy(first[k], got[k], (size_t)rows * sizeof(double));
                assert_memory_equal(first[k], got[k], (size_t)rows * sizeof(double));
            }
            if (!i) memcpy(bias0, bias, (size_t)x.c * sizeof *bias);
            assert_memory_equal(bias0, bias, (size_t)x.c * sizeof *bias);
        }
        /* The bias's gradient: sums where the ReLU lets all through. */
        memset(scale, 0, (size_t)cp * sizeof *scale);
        for (k = 0; k < rows; k++) shift[k] = 1;
        assert_int_equal(lp_tmaps_norm_sums_cuda(&d, g.dev, x.dev, scale, shift, got[SUM_G],
                                                 got[SUM_GX], w, NULL),
                         0);
        for (c = 0; c < x.c; c++) {
            double sum = 0;

            for (k = 0; k < d.n; k++) sum += got[SUM_G][k * cp + c];
            LP_ASSERT_CLOSE(bias[c], sum, 1e-6 * d.h * d.w, 1e-6);
        }
        for (k = 0; k < OUTS; k++) {
            free(ref[k]);
            free(got[k]);
            free(first[k]);
        }
        free(w);
        free(f);
        free(scale);
        free(shift);
        free(bias);
        free(bias0);
        drop(&x);
        drop(&g);
    }
}

static void test_refusals(void **state)
{
    lp_tdims d = {1, 1, 4, 2, 2, 0}; /* 4 channels */
    float x[16] = {0};

    (void)state;
    assert_int_not_equal(lp_tmaps_pool_cuda(&d, x, x, NULL), 0);
    d = (lp_tdims){0, 1, 8, 2, 2, 0};
    assert_int_not_equal(lp_tmaps_norm_cuda(&d, x, NULL, x, x, x, NULL), 0);
    assert_int_not_equal(lp_tmaps_stats_cuda(&d, x, NULL, NULL, NULL, NULL, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise), cmocka_unit_test(test_bias_and_types),
        cmocka_unit_test(test_sizes),       cmocka_unit_test(test_sums),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
