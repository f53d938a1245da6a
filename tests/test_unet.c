/* test_unet - the tuned network of the CPU against lp_unet_ref and against what Cellpose's own
 * code gave (golden/tiny_net.h5); the same bits for any threads, batch and place in it. */
#include <pthread.h>

#include "lp_h5.h"
#include "lp_test.h"
#include "random_net.h"

#include "host/onednn.h"
#include "host/unet_cpu.h"
#include "host/unet_ref.h"

/* float32: the parity bound, relative to the largest output. bfloat16 has 8 bits, errors of
 * half a unit in each of some twenty roundings on the way to an output: about 2^-9 * sqrt(20)
 * of the activations' size, which exceeds the outputs' where they nearly cancel. */
#define TOL_FP32 1e-4
#define TOL_BF16 8e-2

static lp_unet *new_net(const lp_weights *w, int bf16, int threads)
{
    lp_unet *net = NULL;
    lp_err err = {LP_OK, ""};

    if (lp_unet_new(w, bf16, threads, &net, &err)) fail_msg("%s", err.msg);
    return net;
}

static lp_unet_work *new_work(int threads)
{
    lp_unet_work *k = NULL;
    lp_err err = {LP_OK, ""};

    if (lp_unet_work_new(threads, &k, &err)) fail_msg("%s", err.msg);
    return k;
}

static void run(lp_unet *net, lp_unet_work *k, const float *x, int n, int ly, int lx, float *y,
                float *style)
{
    lp_err err = {LP_OK, ""};

    if (lp_unet_run(net, k, x, n, ly, lx, y, style, &err)) fail_msg("%s", err.msg);
}

/* max |got - ref| <= tol * max |ref|; NaN fails. */
static void close_to(const char *what, const float *got, const float *ref, size_t n, double tol)
{
    double top = 0, worst = 0;
    size_t i;

    for (i = 0; i < n; i++) top = fmax(top, fabs(ref[i]));
    for (i = 0; i < n; i++) {
        double d = fabs((double)got[i] - ref[i]);

        if (!(d <= tol * top))
            fail_msg("%s: [%zu] = %g, expected %g, largest %g", what, i, got[i], ref[i], top);
        worst = fmax(worst, d);
    }
    print_message("%s: %.2g of the largest\n", what, worst / top);
}

static void golden(const char *file, const char *checkpoint, const char *group)
{
    lp_weights *w = NULL;
    lp_err err;
    hsize_t d[8];
    char name[64], what[128];
    float *x, *y, *style, *gy, *gs;
    int n, ly, lx, S, bf16, threads;

    if (lp_weights_open(checkpoint, &w, &err)) fail_msg("%s", err.msg);
    snprintf(name, sizeof name, "%s/style", group);
    style = lp_h5_float(file, name, d);
    S = (int)d[1];
    snprintf(name, sizeof name, "%s/y", group);
    y = lp_h5_float(file, name, d);
    snprintf(name, sizeof name, "%s/x", group);
    x = lp_h5_float(file, name, d);
    n = (int)d[0];
    ly = (int)d[2];
    lx = (int)d[3];
    for (bf16 = 0; bf16 <= lp_onednn_has_bf16(); bf16++)
        for (threads = 1; threads <= 2; threads++) {
            lp_unet *net = new_net(w, bf16, threads);
            lp_unet_work *k = new_work(threads);
            size_t ny = (size_t)n * 3 * ly * lx, ns = (size_t)n * S;
            gy = lp_guard_new(ny);
            gs = lp_guard_new(ns);
            run(net, k, x, n, ly, lx, gy, gs);
            snprintf(what, sizeof what, "%s %s y", group, bf16 ? "bf16" : "fp32");
            close_to(what, gy, y, ny, bf16 ? TOL_BF16 : TOL_FP32);
            snprintf(what, sizeof what, "%s %s style", group, bf16 ? "bf16" : "fp32");
            close_to(what, gs, style, ns, bf16 ? TOL_BF16 : TOL_FP32);
            lp_guard_check(gy, ny);
            lp_guard_check(gs, ns);
            lp_guard_free(gy);
            lp_guard_free(gs);
            lp_unet_free(&net);
            assert_null(net);
            lp_unet_work_free(&k);
        }
    free(x);
    free(y);
    free(style);
    lp_weights_free(&w);
}

static void golden_tiny_zip(void **state)
{
    LP_NEED_DATA(f, "golden/tiny_net.h5")
    LP_NEED_DATA(c, "checkpoints/cp3_tiny_zip.pth")

    (void)state;
    golden(f, c, "tiny");
}

static void golden_tiny_legacy(void **state)
{
    LP_NEED_DATA(f, "golden/tiny_net.h5")
    LP_NEED_DATA(c, "checkpoints/cp3_tiny_legacy.pth")

    (void)state;
    golden(f, c, "tiny");
}

static void golden_odd(void **state)
{
    LP_NEED_DATA(f, "golden/tiny_net.h5")
    LP_NEED_DATA(c, "checkpoints/cp3_odd_zip.pth")

    (void)state;
    golden(f, c, "odd");
}

static const int nets[][6] = {
    {5, 2, 16, 32, 64, 128}, {4, 1, 6, 12, 20}, {3, 3, 32, 16}, {5, 2, 32, 48, 64, 80}};

static void against_ref(void **state)
{
    static const int sizes[][2] = {{16, 16}, {48, 16}, {32, 80}};
    size_t i, k;
    lp_err err;

    (void)state;
    for (i = 0; i < sizeof nets / sizeof *nets; i++) {
        const int *nb = nets[i] + 1;
        lp_weights *w = random_net(nb, nets[i][0]);
        int S = nb[nets[i][0] - 1], bf16;

        for (bf16 = 0; bf16 <= lp_onednn_has_bf16(); bf16++) {
            lp_unet *net = new_net(w, bf16, 1);
            lp_unet_work *work = new_work(1);

            for (k = 0; k < sizeof sizes / sizeof *sizes; k++) {
                int ly = sizes[k][0], lx = sizes[k][1];
                size_t pix = (size_t)ly * lx;
                float *x = noise(nb[0] * pix, (unsigned)(i + 10 * k));
                float *y = malloc(3 * pix * sizeof *y), *ref = malloc(3 * pix * sizeof *y);
                float style[128], ref_style[128];
                char what[64];

                assert_non_null(y);
                assert_non_null(ref);
                assert_int_equal(lp_unet_ref(w, x, 1, ly, lx, ref, ref_style, &err), LP_OK);
                run(net, work, x, 1, ly, lx, y, style);
                snprintf(what, sizeof what, "net %zu, %d x %d %s", i, ly, lx,
                         bf16 ? "bf16" : "fp32");
                close_to(what, y, ref, 3 * pix, bf16 ? TOL_BF16 : TOL_FP32);
                close_to(what, style, ref_style, (size_t)S, bf16 ? TOL_BF16 : TOL_FP32);
                free(x);
                free(y);
                free(ref);
            }
            lp_unet_free(&net);
            lp_unet_work_free(&work);
        }
        lp_weights_free(&w);
    }
}

/* Five tiles alone, one thread; then in batches of other sizes, by other numbers of threads. */
static void same_bits(void **state)
{
    enum { N = 5, L = 32 };
    static const int batch[] = {1, 2, 3, 5};
    size_t i, b;

    (void)state;
    for (i = 0; i < 2; i++) {
        const int *nb = nets[i] + 1;
        lp_weights *w = random_net(nb, nets[i][0]);
        int S = nb[nets[i][0] - 1], bf16, t, first, k;
        size_t nx = (size_t)nb[0] * L * L, ny = (size_t)3 * L * L;
        float *x = noise(N * nx, 5), *ref = malloc(N * ny * sizeof *ref);
        float *y = malloc(N * ny * sizeof *y), *rs = malloc((size_t)N * S * sizeof *rs);
        float *s = malloc((size_t)N * S * sizeof *s);

        assert_true(ref && y && rs && s);
        for (bf16 = 0; bf16 <= lp_onednn_has_bf16(); bf16++)
            for (t = 1; t <= 4; t++) {
                lp_unet *net = new_net(w, bf16, t);
                lp_unet_work *work = new_work(t);

                if (t == 1)
                    for (k = 0; k < N; k++)
                        run(net, work, x + k * nx, 1, L, L, ref + k * ny, rs + (size_t)k * S);
                for (b = 0; b < sizeof batch / sizeof *batch; b++) {
                    memset(y, 0xff, N * ny * sizeof *y);
                    for (first = 0; first < N; first += batch[b]) {
                        k = N - first < batch[b] ? N - first : batch[b];
                        run(net, work, x + first * nx, k, L, L, y + first * ny,
                            s + (size_t)first * S);
                    }
                    if (memcmp(y, ref, N * ny * sizeof *y) ||
                        memcmp(s, rs, (size_t)N * S * sizeof *s))
                        fail_msg("net %zu, bf16 %d, %d threads, batches of %d: other bits", i, bf16,
                                 t, batch[b]);
                }
                lp_unet_free(&net);
                lp_unet_work_free(&work);
            }
        free(x);
        free(ref);
        free(y);
        free(rs);
        free(s);
        lp_weights_free(&w);
    }
}

/* Tiles of several sizes in one call: the bits of each size alone, whoever shares the threads. */
static void mixed_sizes(void **state)
{
    static const lp_tile_group group[] = {{3, 48, 32}, {1, 32, 32}, {2, 16, 48}, {1, 32, 32}};
    enum { GROUPS = 4, TILES = 7, PX = 3 * 48 * 32 + 32 * 32 + 2 * 16 * 48 + 32 * 32 };
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        const int *nb = nets[i] + 1;
        lp_weights *w = random_net(nb, nets[i][0]);
        int S = nb[nets[i][0] - 1], bf16, t, g;
        float *x = noise((size_t)nb[0] * PX, 6), *ref = malloc(3 * PX * sizeof *ref);
        float *y = malloc(3 * PX * sizeof *y), *rs = malloc((size_t)TILES * S * sizeof *rs);
        float *s = malloc((size_t)TILES * S * sizeof *s);

        assert_true(ref && y && rs && s);
        for (bf16 = 0; bf16 <= lp_onednn_has_bf16(); bf16++)
            for (t = 1; t <= 4; t++) {
                lp_unet *net = new_net(w, bf16, t);
                lp_unet_work *work = new_work(t);
                size_t px = 0, tile = 0;
                lp_err err = {LP_OK, ""};

                for (g = 0; g < GROUPS && t == 1; g++) {
                    run(net, work, x + px * nb[0], group[g].n, group[g].ly, group[g].lx,
                        ref + 3 * px, rs + tile * S);
                    px += (size_t)group[g].n * group[g].ly * group[g].lx;
                    tile += group[g].n;
                }
                memset(y, 0xff, 3 * PX * sizeof *y);
                if (lp_unet_run_groups(net, work, x, group, GROUPS, y, s, &err))
                    fail_msg("%s", err.msg);
                if (memcmp(y, ref, 3 * PX * sizeof *y) ||
                    memcmp(s, rs, (size_t)TILES * S * sizeof *s))
                    fail_msg("net %zu, bf16 %d, %d threads: other bits", i, bf16, t);
                lp_unet_free(&net);
                lp_unet_work_free(&work);
            }
        free(x);
        free(ref);
        free(y);
        free(rs);
        free(s);
        lp_weights_free(&w);
    }
}

static void refuses_sizes(void **state)
{
    static const int size[][3] = {{1, 20, 16}, {1, 16, 24}, {1, 0, 16},  {1, 16, -16},
                                  {1, 4, 16},  {0, 16, 16}, {-1, 16, 16}};
    lp_weights *w = random_net(nets[0] + 1, 5); /* multiples of 8 */
    lp_unet *net = new_net(w, 0, 1);
    lp_unet_work *work = new_work(1);
    float x[1], y[1], s[1];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof size / sizeof *size; i++) {
        lp_err err = {LP_OK, ""};

        if (i == 1) continue; /* 24 is a multiple of 8 */
        assert_int_equal(lp_unet_run(net, work, x, size[i][0], size[i][1], size[i][2], y, s, &err),
                         LP_EARG);
        assert_non_null(strstr(err.msg, "multiples of 8"));
    }
    lp_unet_free(&net);
    lp_unet_work_free(&work);
    lp_weights_free(&w);
}

enum { SIZES = 15, ROUNDS = 2 };

typedef struct {
    lp_unet *net;
    const float *x;
    float *y[SIZES];
    int back; /* goes through the sizes backwards */
} job;

static void *all_sizes(void *arg)
{
    job *j = arg;
    lp_unet_work *work = NULL;
    lp_err err;
    float s[128];
    int r, i;

    if (lp_unet_work_new(1, &work, &err)) return NULL;
    for (r = 0; r < ROUNDS; r++)
        for (i = 0; i < SIZES; i++) {
            int k = j->back ? SIZES - 1 - i : i, l = 16 + 8 * k;

            if (lp_unet_run(j->net, work, j->x, 1, l, l, j->y[k], s, &err)) j->y[k][0] = NAN;
        }
    lp_unet_work_free(&work);
    return NULL;
}

/* More tile sizes than a network keeps prepared, in two threads at once. */
static void many_sizes(int bf16)
{
    enum { L = 16 + 8 * SIZES };
    lp_weights *w = random_net(nets[0] + 1, 5);
    float *x = noise((size_t)2 * L * L, 3);
    job j[3] = {{.x = x}, {.x = x}, {.x = x, .back = 1}};
    pthread_t t[2];
    int i, k;

    for (i = 0; i < 3; i++)
        for (k = 0; k < SIZES; k++) {
            j[i].y[k] = malloc((size_t)3 * L * L * sizeof(float));
            assert_non_null(j[i].y[k]);
        }
    j[0].net = new_net(w, bf16, 1);
    all_sizes(&j[0]);
    lp_unet_free(&j[0].net);
    j[1].net = j[2].net = new_net(w, bf16, 1);
    for (i = 0; i < 2; i++) assert_int_equal(pthread_create(&t[i], NULL, all_sizes, &j[i + 1]), 0);
    for (i = 0; i < 2; i++) assert_int_equal(pthread_join(t[i], NULL), 0);
    lp_unet_free(&j[1].net);
    for (i = 0; i < 3; i++)
        for (k = 0; k < SIZES; k++) {
            int l = 16 + 8 * k;

            assert_false(isnan(j[i].y[k][0]));
            assert_memory_equal(j[i].y[k], j[0].y[k], (size_t)3 * l * l * sizeof(float));
        }
    for (i = 0; i < 3; i++)
        for (k = 0; k < SIZES; k++) free(j[i].y[k]);
    free(x);
    lp_weights_free(&w);
}

static void many_sizes_fp32(void **state)
{
    (void)state;
    many_sizes(0);
}

static void many_sizes_bf16(void **state)
{
    (void)state;
    if (!lp_onednn_has_bf16()) skip();
    many_sizes(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_tiny_zip), cmocka_unit_test(golden_tiny_legacy),
        cmocka_unit_test(golden_odd),      cmocka_unit_test(against_ref),
        cmocka_unit_test(same_bits),       cmocka_unit_test(mixed_sizes),
        cmocka_unit_test(refuses_sizes),   cmocka_unit_test(many_sizes_fp32),
        cmocka_unit_test(many_sizes_bf16),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
