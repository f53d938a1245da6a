/* Whole runs of `segment` on the executor's runtime, two images at a time: a thousand images
 * without growth, memory for hardly more than one, a device that is lost on the way. Kernels are
 * left out (but for the one that tries the card), which would take a second per image. */
#include "../lp_test.h"
#include "../tmp_dir.h"
#include "simt_test.h"

#include "../cone_model.h"
#include "host/backend.h"
#include "host/segment_run.h"
#include "host/write_masks.h"

enum { SIDE = 16, MANY = 1000, MOST = MANY };

/* What there was on the device whenever an image was done. */
static struct {
    int done;
    size_t bytes[MOST], objects[MOST];
} seen;

static void on_done(void *user, const char *base)
{
    (void)user;
    (void)base;
    if (seen.done >= MOST) return;
    seen.bytes[seen.done] = simt_device_memory_used();
    seen.objects[seen.done++] = simt_device_objects();
}

static size_t most(const size_t *v, int from, int to)
{
    size_t m = 0;

    for (; from < to; from++)
        if (v[from] > m) m = v[from];
    return m;
}

/* n times the same image, of side x side pixels; returns the exit code. */
static int run(int n, int side, int threads, size_t cap, int lost_after)
{
    static const double d[] = {20, 40};
    char *dir = lp_tmp_dir(), *model = strdup(lp_tmp_path(dir, "cones.h5")),
         *image = strdup(lp_tmp_path(dir, "image.tif"));
    lp_run_options o = {.model = model,
                        .model_name = "cones",
                        .save_csv = 1,
                        .quiet = 1,
                        .no_summary = 1,
                        .on_done = on_done};
    lp_input *item = calloc((size_t)n, sizeof *item);
    float *img = malloc((size_t)side * side * sizeof *img);
    lp_labels grey = {malloc((size_t)side * side * 4), side, side};
    lp_inputs in = {.item = item, .n = n};
    lp_weights *w = cone_model();
    lp_err err;
    int i, code;

    assert_true(item && img && grey.data && w);
    cone_image(img, side, side, 3);
    for (i = 0; i < side * side; i++)
        grey.data[i] = side < 40 ? (uint32_t)(i * 7 % 50) : (uint32_t)img[i];
    assert_int_equal(lp_weights_save(w, model, 0, &err), LP_OK);
    assert_int_equal(lp_write_masks(image, &grey, 0, &err), LP_OK);
    for (i = 0; i < n; i++) {
        char name[32];

        snprintf(name, sizeof name, "r%d", i);
        item[i].path = image;
        item[i].base = strdup(lp_tmp_path(dir, name));
    }
    o.segment = lp_diameters_defaults();
    o.segment.bsize = 32;
    o.segment.niter = 3;
    o.diameters = d;
    o.n_diameters = 2;
    o.merge = lp_merge_defaults();
    o.session = (lp_session_options){
        .backend = "cuda", .precision = LP_PRECISION_FP32, .threads = threads, .gpu_memory = cap};
    memset(&seen, 0, sizeof seen);
    simt_skip_kernels(1);
    if (lost_after) simt_lose_device(lost_after);
    code = lp_segment_run(&in, &o);
    assert_true(simt_device_memory_used() == 0 && simt_device_objects() == 0);
    for (i = 0; i < n; i++) free(item[i].base);
    lp_weights_free(&w);
    free(grey.data);
    free(item);
    free(img);
    free(image);
    free(model);
    lp_tmp_remove(dir);
    return code;
}

/* Asks for the back end by itself, so that the linker takes the executor's. */
static int setup(void **state)
{
    const lp_backend *be;

    (void)state;
    simt_set_machine(NULL);
    return lp_backend_find("cuda", &be, NULL);
}

static void a_thousand(void **state)
{
    const size_t cap = (size_t)2 << 20;
    int first = MANY / 4, last = MANY - MANY / 4;

    (void)state;
    assert_int_equal(run(MANY, SIDE, 2, cap, 0), 0);
    assert_int_equal(seen.done, MANY);
    assert_true(simt_device_memory_peak() <= cap);
    /* What one image leaves for ever would be there 500 times. */
    assert_true(most(seen.objects, last, MANY) <= most(seen.objects, 0, first) + 50);
    assert_true(most(seen.bytes, last, MANY) <= most(seen.bytes, 0, first) + cap / 10);
}

static void little_memory(void **state)
{
    size_t one, two;

    (void)state;
    assert_int_equal(run(1, 64, 1, 0, 0), 0);
    one = simt_device_memory_peak();
    simt_set_machine(NULL);
    assert_int_equal(run(2, 64, 2, 0, 0), 0);
    two = simt_device_memory_peak();
    simt_set_machine(NULL);
    print_message("one image %zu KiB, two %zu KiB\n", one >> 10, two >> 10);
    assert_int_equal(run(6, 64, 2, one + (two > one ? (two - one) / 8 : 0), 0), 0);
    assert_int_equal(seen.done, 6);
}

static void lost(void **state)
{
    (void)state;
    /* Of about 2700 kernels; eight images are worked on at a time. */
    assert_int_equal(run(24, 32, 2, 0, 1350), 1);
    if (!(seen.done > 0 && seen.done < 24)) fail_msg("%d of 24 done", seen.done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(a_thousand, setup),
                                       cmocka_unit_test_setup(little_memory, setup),
                                       cmocka_unit_test_setup(lost, setup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
