/* From network output to masks: Cellpose's own results, the options, odd input. */
#include "host/masks.h"

#include <omp.h>

#include "lp_h5.h"
#include "lp_scene.h"

typedef struct {
    lp_labels lb;
    float *error;
    uint32_t n;
} result;

static result compute(const float *flows, const float *cellprob, int Ly, int Lx, int out_Ly,
                      int out_Lx, const lp_masks_options *o)
{
    result r;
    lp_err err = {0};
    uint32_t most = 0;
    size_t i;

    if (lp_masks_compute(flows, cellprob, Ly, Lx, out_Ly, out_Lx, o, &r.lb, &r.error, &r.n, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(r.lb.Ly, out_Ly);
    assert_int_equal(r.lb.Lx, out_Lx);
    for (i = 0; i < (size_t)out_Ly * out_Lx; i++)
        if (r.lb.data[i] > most) most = r.lb.data[i];
    assert_int_equal(most, r.n);
    return r;
}

static void result_free(result *r)
{
    lp_labels_free(&r->lb);
    free(r->error);
}

static void golden(void **state)
{
    LP_NEED_DATA(path, "golden/stages.h5");
    hsize_t dims[8], d2[8];
    float *flows = lp_h5_float(path, "dP", dims), *cellprob = lp_h5_float(path, "cellprob", d2);
    double *flow_error = lp_h5_double(path, "flow_error", d2);
    int Ly = (int)dims[1], Lx = (int)dims[2], k;
    static const char *const name[] = {"masks_filled", "masks_compute_masks"};
    lp_masks_options o = lp_masks_defaults();
    uint32_t l;
    size_t i;
    result r;

    (void)state;
    o.compat_cellpose3 = 1;
    for (k = 0; k < 2; k++) {
        uint32_t *want = lp_h5_u32(path, name[k], dims);

        r = compute(flows, cellprob, Ly, Lx, Ly, Lx, &o);
        for (i = 0; i < (size_t)Ly * Lx; i++) assert_int_equal(r.lb.data[i], want[i]);
        result_free(&r);
        free(want);
    }
    /* No mask fails this check, so the errors are those of the masks from seeds. */
    o.flow_threshold = 1e9;
    o.min_size = 0;
    r = compute(flows, cellprob, Ly, Lx, Ly, Lx, &o);
    assert_int_equal(r.n, d2[0]);
    for (l = 0; l < r.n; l++) LP_ASSERT_CLOSE(r.error[l], flow_error[l], 5e-7, 0);
    result_free(&r);
    free(flow_error);
    free(cellprob);
    free(flows);
}

/* Discs with flows of their own strength: the flow error of strength s is (1 - s)^2. */
typedef struct {
    double y, x, r;
    float strength;
} disc;

enum { SY = 120, SX = 180 };

static void scene(const disc *d, int n, float **flows, float **cellprob)
{
    uint32_t *labels = calloc(SY * SX, sizeof *labels);
    int k, i;

    assert_non_null(labels);
    for (k = 0; k < n; k++) lp_scene_disc(labels, SY, SX, (uint32_t)k + 1, d[k].y, d[k].x, d[k].r);
    lp_scene_network(labels, (uint32_t)n, SY, SX, flows, cellprob);
    for (i = 0; i < SY * SX; i++)
        if (labels[i]) {
            (*flows)[i] *= d[labels[i] - 1].strength;
            (*flows)[SY * SX + i] *= d[labels[i] - 1].strength;
        }
    free(labels);
}

static uint32_t at(const result *r, double y, double x)
{
    return r->lb.data[(size_t)y * (size_t)r->lb.Lx + (size_t)x];
}

/* In raster order: wrong flows; good; too small; good; at the edge. */
static const disc five[] = {{25, 20, 14, 0.2f},
                            {30, 70, 13, 0.9f},
                            {35, 110, 3, 1.0f},
                            {90, 60, 18, 0.7f},
                            {95, 172, 16, 1}};

static void errors_and_removal(void **state)
{
    lp_masks_options o = lp_masks_defaults();
    float *flows, *cellprob;
    double seconds[LP_MASKS_NSTAGES] = {0};
    result r;

    (void)state;
    scene(five, 5, &flows, &cellprob);
    o.min_size = 40;
    o.seconds = seconds;
    r = compute(flows, cellprob, SY, SX, SY, SX, &o);
    assert_int_equal(r.n, 3);
    assert_int_equal(at(&r, 25, 20), 0);  /* failed QC */
    assert_int_equal(at(&r, 35, 110), 0); /* too small, by its own size */
    assert_int_equal(at(&r, 30, 70), 1);
    assert_int_equal(at(&r, 90, 60), 2);
    assert_int_equal(at(&r, 95, 170), 3);
    LP_ASSERT_CLOSE(r.error[0], 0.01, 2e-3, 0);
    LP_ASSERT_CLOSE(r.error[1], 0.09, 2e-3, 0);
    LP_ASSERT_CLOSE(r.error[2], 0, 2e-3, 0);
    assert_true(seconds[LP_MASKS_FOLLOW] > 0 && seconds[LP_MASKS_DIFFUSE] > 0);
    result_free(&r);

    o.exclude_on_edges = 1;
    r = compute(flows, cellprob, SY, SX, SY, SX, &o);
    assert_int_equal(r.n, 2);
    assert_int_equal(at(&r, 90, 60), 2);
    assert_int_equal(at(&r, 95, 170), 0);
    LP_ASSERT_CLOSE(r.error[1], 0.09, 2e-3, 0);
    result_free(&r);

    o.exclude_on_edges = 0;
    o.flow_threshold = 0;
    o.min_size = -1;
    r = compute(flows, cellprob, SY, SX, SY, SX, &o);
    assert_int_equal(r.n, 5);
    assert_true(isnan(r.error[0]) && isnan(r.error[4]));
    result_free(&r);

    o.max_size_fraction = 0.03; /* 648 pixels: the discs of radius 18 and 16 (cut) differ */
    r = compute(flows, cellprob, SY, SX, SY, SX, &o);
    assert_int_equal(r.n, 4);
    assert_int_equal(at(&r, 90, 60), 0);
    result_free(&r);
    free(flows);
    free(cellprob);
}

/* Cellpose 3.1.1.3 takes the small third mask for the second one of those that are left
 * after QC, removes label 2 in its stead, and then the small one as well. */
static void compat_small_masks(void **state)
{
    lp_masks_options o = lp_masks_defaults();
    float *flows, *cellprob;
    result r;

    (void)state;
    scene(five, 3, &flows, &cellprob);
    o.min_size = 40;
    r = compute(flows, cellprob, SY, SX, SY, SX, &o);
    assert_int_equal(r.n, 1);
    assert_int_equal(at(&r, 30, 70), 1);
    result_free(&r);
    o.compat_cellpose3 = 1;
    r = compute(flows, cellprob, SY, SX, SY, SX, &o);
    assert_int_equal(r.n, 0);
    result_free(&r);
    free(flows);
    free(cellprob);
}

static void another_size(void **state)
{
    lp_masks_options o = lp_masks_defaults();
    float *flows, *cellprob;
    result a, b;
    int y, x;

    (void)state;
    scene(five, 5, &flows, &cellprob);
    o.min_size = 1;
    a = compute(flows, cellprob, SY, SX, SY, SX, &o);
    b = compute(flows, cellprob, SY, SX, 3 * SY, 2 * SX, &o);
    assert_int_equal(a.n, 4);
    assert_int_equal(b.n, 4);
    for (y = 0; y < 3 * SY; y++)
        for (x = 0; x < 2 * SX; x++) assert_int_equal(at(&b, y, x), at(&a, y / 3, x / 2));
    assert_memory_equal(a.error, b.error, 4 * sizeof *a.error);
    result_free(&b);
    b = compute(flows, cellprob, SY, SX, 1, 1, &o);
    assert_int_equal(b.n, 0);
    result_free(&b);
    result_free(&a);
    free(flows);
    free(cellprob);
}

static void any_number_of_threads(void **state)
{
    static const int count[] = {1, 2, 3, 5, 8};
    int before = omp_get_max_threads();
    lp_masks_options o = lp_masks_defaults();
    float *flows, *cellprob;
    result first, r;
    uint64_t seed = 17;
    size_t k;

    (void)state;
    scene(five, 5, &flows, &cellprob);
    for (k = 0; k < 2 * SY * SX; k++) flows[k] += lp_rand_float(&seed, -2, 2);
    for (k = 0; k < 5; k++) {
        omp_set_num_threads(count[k]);
        r = compute(flows, cellprob, SY, SX, SY, SX, &o);
        if (k == 0) {
            first = r;
            assert_true(r.n > 0);
            continue;
        }
        assert_int_equal(r.n, first.n);
        assert_memory_equal(r.lb.data, first.lb.data, SY * SX * sizeof(uint32_t));
        assert_memory_equal(r.error, first.error, r.n * sizeof(float));
        result_free(&r);
    }
    omp_set_num_threads(before);
    result_free(&first);
    free(flows);
    free(cellprob);
}

static void odd_input(void **state)
{
    static const int size[][2] = {{1, 1}, {1, 70}, {70, 1}, {7, 13}, {64, 64}};
    uint64_t seed = 23;
    size_t k, i;

    (void)state;
    for (k = 0; k < sizeof size / sizeof size[0]; k++) {
        int Ly = size[k][0], Lx = size[k][1], mode;
        size_t n = (size_t)Ly * Lx;
        float *flows = malloc(2 * n * sizeof *flows), *cellprob = malloc(n * sizeof *cellprob);
        float *copy = malloc(2 * n * sizeof *flows);

        assert_true(flows && cellprob && copy);
        for (mode = 0; mode < 12; mode++) {
            lp_masks_options o = lp_masks_defaults();
            result r;

            o.interp = mode % 2;
            o.compat_cellpose3 = mode / 6;
            o.max_size_fraction = 1;
            o.min_size = mode % 6 == 5 ? -1 : 1;
            o.flow_threshold = 1e9;
            for (i = 0; i < n; i++) cellprob[i] = 1;
            for (i = 0; i < 2 * n; i++) {
                flows[i] = lp_rand_float(&seed, -5, 5);
                if (mode % 6 == 0) /* everything to the middle: one mask, no background */
                    flows[i] = i < n ? (float)(Ly / 2) - (float)(i / (size_t)Lx)
                                     : (float)(Lx / 2) - (float)(i % (size_t)Lx);
                if (mode % 6 == 1) flows[i] = NAN;
                if (mode % 6 == 2 && i % 3 == 0) flows[i] = i % 2 ? -INFINITY : NAN;
                if (mode % 6 == 3) flows[i] = 3e38f;
            }
            if (mode % 6 == 4)
                for (i = 0; i < n; i++) cellprob[i] = i % 2 ? NAN : -INFINITY;
            memcpy(copy, flows, 2 * n * sizeof *flows);
            r = compute(flows, cellprob, Ly, Lx, Ly, Lx, &o);
            assert_memory_equal(copy, flows, 2 * n * sizeof *flows);
            if (mode % 6 == 4) assert_int_equal(r.n, 0);
            if (mode % 6 == 0 && mode < 6 && n >= 64 * 64) {
                assert_int_equal(r.n, 1);
                for (i = 0; i < n; i++) assert_int_equal(r.lb.data[i], 1);
            }
            result_free(&r);
        }
        free(copy);
        free(flows);
        free(cellprob);
    }
}

static void more_than_16_bits(void **state)
{
    enum { CELL = 4, NY = 257, NX = 256, Ly = CELL * NY, Lx = CELL * NX };
    size_t n = (size_t)Ly * Lx;
    float *flows = malloc(2 * n * sizeof *flows), *cellprob = malloc(n * sizeof *cellprob);
    lp_masks_options o = lp_masks_defaults();
    result r;
    int y, x;

    (void)state;
    assert_true(flows && cellprob);
    for (y = 0; y < Ly; y++)
        for (x = 0; x < Lx; x++) {
            size_t i = (size_t)y * Lx + x;

            flows[i] = 5.0f * (float)(1 - y % CELL);
            flows[n + i] = 5.0f * (float)(1 - x % CELL);
            cellprob[i] = 1;
        }
    o.niter = 1;
    o.flow_threshold = 1e9;
    r = compute(flows, cellprob, Ly, Lx, Ly, Lx, &o);
    assert_int_equal(r.n, NY * NX);
    for (y = 0; y < Ly; y++)
        for (x = 0; x < Lx; x++) assert_int_equal(at(&r, y, x), y / CELL * NX + x / CELL + 1);
    assert_false(isnan(r.error[NY * NX - 1]));
    result_free(&r);
    free(flows);
    free(cellprob);
}

static void refusals(void **state)
{
    float flows[2] = {0}, cellprob[1] = {0};
    lp_masks_options o = lp_masks_defaults();
    lp_labels lb = {(uint32_t *)flows, 5, 5};
    lp_err err;

    (void)state;
    o.niter = -1;
    assert_int_equal(lp_masks_compute(flows, cellprob, 1, 1, 1, 1, &o, &lb, NULL, NULL, &err),
                     LP_EARG);
    o = lp_masks_defaults();
    o.cellprob_threshold = NAN;
    assert_int_equal(lp_masks_compute(flows, cellprob, 1, 1, 1, 1, &o, &lb, NULL, NULL, &err),
                     LP_EARG);
    o = lp_masks_defaults();
    assert_int_equal(lp_masks_compute(flows, cellprob, 0, 1, 1, 1, &o, &lb, NULL, NULL, &err),
                     LP_EARG);
    assert_int_equal(lp_masks_compute(flows, cellprob, 1, 1, 1, 0, &o, &lb, NULL, NULL, &err),
                     LP_EARG);
    assert_ptr_equal(lb.data, flows); /* untouched */
    assert_int_equal(lp_masks_niter(30.0 / 51, 1), 340);
    assert_int_equal(lp_masks_niter(30.0 / 51, 0), 200);
    assert_int_equal(lp_masks_niter(0.7, 1), 285);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(errors_and_removal),
        cmocka_unit_test(compat_small_masks),
        cmocka_unit_test(another_size),
        cmocka_unit_test(any_number_of_threads),
        cmocka_unit_test(odd_input),
        cmocka_unit_test(more_than_16_bits),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
