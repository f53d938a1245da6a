/* What several users of one card do to each other, on the executor's runtime: memory that is short
 * for a while or for good, what the pool keeps, a device that is lost. */
#include <cuda_runtime_api.h>
#include <pthread.h>

#include "../lp_test.h"
#include "../lp_scene.h"
#include "../tmp_dir.h"
#include "simt_test.h"

#include "../cone_model.h"
#include "host/device_cuda.h"
#include "host/error_cuda.h"
#include "host/masks_cuda.h"

#define MIB ((size_t)1 << 20)

static const lp_backend *cuda = &lp_backend_cuda;

static int setup(void **state)
{
    (void)state;
    simt_set_machine(NULL);
    return 0;
}

static lp_device *new_device(size_t cap)
{
    lp_device *dev = NULL;
    lp_err err;

    if (cuda->open(&(lp_backend_options){.gpu_memory = cap}, &dev, &err)) fail_msg("%s", err.msg);
    return dev;
}

static lp_buf *new_buf(lp_device *dev, size_t bytes)
{
    lp_buf *b = NULL;
    lp_err err;

    if (cuda->buf_new(dev, bytes, &b, &err)) fail_msg("%s", err.msg);
    return b;
}

/* What the pool keeps is ours to use, and counts for the cap. */
static void pool(void **state)
{
    const simt_machine m = {1, 13000, 90, 100 * MIB, -1};
    lp_device *dev;
    void *d = NULL;
    lp_buf *b;
    lp_err err;

    (void)state;
    simt_set_machine(&m);
    dev = new_device(0);
    b = new_buf(dev, 60 * MIB);
    cuda->buf_free(dev, &b);
    assert_true(simt_device_memory_used() == 60 * MIB); /* kept */
    assert_true(lp_card_left(dev->card) == 100 * MIB);
    cuda->close(&dev);
    assert_true(simt_device_memory_used() == 0);

    simt_set_machine(&m);
    dev = new_device(64 * MIB);
    b = new_buf(dev, 50 * MIB);
    assert_true(lp_card_left(dev->card) == 14 * MIB);
    cuda->buf_free(dev, &b);
    assert_true(lp_card_left(dev->card) == 64 * MIB);
    assert_int_equal(lp_card_alloc(dev->card, 40 * MIB, NULL, &d, &err), LP_OK);
    assert_true(lp_card_left(dev->card) == 24 * MIB);
    assert_int_equal(cuda->buf_new(dev, 25 * MIB, &b, &err), LP_ENOMEM);
    assert_non_null(strstr(err.msg, "1.0 MiB more than the 64.0 MiB of --gpu_memory"));
    b = new_buf(dev, 23 * MIB);
    cuda->buf_free(dev, &b);
    lp_card_free(dev->card, d, 40 * MIB, NULL);
    assert_true(simt_device_memory_peak() <= 64 * MIB);
    cuda->close(&dev);
    assert_true(simt_device_memory_used() == 0);
}

enum { SIDE = 200, THREADS = 3 };

typedef struct {
    lp_device *dev;
    lp_buf *yf;
    lp_masks_options o;
    lp_status st;
    lp_labels masks;
    uint32_t n;
    lp_err err;
} lane;

static void *masks(void *arg)
{
    lane *l = arg;

    const lp_masks_input in = {l->yf, SIDE, SIDE, SIDE, SIDE, 30, &l->o};

    l->st = cuda->masks(l->dev, &in, &l->masks, NULL, &l->n, NULL, &l->err);
    return NULL;
}

/* Memory for the masks of one thread at a time; then not even for that. */
static void masks_wait(void **state)
{
    const size_t n = SIDE * SIDE, bytes = 3 * n * sizeof(float),
                 lane_bytes = lp_masks_cuda_scratch(SIDE, SIDE, SIDE, SIDE, 0) + 4 * n;
    float *yf = malloc(bytes);
    lane l[THREADS];
    pthread_t t[THREADS];
    lp_masks_options o = lp_masks_defaults();
    size_t cap = (THREADS * bytes + lane_bytes + 2 * MIB - 1) / (2 * MIB) * (2 * MIB), i;
    lp_labels want = {0};
    lp_device *dev;
    uint32_t found;
    lp_err err;
    int k;

    (void)state;
    simt_only("a pool that grows by little");
    assert_non_null(yf);
    assert_true(THREADS * bytes + 2 * lane_bytes > cap);
    for (i = 0; i < n; i++) {
        yf[i] = 5.0f * (float)(10 - (int)(i / SIDE) % 20);
        yf[n + i] = 5.0f * (float)(10 - (int)(i % SIDE) % 20);
        yf[2 * n + i] = 1;
    }
    o.niter = 1;
    o.flow_threshold = 0;
    assert_int_equal(
        lp_masks_compute(yf, yf + 2 * n, SIDE, SIDE, SIDE, SIDE, &o, &want, NULL, &found, &err),
        LP_OK);
    assert_true(found > 50);
    dev = new_device(cap);
    for (k = 0; k < THREADS; k++) {
        l[k] = (lane){.dev = dev, .yf = new_buf(dev, bytes), .o = o};
        assert_int_equal(cuda->put(dev, l[k].yf, yf, bytes, &err), LP_OK);
    }
    for (k = 0; k < THREADS; k++) assert_int_equal(pthread_create(&t[k], NULL, masks, &l[k]), 0);
    for (k = 0; k < THREADS; k++) pthread_join(t[k], NULL);
    for (k = 0; k < THREADS; k++) {
        if (l[k].st) fail_msg("%s", l[k].err.msg);
        assert_int_equal(l[k].n, found);
        assert_memory_equal(l[k].masks.data, want.data, n * sizeof *want.data);
        lp_labels_free(&l[k].masks);
    }
    assert_true(simt_device_memory_peak() <= cap);
    cuda->buf_free(dev, &l[2].yf);
    l[2].yf = new_buf(dev, cap - 2 * bytes - lane_bytes / 2);
    masks(&l[0]);
    assert_int_equal(l[0].st, LP_ENOMEM);
    assert_non_null(strstr(l[0].err.msg, "--gpu_memory"));
    assert_null(strchr(l[0].err.msg, '\n'));
    cuda->buf_free(dev, &l[2].yf);
    masks(&l[1]);
    assert_int_equal(l[1].st, LP_OK);
    lp_labels_free(&l[1].masks);
    cuda->buf_free(dev, &l[0].yf);
    cuda->buf_free(dev, &l[1].yf);
    cuda->close(&dev);
    lp_labels_free(&want);
    free(yf);
}

/* Masks and copies wait for what writes their own input and for nothing else that is queued; times
 * are those of the device's clock, which goes on by 1 ms with every kernel. */
static void own_input(void **state)
{
    enum { S = 40, N = S * S, MORE = 70 };
    float *yf = calloc(3 * N, sizeof *yf), *other = calloc(3 * N, sizeof *yf), got[N], from;
    double seconds[LP_MASKS_NSTAGES] = {0}, work[2][LP_WORK_N], sum = 0;
    lp_device *dev = new_device(0);
    lp_buf *a = new_buf(dev, 3 * N * sizeof *yf), *b = new_buf(dev, 3 * N * sizeof *yf);
    lp_masks_options o = lp_masks_defaults();
    const lp_masks_input in = {a, S, S, S, S, 30, &o};
    size_t before, after;
    lp_labels m;
    uint32_t n;
    lp_err err;
    int i;

    (void)state;
    assert_true(yf && other);
    for (i = 0; i < N; i++) {
        yf[i] = (float)(20 - i / S);
        yf[N + i] = (float)(20 - i % S);
        yf[2 * N + i] = 1;
    }
    other[0] = from = 3;
    o.max_size_fraction = 1;
    o.flow_threshold = 1e9;
    o.seconds = seconds;
    assert_int_equal(cuda->put(dev, a, yf, 3 * N * sizeof *yf, &err), LP_OK);
    assert_int_equal(cuda->put(dev, b, other, 3 * N * sizeof *yf, &err), LP_OK);
    assert_true(simt_pending() == 2);
    simt_clock(&before);
    assert_int_equal(cuda->masks(dev, &in, &m, NULL, &n, NULL, &err), LP_OK);
    simt_clock(&after);
    assert_int_equal(n, 1);
    assert_true(simt_pending() == 1);
    for (i = 0; i < LP_MASKS_NSTAGES; i++) sum += seconds[i];
    assert_true(after > before + 20);
    LP_ASSERT_CLOSE(sum, (double)(after - before) / 1e3, 1e-6, 0);
    LP_ASSERT_CLOSE(seconds[LP_MASKS_RESIZE], 0, 0, 0);
    assert_true(seconds[LP_MASKS_FOLLOW] > 0 && seconds[LP_MASKS_DIFFUSE] > 0);
    assert_int_equal(cuda->get(dev, got, a, 0, sizeof got, &err), LP_OK);
    assert_memory_equal(got, yf, sizeof got);
    assert_true(simt_pending() == 1);
    assert_int_equal(cuda->get(dev, got, b, 0, sizeof got, &err), LP_OK);
    assert_true(got[0] == from && simt_pending() == 0);
    lp_labels_free(&m);

    assert_int_equal(cuda->seconds(dev, 1, work[0], &err), LP_OK);
    simt_clock(&before);
    for (i = 0; i < MORE; i++) /* more than there are spans */
        assert_int_equal(cuda->resize(dev, b, a, 1, S, S, S, S, &err), LP_OK);
    simt_clock(&after);
    assert_int_equal(cuda->seconds(dev, 1, work[1], &err), LP_OK);
    assert_true(after >= before + MORE);
    LP_ASSERT_CLOSE(work[1][LP_WORK_RESIZE] - work[0][LP_WORK_RESIZE],
                    (double)(after - before) / 1e3, 1e-6, 0);
    LP_ASSERT_CLOSE(work[1][LP_WORK_NET], 0, 0, 0);
    cuda->buf_free(dev, &a);
    cuda->buf_free(dev, &b);
    cuda->close(&dev);
    free(yf);
    free(other);
}

/* A network's activations make room for others, and it then goes on in smaller parts. */
static void network_gives_way(void **state)
{
    enum { TILES = 8, PX = 32 * 32 };
    lp_tile_group g = {TILES, 32, 32};
    lp_weights *w = cone_model();
    float *x = malloc(2 * TILES * PX * sizeof *x), *y[2];
    lp_device *dev = new_device(16 * MIB);
    lp_buf *tiles = new_buf(dev, 2 * TILES * PX * sizeof *x),
           *out = new_buf(dev, 3 * TILES * PX * sizeof *x), *styles = new_buf(dev, 16 * TILES * 4),
           *large;
    lp_precision used;
    lp_net *net = NULL;
    size_t with;
    lp_err err;
    int i;

    (void)state;
    simt_only("a pool that grows by little");
    assert_true(w && x);
    for (i = 0; i < 2 * TILES * PX; i++) x[i] = (float)(i * 7 % 101) / 101;
    assert_int_equal(cuda->put(dev, tiles, x, 2 * TILES * PX * sizeof *x, &err), LP_OK);
    assert_int_equal(cuda->net_new(dev, w, LP_PRECISION_FP32, &net, &used, &err), LP_OK);
    for (i = 0; i < 2; i++) {
        y[i] = malloc(3 * TILES * PX * sizeof **y);
        assert_non_null(y[i]);
        if (cuda->unet(dev, net, tiles, &g, 1, out, styles, &err)) fail_msg("%s", err.msg);
        assert_int_equal(cuda->get(dev, y[i], out, 0, 3 * TILES * PX * sizeof **y, &err), LP_OK);
        if (i) break;
        with = lp_card_left(dev->card);
        assert_int_equal(cuda->buf_new(dev, 16 * MIB, &large, &err), LP_ENOMEM);
        assert_true(lp_card_left(dev->card) > with + MIB / 2);
        assert_int_equal(cuda->unet(dev, net, tiles, &g, 1, out, styles, &err), LP_OK);
        large = new_buf(dev, lp_card_left(dev->card) + MIB / 4);
        cuda->buf_free(dev, &large);
    }
    assert_memory_equal(y[0], y[1], 3 * TILES * PX * sizeof **y);
    assert_true(simt_device_memory_peak() <= 16 * MIB);
    cuda->net_free(dev, &net);
    cuda->buf_free(dev, &tiles);
    cuda->buf_free(dev, &out);
    cuda->buf_free(dev, &styles);
    cuda->close(&dev);
    lp_weights_free(&w);
    free(x);
    free(y[0]);
    free(y[1]);
    assert_true(simt_device_memory_used() == 0);
}

static void meanings(void **state)
{
    static const struct {
        int e;
        lp_status st;
        const char *part;
    } want[] = {{cudaErrorNoDevice, LP_EMISSING, "no GPU that this process may use"},
                {cudaErrorInvalidDevice, LP_EMISSING, "GPU 1: copy: invalid device ordinal"},
                {cudaErrorNoKernelImageForDevice, LP_EMISSING, "use --backend cpu"},
                {cudaErrorDevicesUnavailable, LP_EMISSING, "--gpu_device"},
                {cudaErrorMemoryAllocation, LP_ENOMEM, "GPU 1: copy: out of memory"},
                {cudaErrorIllegalAddress, LP_EIO, "an illegal memory access"},
                {cudaErrorLaunchFailure, LP_EIO, "run what is missing again"},
                {cudaErrorInvalidConfiguration, LP_EIO, "GPU 1: copy: invalid config"}};
    lp_err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof want / sizeof *want; i++) {
        assert_int_equal(lp_cuda_failed(1, want[i].e, "copy", &err), want[i].st);
        if (!strstr(err.msg, want[i].part) || strchr(err.msg, '\n'))
            fail_msg("not '%s': %s", want[i].part, err.msg);
    }
}

/* Lost while opening: no such device. Lost in the second of three images: that one and the third
 * fail, with the reason; the first one's result stays. */
static void lost(void **state)
{
    enum { PX = 60 * 70 };
    lp_session_options o = {.backend = "cuda", .precision = LP_PRECISION_FP32, .threads = 1};
    lp_segment_options so = lp_segment_defaults();
    char *dir = lp_tmp_dir(), *model = strdup(lp_tmp_path(dir, "cones.h5"));
    float *img = malloc(PX * sizeof *img);
    lp_weights *w = cone_model();
    lp_session *s = NULL;
    lp_device *dev = NULL;
    lp_result r[3] = {0};
    size_t t0, t1;
    double sum = 0;
    lp_err err;
    int i;

    (void)state;
    assert_true(w && img && model);
    simt_lose_device(0);
    assert_int_equal(cuda->open(NULL, &dev, &err), LP_EMISSING);
    assert_non_null(strstr(err.msg, "GPU 0"));
    simt_set_machine(NULL);
    assert_int_equal(lp_weights_save(w, model, 0, &err), LP_OK);
    cone_image(img, 60, 70, 7);
    if (lp_session_open(model, &o, &s, &err)) fail_msg("%s", err.msg);
    simt_clock(&t0);
    if (lp_segment(s, img, 1, 60, 70, &so, &r[0], &err)) fail_msg("%s", err.msg);
    simt_clock(&t1);
    assert_true(r[0].n > 0);
    for (i = 0; i < LP_T_NSTAGES; i++)
        if (i != LP_T_NORMALIZE) sum += r[0].seconds[i];
    LP_ASSERT_CLOSE(sum, (double)(t1 - t0) / 1e3, 1e-6, 0); /* every kernel is in a stage */
    simt_lose_device((long)(t1 - t0) / 2);
    assert_int_equal(lp_segment(s, img, 1, 60, 70, &so, &r[1], &err), LP_EIO);
    assert_non_null(strstr(err.msg, "unspecified launch failure; this run cannot use it"));
    assert_int_equal(lp_segment(s, img, 1, 60, 70, &so, &r[2], &err), LP_EIO);
    assert_non_null(strstr(err.msg, "unspecified launch failure"));
    assert_true(!r[1].masks && !r[2].masks);
    lp_session_close(&s);
    simt_set_machine(NULL);
    assert_true(simt_device_memory_used() == 0);
    lp_result_free(&r[0]);
    lp_weights_free(&w);
    free(img);
    free(model);
    lp_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pool, setup),      cmocka_unit_test_setup(masks_wait, setup),
        cmocka_unit_test_setup(own_input, setup), cmocka_unit_test_setup(network_gives_way, setup),
        cmocka_unit_test_setup(meanings, setup),  cmocka_unit_test_setup(lost, setup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
