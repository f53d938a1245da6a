/* From network output to masks on the device's kernels, against lp_masks_compute: the same bits. */
#include "masks_device.h"

#include "../lp_h5.h"
#include "../lp_scene.h"

/* Discs with flows of their own strength, and some noise. yf [3][Ly][Lx], freed by the caller. */
typedef struct {
    double y, x, r;
    float strength;
} disc;

static float *scene(const disc *d, int n, int Ly, int Lx, float noise)
{
    const size_t plane = (size_t)Ly * (size_t)Lx;
    uint32_t *labels = calloc(plane, sizeof *labels);
    float *flows, *cellprob, *yf = malloc(3 * plane * sizeof *yf);
    uint64_t seed = 17;
    size_t i;
    int k;

    assert_true(labels && yf);
    for (k = 0; k < n; k++) lp_scene_disc(labels, Ly, Lx, (uint32_t)k + 1, d[k].y, d[k].x, d[k].r);
    lp_scene_network(labels, (uint32_t)n, Ly, Lx, &flows, &cellprob);
    for (i = 0; i < plane; i++) {
        const float s = labels[i] ? d[labels[i] - 1].strength : 1;

        yf[i] = flows[i] * s + lp_rand_float(&seed, -noise, noise);
        yf[plane + i] = flows[plane + i] * s + lp_rand_float(&seed, -noise, noise);
        yf[2 * plane + i] = cellprob[i];
    }
    free(flows);
    free(cellprob);
    free(labels);
    return yf;
}

enum { SY = 120, SX = 180 };

/* In raster order: wrong flows; good; too small; good; at the edge; larger than a tile. */
static const disc six[] = {{25, 20, 14, 0.2f}, {30, 70, 13, 0.9f}, {35, 110, 3, 1.0f},
                           {90, 60, 18, 0.7f}, {95, 172, 16, 1},   {75, 118, 34, 1}};

/* The same with Cellpose's defects. */
static uint32_t same_compat(const float *yf, int Ly, int Lx, int out_Ly, int out_Lx,
                            const lp_masks_options *o)
{
    lp_masks_options c = *o;

    c.compat_cellpose3 = 1;
    return masks_device_same(yf, Ly, Lx, out_Ly, out_Lx, &c);
}

static void options(void **state)
{
    float *yf = scene(six, 6, SY, SX, 0);
    lp_masks_options o = lp_masks_defaults();
    double seconds[LP_MASKS_NSTAGES] = {0};

    (void)state;
    assert_int_equal(masks_device_same(yf, SY, SX, SY, SX, &o), 5);
    o.min_size = 40;
    o.seconds = seconds;
    assert_int_equal(masks_device_same(yf, SY, SX, SY, SX, &o), 4);
    assert_true(seconds[LP_MASKS_FOLLOW] > 0);
    o.seconds = NULL;
    o.exclude_on_edges = 1;
    assert_int_equal(masks_device_same(yf, SY, SX, SY, SX, &o), 3);
    o.exclude_on_edges = 0;
    o.flow_threshold = 0;
    o.min_size = -1;
    assert_int_equal(masks_device_same(yf, SY, SX, SY, SX, &o), 6);
    o.max_size_fraction = 0.03;
    assert_int_equal(masks_device_same(yf, SY, SX, SY, SX, &o), 4);
    o.interp = 0;
    masks_device_same(yf, SY, SX, SY, SX, &o);
    free(yf);
}

static void another_size(void **state)
{
    static const int size[][2] = {{150, 290}, {61, 77}, {1, 1}};
    float *yf = scene(six, 6, SY, SX, 0);
    lp_masks_options o = lp_masks_defaults();
    size_t k;

    (void)state;
    o.min_size = 1;
    for (k = 0; k < sizeof size / sizeof *size; k++) {
        masks_device_same(yf, SY, SX, size[k][0], size[k][1], &o);
        same_compat(yf, SY, SX, size[k][0], size[k][1], &o);
    }
    free(yf);
}

/* Noise: scattered masks with holes, and boxes that overlap. */
static void noise(void **state)
{
    lp_masks_options o = lp_masks_defaults();
    int k;

    (void)state;
    o.flow_threshold = 1e9;
    for (k = 0; k < 3; k++) {
        float *yf = scene(six, 6, SY, SX, 3.0f * (float)(k + 1));

        o.niter = 20 << k;
        o.min_size = 4 * k;
        if (k == 1) SIMT_SEEDS(s) masks_device_same(yf, SY, SX, SY, SX, &o);
        assert_true(masks_device_same(yf, SY, SX, SY, SX, &o) > 5);
        same_compat(yf, SY, SX, SY, SX, &o);
        free(yf);
    }
}

/* Whether the defects show. */
static int compat_matters(const float *yf, const lp_masks_options *o)
{
    const float *cellprob = yf + 2 * SY * SX;
    lp_masks_options c = *o;
    lp_labels a, b;
    lp_err err;
    int differ;

    c.compat_cellpose3 = 1;
    assert_int_equal(lp_masks_compute(yf, cellprob, SY, SX, SY, SX, o, &a, NULL, NULL, &err), 0);
    assert_int_equal(lp_masks_compute(yf, cellprob, SY, SX, SY, SX, &c, &b, NULL, NULL, &err), 0);
    differ = memcmp(a.data, b.data, SY * SX * sizeof *a.data) != 0;
    lp_labels_free(&a);
    lp_labels_free(&b);
    return differ;
}

/* Gaps that QC leaves, small masks, holes over other masks, numbers with gaps: each matters. */
static void compat(void **state)
{
    static const struct {
        float noise;
        double flow_threshold;
        int min_size, exclude_on_edges;
    } c[] = {{0, 0.4, 39, 0}, {3, 1, 19, 1}, {4, 8, -1, 0}, {4, 2, -1, 1}, {6, 4, 39, 1}};
    lp_masks_options o = lp_masks_defaults();
    size_t k;

    (void)state;
    o.niter = 40;
    for (k = 0; k < sizeof c / sizeof *c; k++) {
        float *yf = scene(six, 6, SY, SX, c[k].noise);

        o.min_size = c[k].min_size;
        o.flow_threshold = c[k].flow_threshold;
        assert_true(compat_matters(yf, &o));
        o.exclude_on_edges = c[k].exclude_on_edges;
        same_compat(yf, SY, SX, SY, k % 3 == 2 ? SX + 31 : SX, &o);
        free(yf);
    }
}

/* Part of a real network output. */
static void golden(void **state)
{
    LP_NEED_DATA(path, "golden/stages.h5");
    enum { AT = 40, CY = 130, CX = 150, N = CY * CX };
    hsize_t dims[8], d2[8];
    float *flows = lp_h5_float(path, "dP", dims), *cellprob = lp_h5_float(path, "cellprob", d2);
    const size_t Ly = (size_t)dims[1], Lx = (size_t)dims[2];
    float *yf = malloc(3 * N * sizeof *yf);
    lp_masks_options o = lp_masks_defaults();
    size_t y, x;

    (void)state;
    assert_non_null(yf);
    assert_true(Ly >= AT + CY && Lx >= AT + CX);
    for (y = 0; y < CY; y++)
        for (x = 0; x < CX; x++) {
            const size_t from = (y + AT) * Lx + x + AT, to = y * CX + x;

            yf[to] = flows[from];
            yf[N + to] = flows[Ly * Lx + from];
            yf[2 * N + to] = cellprob[from];
        }
    assert_true(masks_device_same(yf, CY, CX, CY, CX, &o) > 3);
    assert_true(masks_device_same(yf, CY, CX, 83, 97, &o) > 3);
    assert_true(same_compat(yf, CY, CX, CY, CX, &o) > 3);
    free(yf);
    free(cellprob);
    free(flows);
}

/* More masks than a block of any scan or sort has elements; one step. */
static void many(void **state)
{
    enum { CELL = 4, NY = 60, NX = 70, LY = CELL * NY, LX = CELL * NX, N = LY * LX };
    float *yf = malloc(3 * N * sizeof *yf);
    lp_masks_options o = lp_masks_defaults();
    int y, x;

    (void)state;
    assert_non_null(yf);
    for (y = 0; y < LY; y++)
        for (x = 0; x < LX; x++) {
            yf[y * LX + x] = 5.0f * (float)(1 - y % CELL);
            yf[N + y * LX + x] = 5.0f * (float)(1 - x % CELL);
            yf[2 * N + y * LX + x] = 1;
        }
    o.niter = 1;
    o.flow_threshold = 1e9;
    assert_int_equal(masks_device_same(yf, LY, LX, LY, LX, &o), NY * NX);
    assert_int_equal(same_compat(yf, LY, LX, LY, LX, &o), NY * NX);
    free(yf);
}

static void odd_input(void **state)
{
    static const int size[][2] = {{1, 1}, {1, 70}, {70, 1}, {7, 13}, {45, 41}};
    uint64_t seed = 23;
    size_t k, i;

    (void)state;
    for (k = 0; k < sizeof size / sizeof size[0]; k++) {
        const int Ly = size[k][0], Lx = size[k][1];
        const size_t n = (size_t)Ly * (size_t)Lx;
        float *yf = malloc(3 * n * sizeof *yf);
        int mode;

        assert_non_null(yf);
        for (mode = 0; mode < 6; mode++) {
            lp_masks_options o = lp_masks_defaults();

            o.interp = mode % 2;
            o.max_size_fraction = 1;
            o.min_size = mode == 5 ? -1 : 1;
            o.flow_threshold = 1e9;
            for (i = 0; i < n; i++) yf[2 * n + i] = 1;
            for (i = 0; i < 2 * n; i++) {
                yf[i] = lp_rand_float(&seed, -5, 5);
                if (mode == 0) /* everything to the middle: one mask, no background */
                    yf[i] = i < n ? (float)(Ly / 2) - (float)(i / (size_t)Lx)
                                  : (float)(Lx / 2) - (float)(i % (size_t)Lx);
                if (mode == 1) yf[i] = NAN;
                if (mode == 2 && i % 3 == 0) yf[i] = i % 2 ? -INFINITY : NAN;
                if (mode == 3) yf[i] = 3e38f;
            }
            if (mode == 4)
                for (i = 0; i < n; i++) yf[2 * n + i] = i % 2 ? NAN : -INFINITY;
            masks_device_same(yf, Ly, Lx, Ly, Lx, &o);
            same_compat(yf, Ly, Lx, Ly, Lx, &o);
        }
        free(yf);
    }
}

static void refusals(void **state)
{
    float yf[3] = {0};
    lp_masks_options o = lp_masks_defaults();
    lp_masks_tables t = {0};
    uint32_t label = 7;
    host_mem_state none = {.fail_at = 1};
    lp_device_mem mem = host_mem(&none);
    lp_err err;

    (void)state;
    o.niter = -1;
    assert_int_equal(lp_masks_cuda(&mem, yf, 1, 1, 1, 1, &o, &label, &t, NULL, &err), LP_EARG);
    o = lp_masks_defaults();
    assert_int_equal(lp_masks_cuda(&mem, yf, 1, 1, 1, 0, &o, &label, &t, NULL, &err), LP_EARG);
    assert_int_equal(label, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),       cmocka_unit_test(many),   cmocka_unit_test(options),
        cmocka_unit_test(another_size), cmocka_unit_test(noise),  cmocka_unit_test(odd_input),
        cmocka_unit_test(refusals),     cmocka_unit_test(compat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
