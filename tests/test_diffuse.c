/* The flows of masks: as Cellpose computes them, and alike in every version. */
#include "kernels/diffuse.h"
#include "lp_h5.h"
#include "lp_scene.h"

typedef void diffuse_fn(float *, const uint32_t *, const lp_label_info *, uint32_t, int, int, int,
                        void *);

static uint32_t highest(const uint32_t *labels, size_t n)
{
    uint32_t most = 0;
    size_t i;

    for (i = 0; i < n; i++)
        if (labels[i] > most) most = labels[i];
    return most;
}

static float *run(diffuse_fn *fn, const uint32_t *labels, int Ly, int Lx, int nthreads)
{
    size_t n = (size_t)Ly * Lx, bytes;
    uint32_t most = highest(labels, n);
    lp_label_info *info = malloc((most + (size_t)1) * sizeof *info);
    float *mu = lp_guard_new(2 * n), *scratch;

    assert_non_null(info);
    lp_relabel_info_ref(info, most, labels, Ly, Lx);
    bytes = lp_diffuse_scratch(info, most, nthreads);
    scratch = lp_guard_new(bytes / sizeof *scratch);
    fn(mu, labels, info, most, Ly, Lx, nthreads, scratch);
    lp_guard_check(mu, 2 * n);
    lp_guard_check(scratch, bytes / sizeof *scratch);
    lp_guard_free(scratch);
    free(info);
    return mu;
}

static void compare(const uint32_t *labels, int Ly, int Lx)
{
    static const int count[] = {1, 2, 3, 5, 8};
    size_t n = (size_t)Ly * Lx, i, k;
    float *a = run(lp_diffuse_ref, labels, Ly, Lx, 1), *first = NULL;

    for (k = 0; k < 5; k++) {
        float *b = run(lp_diffuse_cpu, labels, Ly, Lx, count[k]);

        for (i = 0; i < 2 * n; i++)
            if (!(a[i] == b[i]))
                fail_msg("%d x %d, %zu: %.9g, not %.9g", Ly, Lx, i, (double)b[i], (double)a[i]);
        if (!first) {
            first = b;
            continue;
        }
        assert_memory_equal(first, b, 2 * n * sizeof *b);
        lp_guard_free(b);
    }
    lp_guard_free(first);
    lp_guard_free(a);
}

static void golden(void **state)
{
    LP_NEED_DATA(path, "golden/stages.h5");
    hsize_t dims[8], d2[8];
    uint32_t *labels = lp_h5_u32(path, "labels", dims);
    float *want = lp_h5_float(path, "masks_to_flows", d2), *mu;
    int Ly = (int)dims[0], Lx = (int)dims[1];
    size_t i;

    (void)state;
    mu = run(lp_diffuse_ref, labels, Ly, Lx, 1);
    for (i = 0; i < 2 * (size_t)Ly * Lx; i++) LP_ASSERT_CLOSE(mu[i], want[i], 2e-7, 0);
    lp_guard_free(mu);
    compare(labels, Ly, Lx);
    free(labels);
    free(want);
}

static void small_shapes(void **state)
{
    static const int size[][2] = {{1, 1}, {1, 50}, {50, 1}, {7, 13}, {2, 2}, {33, 31}};
    uint64_t seed = 5;
    size_t k, i;

    (void)state;
    for (k = 0; k < sizeof size / sizeof size[0]; k++) {
        int Ly = size[k][0], Lx = size[k][1], mode;
        size_t n = (size_t)Ly * Lx;
        uint32_t *labels = malloc(n * sizeof *labels);

        assert_non_null(labels);
        for (mode = 0; mode < 4; mode++) {
            for (i = 0; i < n; i++) {
                if (mode == 0) labels[i] = 1; /* the whole image */
                if (mode == 1) labels[i] = 0;
                if (mode == 2) labels[i] = lp_rand(&seed) % 3;     /* crumbs */
                if (mode == 3) labels[i] = i / 4 % 5 == 3 ? 0 : 7; /* gaps in the numbers */
            }
            compare(labels, Ly, Lx);
        }
        free(labels);
    }
}

/* Touching and nested discs, one across the border, one large enough to be cut into strips
 * and time blocks, a thin arc along which heat dies away. */
static void shapes(void **state)
{
    enum { Ly = 210, Lx = 330 };
    uint32_t *labels = calloc(Ly * Lx, sizeof *labels);
    int i;

    (void)state;
    assert_non_null(labels);
    lp_scene_disc(labels, Ly, Lx, 1, 100, 90, 85);
    lp_scene_disc(labels, Ly, Lx, 2, 100, 90, 30);
    lp_scene_disc(labels, Ly, Lx, 3, 40, 200, 40);
    lp_scene_disc(labels, Ly, Lx, 4, 208, 329, 60);
    for (i = 0; i < 280; i++) labels[(180 + i % 3) * Lx + 10 + i] = 5;
    compare(labels, Ly, Lx);
    free(labels);
}

/* Along a line of one pixel heat dies away so fast that flows become denormal floats; a thread
 * that flushes denormals must not flush those. */
static void denormal_flows(void **state)
{
    enum { Ly = 3, Lx = 301 };
    uint32_t *labels = calloc(Ly * Lx, sizeof *labels);
    int denormal = 0, i;
    float *mu;

    (void)state;
    assert_non_null(labels);
    for (i = 0; i < Lx; i++) labels[Lx + i] = 1;
    mu = run(lp_diffuse_ref, labels, Ly, Lx, 1);
    for (i = 0; i < 2 * Ly * Lx; i++) denormal += fpclassify(mu[i]) == FP_SUBNORMAL;
    assert_true(denormal > 0);
    lp_guard_free(mu);
    compare(labels, Ly, Lx);
    free(labels);
}

static void centre_by_hand(void **state)
{
    /* An L with centre of mass (1.4, 0.6): (1, 0) is as near as (2, 1), up to rounding, and
     * Cellpose takes (1, 0). Of a 2 x 2 square all are equally near; the first counts. */
    static const uint32_t el[] = {1, 0, 0, 1, 0, 0, 1, 1, 1};
    static const uint32_t square[] = {0, 0, 0, 0, 1, 1, 0, 1, 1};
    lp_label_info info[2];
    int cy, cx;

    (void)state;
    lp_relabel_info_ref(info, 1, el, 3, 3);
    lp_diffuse_centre(&cy, &cx, el, info, 1, 3);
    assert_int_equal(cy, 1);
    assert_int_equal(cx, 0);
    lp_relabel_info_ref(info, 1, square, 3, 3);
    lp_diffuse_centre(&cy, &cx, square, info, 1, 3);
    assert_int_equal(cy, 0);
    assert_int_equal(cx, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),         cmocka_unit_test(small_shapes),
        cmocka_unit_test(shapes),         cmocka_unit_test(denormal_flows),
        cmocka_unit_test(centre_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
