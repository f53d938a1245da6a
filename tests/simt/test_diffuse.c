/* lp_diffuse_cuda and lp_flow_error_cuda against their twins: the same bits. */
#include "kernels/diffuse.h"

#include "../lp_scene.h"
#include "kernels/flow_error.h"
#include "simt_test.h"

static void same(const uint32_t *labels, uint32_t n, int Ly, int Lx, lp_diffuse_plan *plan)
{
    const size_t plane = (size_t)Ly * (size_t)Lx, m = n + (size_t)1;
    const size_t bytes = lp_diffuse_scratch_cuda(n, Ly, Lx);
    float *mu = lp_guard_new(2 * plane), *scratch = lp_guard_new((bytes + 3) / 4), *want, *flows;
    float *err = lp_guard_new(2 * m);
    lp_label_info *info = malloc(m * sizeof *info);
    double *want_err = malloc(m * sizeof *want_err);
    uint64_t seed = 4;
    void *ref;
    size_t i;

    assert_true(info && want_err);
    lp_relabel_info_ref(info, n, labels, Ly, Lx);
    ref = malloc(lp_diffuse_scratch(info, n, 1) + 1);
    want = malloc(2 * plane * sizeof *want);
    flows = malloc(2 * plane * sizeof *flows);
    assert_true(ref && want && flows);
    lp_diffuse_ref(want, labels, info, n, Ly, Lx, 1, ref);
    assert_int_equal(lp_diffuse_plan_cuda(plan, mu, labels, info, n, Ly, Lx, scratch, NULL), 0);
    assert_int_equal(lp_diffuse_cuda(mu, labels, info, n, Ly, Lx, plan, scratch, NULL), 0);
    for (i = 0; i < 2 * plane; i++)
        if (memcmp(mu + i, want + i, sizeof *mu))
            fail_msg("label %u, pixel %zu of %d x %d: %.9g, expected %.9g", labels[i % plane],
                     i % plane, Ly, Lx, mu[i], want[i]);
    for (i = 0; i < 2 * plane; i++)
        flows[i] = i % 50 ? 5 * want[i] + lp_rand_float(&seed, -2, 2) : i % 100 ? NAN : -INFINITY;
    lp_flow_error_ref(want_err, want, flows, labels, info, n, Ly, Lx);
    assert_int_equal(
        lp_flow_error_cuda((double *)err, want, flows, labels, info, n, Ly, Lx, scratch, NULL), 0);
    for (i = 0; i < m; i++)
        if (!(isnan(want_err[i]) && isnan(((double *)err)[i])))
            assert_memory_equal((double *)err + i, want_err + i, sizeof *want_err);
    lp_guard_check(mu, 2 * plane);
    lp_guard_check(err, 2 * m);
    lp_guard_check(scratch, (bytes + 3) / 4);
    lp_guard_free(mu);
    lp_guard_free(err);
    lp_guard_free(scratch);
    free(ref);
    free(want);
    free(flows);
    free(info);
    free(want_err);
}

static void rectangle(uint32_t *labels, int Lx, uint32_t l, int y0, int x0, int h, int w)
{
    int y, x;

    for (y = y0; y < y0 + h; y++)
        for (x = x0; x < x0 + w; x++) labels[(size_t)y * (size_t)Lx + (size_t)x] = l;
}

/* Boxes just below and above what each kernel takes. */
static void sizes(void **state)
{
    static const int box[][2] = {{1, 1},   {1, 2},   {1, 31},  {32, 1},  {32, 32}, {33, 20},
                                 {20, 33}, {48, 48}, {49, 5},  {64, 64}, {5, 64},  {65, 3},
                                 {3, 65},  {65, 65}, {97, 50}, {1, 150}, {150, 1}};
    static const uint32_t count[LP_DIFFUSE_SIZES + 1] = {5, 3, 3, 6};
    uint32_t got[LP_DIFFUSE_SIZES + 1] = {0};
    size_t k, i;

    (void)state;
    for (k = 0; k < sizeof box / sizeof *box; k++) {
        const int Ly = box[k][0] + (int)k % 3, Lx = box[k][1] + (int)k % 2;
        uint32_t *labels = calloc((size_t)Ly * (size_t)Lx, sizeof *labels);
        lp_diffuse_plan plan;

        assert_non_null(labels);
        rectangle(labels, Lx, 2, (int)k % 3, 0, box[k][0], box[k][1]);
        same(labels, 3, Ly, Lx, &plan);
        for (i = 0; i <= LP_DIFFUSE_SIZES; i++) got[i] += plan.masks[i];
        free(labels);
    }
    assert_memory_equal(got, count, sizeof got);
}

/* Masks side by side, in each other's boxes, in parts, with their centre of mass outside. */
static void together(void **state)
{
    enum { LY = 170, LX = 190 };
    uint32_t *labels = calloc(LY * LX, sizeof *labels), l = 1;
    uint64_t seed = 6;
    lp_diffuse_plan plan;
    int k;

    (void)state;
    assert_non_null(labels);
    rectangle(labels, LX, l, 3, 5, 120, 100); /* a frame with others inside */
    rectangle(labels, LX, 0, 13, 15, 100, 80);
    rectangle(labels, LX, ++l, 20, 20, 70, 30);
    lp_scene_disc(labels, LY, LX, ++l, 60, 75, 18);
    rectangle(labels, LX, ++l, 5, 110, 9, 75); /* a hook */
    rectangle(labels, LX, l, 5, 176, 90, 9);
    lp_scene_disc(labels, LY, LX, ++l, 60, 140, 33);
    for (k = 0, l++; k < 14; k++) /* in parts */
        labels[(size_t)(130 + lp_rand(&seed) % 40) * LX + lp_rand(&seed) % LX] = l;
    for (k = 0; k < 8; k++)
        lp_scene_disc(labels, LY, LX, ++l, 150, 10 + 23 * k, 4 + lp_rand(&seed) % 9);
    SIMT_SEEDS(s) same(labels, l + 2, LY, LX, &plan);
    assert_true(plan.masks[LP_DIFFUSE_SIZES] >= 4 && plan.items > plan.masks[LP_DIFFUSE_SIZES]);
    free(labels);
}

/* Rows enough for more bands than one block takes at a time. */
static void tall(void **state)
{
    enum { LY = 600, LX = 9 };
    uint32_t *labels = calloc(LY * LX, sizeof *labels);
    lp_diffuse_plan plan;

    (void)state;
    assert_non_null(labels);
    rectangle(labels, LX, 1, 2, 1, 590, 4);
    rectangle(labels, LX, 2, 10, 5, 256, 2);
    rectangle(labels, LX, 3, 300, 6, 224, 2);
    same(labels, 3, LY, LX, &plan);
    free(labels);
}

static void nothing(void **state)
{
    uint32_t labels[12] = {0};
    lp_diffuse_plan plan;

    (void)state;
    same(labels, 0, 3, 4, &plan);
    same(labels, 5, 4, 3, &plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(together),
                                       cmocka_unit_test(tall), cmocka_unit_test(nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
