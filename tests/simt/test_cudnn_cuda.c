/* cuDNN as the network's convolutions: the steps around it against their twins, and, with a
 * library of the tests' own in its place (fake_cudnn.c), calls, graphs, networks and failures. On a
 * GPU it is NVIDIA's own, where that is installed. */
#include "../lp_test.h"
#include "../tmp_dir.h"
#include "../weights_make.h"
#include "fake_cudnn.h"
#include "host_mem.h"
#include "simt_test.h"

#include <cuda_runtime_api.h>

#include "../cone_model.h"
#include "host/backend.h"
#include "host/lipopose.h"
#include "host/unet_cuda.h"
#include "host/unet_ref.h"
#include "kernels/bf16.h"
#include "kernels/conv_steps.h"

static lp_cudnn *library(void)
{
    lp_cudnn *c = NULL;
    lp_err err;

    if (lp_cudnn_open(LP_CUDNN_LIBRARY, &c, &err)) {
        if (is_fake) fail_msg("%s", err.msg);
        print_message("skip: %s\n", err.msg);
        skip();
    }
    assert_true(is_fake ? lp_cudnn_version(c) == 91900 : lp_cudnn_version(c) >= 90000);
    return c;
}

static uint32_t seed;
static float noise(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (1 << 23) - 1;
}

static float *floats(size_t n)
{
    float *p = malloc(n * sizeof *p);
    size_t i;

    assert_non_null(p);
    for (i = 0; i < n; i++) p[i] = noise();
    return p;
}

static void *activation(size_t n, int bf16)
{
    float *f = floats(n);
    uint16_t *b = malloc(n * sizeof *b);
    size_t i;

    assert_non_null(b);
    for (i = 0; i < n; i++) b[i] = lp_bf16_from(f[i]);
    if (!bf16) {
        free(b);
        return f;
    }
    free(f);
    return b;
}

/* Sizes, and which steps a call has. */
typedef struct {
    int n, h, w, cin, cout, up, cp, p_up, pro, img, res, affine, relu, pool, out;
} shape;
static const shape shapes[] = {
    {1, 1, 1, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
    {2, 7, 13, 16, 32, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0},
    {2, 6, 10, 48, 80, 1, 0, 0, 1, 0, 1, 1, 1, 0, 0},
    {1, 8, 34, 32, 64, 0, 32, 0, 1, 0, 0, 0, 0, 1, 0},
    {2, 4, 6, 32, 32, 0, 64, 1, 0, 2, 1, 0, 0, 1, 0},
    {3, 5, 9, 32, 32, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3},
    {1, 3, 67, 16, 16, 0, 0, 0, 1, 0, 0, 1, 1, 0, 2},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

/* Everything that a call points to, by its place. */
typedef struct {
    lp_conv_call c;
    void *mem[16];
    int n;
    float *k, *pk; /* as in a model */
} made;

static void *keep(made *m, void *p)
{
    assert_true(m->n < 16);
    return m->mem[m->n++] = p;
}

static made make(const shape *s, int bf16)
{
    made m = {.c = {.n = s->n, .h = s->h, .w = s->w, .cin = s->cin, .cout = s->cout}};
    lp_conv_call *c = &m.c;
    size_t px = (size_t)s->n * s->h * s->w, co = (size_t)s->cout;

    seed = 5;
    c->up = s->up;
    c->x = keep(&m, activation(px * s->cin >> 2 * s->up, bf16));
    c->b = keep(&m, floats(co * s->n));
    c->b_stride = s->cout;
    m.k = keep(&m, floats(co * s->cin * 9));
    if (s->cp) {
        c->cp = s->cp;
        c->p_up = s->p_up;
        c->p = keep(&m, activation(px * s->cp >> 2 * s->p_up, bf16));
        m.pk = keep(&m, floats(co * s->cp));
    }
    if (s->pro) {
        c->scale = keep(&m, floats((size_t)s->cin));
        c->shift = keep(&m, floats((size_t)s->cin * s->n));
        c->shift_stride = s->cin;
    }
    if (s->img) {
        c->nimg = s->img;
        c->img = keep(&m, floats(px * s->img));
        c->img_k = keep(&m, floats(co * s->img));
    }
    if (s->res) c->res = keep(&m, activation(px * co, bf16));
    if (s->affine) {
        c->scale2 = keep(&m, floats(co));
        c->shift2 = keep(&m, floats(co * s->n));
        c->shift2_stride = s->cout;
    }
    c->relu = s->relu;
    if (s->out) {
        c->nout = s->out;
        c->out_scale = keep(&m, floats(co));
        c->out_shift = keep(&m, floats(co));
        c->out_k = keep(&m, floats(co * s->out));
        c->out_b = keep(&m, floats((size_t)s->out));
    }
    return m;
}

static void drop(made *m)
{
    while (m->n) free(m->mem[--m->n]);
}

/* Guarded room for y, pool and out, all as bytes of floats. */
typedef struct {
    float *y, *pool, *out;
    size_t n, n_out;
} results;

static results room(const shape *s, lp_conv_call *c, int bf16)
{
    size_t px = (size_t)s->n * s->h * s->w;
    results r = {.n = (px * s->cout * (bf16 ? 2 : 4) + 3) / 4, .n_out = px * s->out};

    r.y = lp_guard_new(r.n);
    r.pool = lp_guard_new(r.n);
    r.out = lp_guard_new(r.n_out);
    c->y = s->out ? NULL : r.y;
    c->pool = s->pool ? r.pool : NULL;
    c->out = s->out ? r.out : NULL;
    return r;
}

static void check_guards(results *r)
{
    lp_guard_check(r->y, r->n);
    lp_guard_check(r->pool, r->n);
    lp_guard_check(r->out, r->n_out);
}

static void drop_results(results *r)
{
    lp_guard_free(r->y);
    lp_guard_free(r->pool);
    lp_guard_free(r->out);
}

/* The same bits: nothing is summed but out, in the order that conv.h says. */
static void steps(void **state)
{
    size_t i;
    int bf16;

    (void)state;
    for (i = 0; i < SHAPES; i++)
        for (bf16 = 0; bf16 < 2; bf16++) {
            const shape *s = &shapes[i];
            size_t px = (size_t)s->n * s->h * s->w, n = (px * s->cin * (bf16 ? 2 : 4) + 3) / 4;
            made m = make(s, bf16);
            void *sum = activation(px * s->cout, bf16);
            lp_conv_call ref = m.c, got = m.c;
            results a = room(s, &ref, bf16), b = room(s, &got, bf16);
            float *in = lp_guard_new(n), *ref_in = lp_guard_new(n);

            lp_conv_after_ref(&ref, sum, bf16);
            lp_conv_before_ref(ref_in, &ref, bf16);
            SIMT_SEEDS(t)
            {
                assert_int_equal(lp_conv_before_cuda(in, &got, bf16, NULL), 0);
                lp_guard_check(in, n);
                assert_memory_equal(in, ref_in, n * sizeof *in);
                assert_int_equal(lp_conv_after_cuda(&got, sum, bf16, NULL), 0);
                check_guards(&b);
                assert_memory_equal(a.y, b.y, a.n * sizeof *a.y);
                assert_memory_equal(a.pool, b.pool, a.n * sizeof *a.pool);
                assert_memory_equal(a.out, b.out, a.n_out * sizeof *a.out);
            }
            lp_guard_free(in);
            lp_guard_free(ref_in);
            drop_results(&a);
            drop_results(&b);
            free(sum);
            drop(&m);
        }
}

static float value(const void *p, size_t i, int bf16)
{
    return bf16 ? lp_bf16_to(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

/* A whole call against lp_conv_ref. float32 differs in the order of the sums; in bfloat16 these are
 * rounded too, to 2^-9 of values of about 10. */
static void calls(void **state)
{
    lp_cudnn *c = library();
    size_t i, k;
    int bf16;

    (void)state;
    for (i = 0; i < SHAPES; i++)
        for (bf16 = 0; bf16 < 2; bf16++) {
            const shape *s = &shapes[i];
            size_t n = (size_t)s->n * s->h * s->w * s->cout, bytes;
            made m = make(s, bf16);
            lp_conv_call ref = m.c, got = m.c;
            results a = room(s, &ref, bf16), b = room(s, &got, bf16);
            float top = 0, tol = bf16 ? 0.02f : 1e-5f;
            int taps = lp_conv_taps(s->up, bf16);
            void *scratch = NULL;

            ref.k = keep(&m, malloc(lp_conv_packed(s->cin, s->cout, taps, bf16)));
            got.k = keep(&m, malloc(lp_cudnn_packed(s->cin, s->cout, 9, bf16)));
            lp_conv_pack((void *)(size_t)ref.k, m.k, s->cin, s->cout, taps, bf16);
            lp_cudnn_pack((void *)(size_t)got.k, m.k, s->cin, s->cout, 9, bf16);
            if (m.pk) {
                ref.pk = keep(&m, malloc(lp_conv_packed(s->cp, s->cout, 1, bf16)));
                got.pk = keep(&m, malloc(lp_cudnn_packed(s->cp, s->cout, 1, bf16)));
                lp_conv_pack((void *)(size_t)ref.pk, m.pk, s->cp, s->cout, 1, bf16);
                lp_cudnn_pack((void *)(size_t)got.pk, m.pk, s->cp, s->cout, 1, bf16);
            }
            bytes = lp_cudnn_scratch(&got, bf16);
            assert_int_equal(posix_memalign(&scratch, 256, bytes), 0);
            lp_conv_ref(&ref, bf16);
            assert_int_equal(lp_cudnn_conv(c, &got, bf16, scratch, NULL), 0);
            check_guards(&b);
            for (k = 0; k < n && !s->out; k++) top = fmaxf(top, fabsf(value(a.y, k, bf16)));
            for (k = 0; k < n && !s->out; k++)
                LP_ASSERT_CLOSE(value(b.y, k, bf16), value(a.y, k, bf16), tol * top, 0);
            for (k = 0; k < n / 4 && s->pool; k++)
                LP_ASSERT_CLOSE(value(b.pool, k, bf16), value(a.pool, k, bf16), tol * top, 0);
            for (k = 0; k < a.n_out; k++) top = fmaxf(top, fabsf(a.out[k]));
            for (k = 0; k < a.n_out; k++) LP_ASSERT_CLOSE(b.out[k], a.out[k], tol * top, 0);
            free(scratch);
            drop_results(&a);
            drop_results(&b);
            drop(&m);
        }
    lp_cudnn_close(&c);
    assert_null(c);
    lp_cudnn_close(&c);
}

static void missing(void **state)
{
    lp_cudnn *c = NULL;
    lp_err err;

    (void)state;
    assert_int_equal(lp_cudnn_open("libcudnn-none.so.9", &c, &err), LP_EMISSING);
    assert_non_null(strstr(err.msg, "--conv cudnn: libcudnn-none.so.9"));
    assert_null(strchr(err.msg, '\n'));
    assert_int_equal(lp_cudnn_open("libm.so.6", &c, &err), LP_EMISSING);
    assert_non_null(strstr(err.msg, "libm.so.6 has no cudnnGetVersion"));
    assert_null(c);
    if (!is_fake) return;
    *fake_create = 2000;
    assert_int_equal(lp_cudnn_open(LP_CUDNN_LIBRARY, &c, &err), LP_EMISSING);
    *fake_create = 0;
    assert_non_null(strstr(err.msg, "FAKE_BAD_PARAM"));
    assert_null(c);
}

static float *image(size_t n)
{
    seed = 11;
    return floats(n);
}

/* A whole network, plainly and replayed, against the reference; and a failure within it. */
static void network(void **state)
{
    enum { LY = 8, LX = 16, PX = LY * LX, TILES = 2 };
    static const int nbase[] = {2, 20, 48};
    lp_weights *w = mk_weights(nbase, 3, 3);
    float *x, ref[TILES * 3 * PX], rs[TILES * 48], y[TILES * 3 * PX], first[TILES * 3 * PX];
    float s[TILES * 48];
    const lp_tile_group g = {TILES, LY, LX};
    lp_cudnn *c = library();
    int bf16, t, i;
    size_t k;
    lp_err err;

    (void)state;
    for (i = 0; i < w->n_tensors; i++) { /* activations near 1 */
        lp_tensor *v = &w->tensors[i];
        float f = v->ndim == 4 ? 1 / sqrtf((float)(v->shape[1] * v->shape[2] * v->shape[3])) : 1;

        for (k = 0; k < v->n; k++) {
            v->data[k] *= f;
            if (strstr(v->name, "running_var")) v->data[k] += 0.5f;
        }
    }
    x = image(TILES * 2 * PX);
    assert_int_equal(lp_unet_ref(w, x, TILES, LY, LX, ref, rs, &err), LP_OK);
    for (bf16 = 0; bf16 < 2; bf16++) {
        host_mem_state m = {0};
        lp_device_mem d = host_mem(&m);
        lp_unet_cuda *net = NULL;
        cudaStream_t stream = NULL;
        float top = 0, tol = bf16 ? 8e-2f : 1e-4f; /* as of our own: test_unet_cuda.c */
        int launched = simt_graphs().launched;

        if (lp_unet_cuda_new(w, bf16, c, (size_t)1 << 29, &d, &net, &err)) fail_msg("%s", err.msg);
        assert_int_equal(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), 0);
        *fake_calls = 0;
        for (t = 0; t < 4; t++) {
            memset(y, 0xff, sizeof y);
            if (lp_unet_cuda_run(net, x, &g, 1, y, s, stream, &err)) fail_msg("%s", err.msg);
            if (!t) memcpy(first, y, sizeof y);
            assert_memory_equal(first, y, sizeof y);
        }
        /* 15 convolutions of 3x3 and 3 of 1x1, plainly and in the capture. */
        if (is_fake) assert_int_equal(*fake_calls, 2 * 18);
        assert_int_equal(simt_graphs().launched - launched, 3);
        for (k = 0; k < sizeof y / sizeof *y; k++) top = fmaxf(top, fabsf(ref[k]));
        for (k = 0; k < sizeof y / sizeof *y; k++) LP_ASSERT_CLOSE(y[k], ref[k], tol * top, 0);
        for (k = 0; k < sizeof s / sizeof *s; k++) LP_ASSERT_CLOSE(s[k], rs[k], tol, 0);
        if (is_fake) {
            *fake_without = 1;
            assert_int_equal(
                lp_unet_cuda_run(net, x, &(lp_tile_group){1, LY, LX}, 1, y, s, stream, &err),
                LP_EIO);
            *fake_without = 0;
            assert_non_null(strstr(err.msg, "cuDNN: no way to compute"));
        }
        lp_unet_cuda_free(&net);
        cudaStreamDestroy(stream);
        assert_int_equal(m.held, 0);
        assert_int_equal(simt_graphs().live, 0);
    }
    lp_cudnn_close(&c);
    free(x);
    lp_weights_free(&w);
}

/* The whole way from --conv. */
static void session(void **state)
{
    enum { SIDE = 64 };
    char *dir = lp_tmp_dir(), *model = strdup(lp_tmp_path(dir, "cones.h5"));
    lp_segment_options so = lp_segment_defaults();
    lp_weights *w = cone_model();
    float *img = image(SIDE * SIDE);
    lp_session *s = NULL;
    lp_result r[2] = {0};
    lp_cudnn *c = library();
    const lp_backend *be;
    lp_err err;
    int i;

    (void)state;
    lp_cudnn_close(&c);
    simt_set_machine(NULL);
    /* Asked for here, it is the executor's build of it that is linked. */
    assert_int_equal(lp_backend_find("cuda", &be, &err), LP_OK);
    assert_true(w && model);
    assert_int_equal(lp_weights_save(w, model, 0, &err), LP_OK);
    lp_weights_free(&w);
    for (i = 0; i < 2; i++) {
        lp_session_options o = {.backend = "cuda", .precision = LP_PRECISION_FP32, .threads = 1};

        o.conv = i ? "cudnn" : "own";
        so.flows = 1;
        *fake_calls = 0;
        if (lp_session_open(model, &o, &s, &err)) fail_msg("%s", err.msg);
        if (lp_segment(s, img, 1, SIDE, SIDE, &so, &r[i], &err)) fail_msg("%s", err.msg);
        assert_true(!i == !strstr(lp_session_describe(s), "cuDNN"));
        assert_true(!is_fake || !i == !*fake_calls);
        lp_session_close(&s);
    }
    for (i = 0; i < 2 * SIDE * SIDE; i++) LP_ASSERT_CLOSE(r[1].flows[i], r[0].flows[i], 1e-3, 1e-3);
    assert_true(simt_device_memory_used() == 0);
    assert_int_equal(
        lp_session_open(model, &(lp_session_options){.backend = "cuda", .conv = "both"}, &s, &err),
        LP_EARG);
    assert_non_null(strstr(err.msg, "own or cudnn"));
    assert_int_equal(
        lp_session_open(model, &(lp_session_options){.backend = "cpu", .conv = "cudnn"}, &s, &err),
        LP_EMISSING);
    assert_non_null(strstr(err.msg, "only with --backend cuda"));
    *fake_create = 2000;
    if (is_fake)
        assert_int_equal(lp_session_open(model,
                                         &(lp_session_options){.backend = "cuda", .conv = "cudnn"},
                                         &s, &err),
                         LP_EMISSING);
    *fake_create = 0;
    assert_null(s);
    assert_true(simt_device_memory_used() == 0);
    lp_result_free(&r[0]);
    lp_result_free(&r[1]);
    free(img);
    free(model);
    lp_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),   cmocka_unit_test(calls),   cmocka_unit_test(missing),
        cmocka_unit_test(network), cmocka_unit_test(session),
    };

    return cmocka_run_group_tests(tests, fake_cudnn_load, NULL);
}
