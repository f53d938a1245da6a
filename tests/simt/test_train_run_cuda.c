/* `train` from folder to model on a GPU (the executor's, with fake_cudnn.c): the same bytes twice,
 * and after the device was lost and the run gone on with. */
#include "../lp_test.h"
#include "../tmp_dir.h"
#include "fake_cudnn.h"

#include "host/train_options.h"
#include "host/write_masks.h"

enum { SIDE = 40, IMAGES = 3 };

static lp_err err;

static void put(const char *dir, const char *name, const uint32_t *v)
{
    const lp_labels l = {(uint32_t *)(size_t)v, SIDE, SIDE};

    assert_int_equal(lp_write_masks(lp_tmp_path(dir, name), &l, 0, &err), LP_OK);
}

/* Discs in noise, and their labels. */
static void make_images(const char *dir)
{
    static uint32_t image[SIDE * SIDE], labels[SIDE * SIDE];
    unsigned r = 3;
    int i, k;

    for (i = 0; i < IMAGES; i++) {
        char name[40];

        for (k = 0; k < SIDE * SIDE; k++) {
            int y = k / SIDE % 20 - 10, x = k % SIDE % 20 - 9, in = y * y + x * x < 40 + 9 * i;

            r = r * 1664525u + 1013904223u;
            labels[k] = in ? (uint32_t)(k / SIDE / 20 * 2 + k % SIDE / 20 + 1) : 0;
            image[k] = (in ? 90 : 20) + (r >> 27);
        }
        snprintf(name, sizeof name, "i%d.tif", i);
        put(dir, name, image);
        snprintf(name, sizeof name, "i%d_masks.tif", i);
        put(dir, name, labels);
    }
}

static lp_train_options options(const char *dir, const char *out)
{
    lp_train_options o = lp_train_options_defaults();

    o.dir = dir;
    o.out = out;
    o.model = "none";
    o.n_epochs = 5;
    o.batch_size = 2;
    o.bsize = 16;
    o.save_every = 1;
    o.data.min_train_masks = 1;
    o.data.memory = 1e9;
    o.quiet = 1;
    o.threads = 1;
    assert_int_equal(lp_train_options_check(&o, "2,8,16", 1, &err), LP_OK);
    o.learning_rate = 0.01;
    assert_int_equal(lp_train_options_place(&o, "cuda", "auto", 0, &err), LP_OK);
    assert_true(o.bf16 && o.be == &lp_train_cuda);
    return o;
}

static lp_status train(const lp_train_options *o)
{
    int signal = 0;
    lp_status st = lp_train_run(o, &signal, &err);

    assert_int_equal(simt_device_memory_used(), 0);
    return st;
}

static void test_lost_and_resumed(void **state)
{
    char *dir = lp_tmp_dir(), *a = strdup(lp_tmp_path(dir, "a.h5")),
         *b = strdup(lp_tmp_path(dir, "b.h5")), *bytes[2];
    lp_train_options o = options(dir, a);
    size_t clock[2], n[2];

    (void)state;
    make_images(dir);
    simt_clock(&clock[0]);
    if (train(&o)) fail_msg("%s", err.msg);
    simt_clock(&clock[1]);
    o.out = b;
    simt_set_seed(7);
    simt_lose_device((long)((clock[1] - clock[0]) * 7 / 10)); /* in the fourth epoch */
    assert_int_equal(train(&o), LP_EIO);
    assert_null(strchr(err.msg, '\n'));
    assert_int_equal(access(lp_tmp_path(dir, "b.h5.state"), F_OK), 0);
    simt_set_machine(NULL);
    assert_int_equal(train(&o), LP_EIO); /* --resume or --overwrite? */
    assert_non_null(strstr(err.msg, "--resume"));
    o.resume = 1;
    o.be = &lp_train_cpu; /* that would be another run */
    o.bf16 = 0;
    assert_int_equal(train(&o), LP_EARG);
    o.be = &lp_train_cuda;
    o.bf16 = 1;
    if (train(&o)) fail_msg("%s", err.msg);
    bytes[0] = lp_tmp_read(a, &n[0]);
    bytes[1] = lp_tmp_read(b, &n[1]);
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(bytes[0], bytes[1], n[0]);
    free(bytes[0]);
    free(bytes[1]);
    free(a);
    free(b);
    lp_tmp_remove(dir);
}

static void test_options(void **state)
{
    lp_train_options o = lp_train_options_defaults();
    const lp_train_backend *be;

    (void)state;
    fake_cudnn_needed();
    /* Asked for here, it is the executor's build of it that is linked. */
    assert_int_equal(lp_train_backend_find("cuda", 0, &be, &err), LP_OK);
    assert_int_equal(lp_train_options_place(&o, "cuda", "fp16", 0, &err), LP_EARG);
    assert_int_equal(lp_train_options_place(&o, "cuda", "fp32", -1, &err), LP_EARG);
    assert_int_equal(lp_train_options_place(&o, "gpu", "fp32", 0, &err), LP_EARG);
    o.gpu_device = -1;
    assert_int_equal(lp_train_options_place(&o, "cuda", "fp32", 0, &err), LP_EARG);
    o.gpu_device = 99;
    assert_int_equal(lp_train_options_place(&o, "cuda", "fp32", 0, &err), LP_EMISSING);
    o.gpu_device = 0;
    assert_int_equal(lp_train_options_place(&o, "auto", "fp32", 2, &err), LP_OK);
    assert_true(!o.bf16 && o.be == &lp_train_cuda && o.gpu_memory == (size_t)2 << 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_and_resumed),
        cmocka_unit_test(test_options),
    };

    return cmocka_run_group_tests(tests, fake_cudnn_load, NULL);
}
