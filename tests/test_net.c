/* test_net - a whole image through normalisation, tiles and network against what Cellpose
 * gave (golden/network.h5), and the stages' own limits (host/net.h). */
#include "lp_h5.h"
#include "lp_test.h"
#include "tmp_dir.h"

#include "host/lipopose.h"
#include "host/read.h"
#include "weights/npy.h"
#include "weights/weights.h"

static lp_session *open_at(const char *model, lp_precision p)
{
    lp_session_options o = {.backend = "cpu", .precision = p, .threads = 2};
    lp_session *s = NULL;
    lp_err err = {LP_OK, ""};

    if (lp_session_open(model, &o, &s, &err)) fail_msg("%s", err.msg);
    return s;
}

/* Largest |a - b| relative to the largest |b|; NaN counts as infinite. */
static double distance(const float *a, const float *b, size_t n)
{
    double top = 0, worst = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);

        top = fmax(top, fabs(b[i]));
        if (isnan(d)) d = INFINITY;
        worst = fmax(worst, d);
    }
    return worst / top;
}

/* float32 bound: the parity contract, 1e-4 of the largest value. */
static void image_is_cellpose(const char *golden, const char *model, const char *name, int diameter)
{
    char path[128], key[64];
    const char *file;
    lp_session *s = open_at(model, LP_PRECISION_FP32);
    lp_segment_options o = lp_segment_defaults();
    lp_image im = {0};
    lp_result r;
    lp_err err = {LP_OK, ""};
    hsize_t d[8];
    float *ref;
    size_t n;

    snprintf(path, sizeof path, "emps/images/%s.png", name);
    file = lp_test_data(path);
    assert_non_null(file);
    o.diameter = diameter;
    o.flows = 1;
    if (lp_read_image(file, 0, &im, &err)) fail_msg("%s", err.msg);
    if (lp_segment(s, im.data, im.nchan, im.Ly, im.Lx, &o, &r, &err)) fail_msg("%s", err.msg);

    snprintf(key, sizeof key, "%s_d%d/flows", name, diameter);
    ref = lp_h5_float(golden, key, d);
    assert_true((int)d[1] == r.net_Ly && (int)d[2] == r.net_Lx);
    n = (size_t)r.net_Ly * r.net_Lx;
    print_message("%s flows: %.2g of the largest\n", name, distance(r.flows, ref, 2 * n));
    assert_true(distance(r.flows, ref, 2 * n) <= 1e-4);
    free(ref);
    snprintf(key, sizeof key, "%s_d%d/cellprob", name, diameter);
    ref = lp_h5_float(golden, key, d);
    print_message("%s cellprob: %.2g\n", name, distance(r.cellprob, ref, n));
    assert_true(distance(r.cellprob, ref, n) <= 1e-4);
    free(ref);
    snprintf(key, sizeof key, "%s_d%d/style", name, diameter);
    ref = lp_h5_float(golden, key, d);
    assert_int_equal(d[0], r.style_length);
    print_message("%s style: %.2g\n", name, distance(r.style, ref, d[0]));
    assert_true(distance(r.style, ref, d[0]) <= 1e-4);
    free(ref);
    lp_result_free(&r);
    lp_image_free(&im);
    lp_session_close(&s);
}

#define IMAGE(function, name, diameter)                                                            \
    static void function(void **state)                                                             \
    {                                                                                              \
        LP_NEED_DATA(golden, "golden/network.h5")                                                  \
        LP_NEED_DATA(model, "checkpoints/cp3_emps.pth")                                            \
        (void)state;                                                                               \
        image_is_cellpose(golden, model, name, diameter);                                          \
    }

IMAGE(round_particles, "0a30487a4e", 51)
IMAGE(small_particles, "5fc8c5b53c", 34)
IMAGE(large_particles, "a1315df346", 76)

/* The size model: both diameters of golden/size.csv. */
static void size_model(void **state)
{
    LP_NEED_DATA(csv, "golden/size.csv")
    LP_NEED_DATA(model, "checkpoints/cp3_emps.pth")
    LP_NEED_DATA(npy, "checkpoints/cp3_emps_size.npy")
    char *dir = lp_tmp_dir(), line[256], name[64], path[128];
    lp_weights *w = NULL;
    lp_session *s;
    FILE *f = fopen(csv, "r");
    double d1, d2;
    const char *with = lp_tmp_path(dir, "size.h5");
    int n = 0;
    lp_err err = {LP_OK, ""};

    (void)state;
    assert_non_null(f);
    if (lp_weights_open(model, &w, &err) || lp_weights_import_size(npy, w, &err) ||
        lp_weights_save(w, with, 0, &err))
        fail_msg("%s", err.msg);
    lp_weights_free(&w);
    s = open_at(with, LP_PRECISION_FP32);
    lp_tmp_remove(dir);
    assert_true(lp_session_has_size_model(s));
    while (fgets(line, sizeof line, f)) {
        lp_segment_options o = lp_segment_defaults();
        lp_image im = {0};
        lp_result r;
        const char *file;

        if (sscanf(line, "%63[0-9a-f],%lf,%lf", name, &d1, &d2) != 3) continue;
        if (n++ >= 2 && !getenv("LIPOPOSE_SLOW")) continue;
        snprintf(path, sizeof path, "emps/images/%s.png", name);
        file = lp_test_data(path);
        assert_non_null(file);
        o.diameter = 0;
        o.compat_cellpose3 = 1;
        if (lp_read_image(file, 0, &im, &err)) fail_msg("%s", err.msg);
        if (lp_segment(s, im.data, im.nchan, im.Ly, im.Lx, &o, &r, &err)) fail_msg("%s", err.msg);
        print_message("%s: %.6f %.6f, Cellpose %.6f %.6f\n", name, r.diameter_style, r.diameter, d1,
                      d2);
        LP_ASSERT_CLOSE(r.diameter_style, d1, 0, 1e-3);
        LP_ASSERT_CLOSE(r.diameter, d2, 0, 1e-3);
        lp_result_free(&r);
        lp_image_free(&im);
    }
    assert_true(n >= 4);
    fclose(f);
    lp_session_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_particles),
        cmocka_unit_test(small_particles),
        cmocka_unit_test(large_particles),
        cmocka_unit_test(size_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
