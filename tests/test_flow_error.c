/* Flow errors per mask. */
#include "kernels/flow_error.h"
#include "lp_h5.h"
#include "lp_scene.h"

static void golden(void **state)
{
    LP_NEED_DATA(path, "golden/stages.h5");
    hsize_t dims[8], d2[8];
    uint32_t *labels = lp_h5_u32(path, "masks_from_seeds", dims), l, n;
    float *flows = lp_h5_float(path, "dP", d2), *mu;
    double *want = lp_h5_double(path, "flow_error", d2), *got;
    int Ly = (int)dims[0], Lx = (int)dims[1];
    lp_label_info *info;
    void *scratch;

    (void)state;
    n = (uint32_t)d2[0];
    info = malloc((n + (size_t)1) * sizeof *info);
    got = malloc((n + (size_t)1) * sizeof *got);
    mu = malloc(2 * (size_t)Ly * Lx * sizeof *mu);
    assert_true(info && got && mu);
    lp_relabel_info_ref(info, n, labels, Ly, Lx);
    scratch = malloc(lp_diffuse_scratch(info, n, 2));
    assert_non_null(scratch);
    lp_diffuse_cpu(mu, labels, info, n, Ly, Lx, 2, scratch);
    lp_flow_error_ref(got, mu, flows, labels, info, n, Ly, Lx);
    assert_true(isnan(got[0]));
    /* mu is float32 here and float64 there: 6e-8 per component. */
    for (l = 1; l <= n; l++) LP_ASSERT_CLOSE(got[l], want[l - 1], 5e-7, 0);
    free(scratch);
    free(mu);
    free(got);
    free(info);
    free(want);
    free(flows);
    free(labels);
}

static void by_hand(void **state)
{
    static const uint32_t labels[] = {1, 1, 0, 3};
    static const float mu[] = {1, 0, 9, 0.5f, 0, 1, 9, -1};
    static const float flows[] = {5, 5, 7, NAN, 0, 0, 7, -INFINITY};
    lp_label_info info[4];
    double err[4];

    (void)state;
    lp_relabel_info_ref(info, 3, labels, 1, 4);
    lp_flow_error_ref(err, mu, flows, labels, info, 3, 1, 4);
    LP_ASSERT_CLOSE(err[1], 0.5 + 0.5, 1e-12, 0);
    assert_true(isnan(err[2])); /* absent */
    LP_ASSERT_CLOSE(err[3], 0.25 + 1, 1e-12, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
