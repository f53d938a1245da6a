/* The whole network of the device, in the executor: against lp_unet_ref, against what Cellpose's
 * own code gave (golden/tiny_net.h5), the same bits for any batch and any memory. */
#include <cuda_runtime_api.h>

#include "../lp_h5.h"
#include "../lp_test.h"
#include "../random_net.h"
#include "host_mem.h"
#include "simt_test.h"

#include "host/unet_cuda.h"
#include "host/unet_ref.h"

/* As in test_unet.c, for the same reasons. */
#define TOL_FP32 1e-4
#define TOL_BF16 8e-2

static lp_unet_cuda *new_net(const lp_weights *w, int bf16, size_t max_bytes, host_mem_state *m)
{
    lp_unet_cuda *net = NULL;
    lp_device_mem d = host_mem(m);
    lp_err err = {LP_OK, ""};

    if (lp_unet_cuda_new(w, bf16, NULL, max_bytes, &d, &net, &err)) fail_msg("%s", err.msg);
    return net;
}

static void run(lp_unet_cuda *net, const float *x, const lp_tile_group *g, int n, float *y,
                float *style)
{
    lp_err err = {LP_OK, ""};

    if (lp_unet_cuda_run(net, x, g, n, y, style, NULL, &err)) fail_msg("%s", err.msg);
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

static void compare(const char *name, const lp_weights *w, const float *x, int n, int ly, int lx,
                    const float *y, const float *style)
{
    size_t ny = (size_t)n * 3 * ly * lx, ns = (size_t)n * w->nbase[w->n_nbase - 1];
    lp_tile_group g = {n, ly, lx};
    int bf16;

    for (bf16 = 0; bf16 < 2; bf16++) {
        host_mem_state m = {.most = (size_t)1 << 30};
        lp_unet_cuda *net = new_net(w, bf16, (size_t)1 << 29, &m);
        float *gy = lp_guard_new(ny), *gs = lp_guard_new(ns);
        char what[128];

        run(net, x, &g, 1, gy, gs);
        assert_int_equal(lp_unet_cuda_bytes(net), m.bytes);
        snprintf(what, sizeof what, "%s %s y", name, bf16 ? "bf16" : "fp32");
        close_to(what, gy, y, ny, bf16 ? TOL_BF16 : TOL_FP32);
        snprintf(what, sizeof what, "%s %s style", name, bf16 ? "bf16" : "fp32");
        close_to(what, gs, style, ns, bf16 ? TOL_BF16 : TOL_FP32);
        lp_guard_check(gy, ny);
        lp_guard_check(gs, ns);
        lp_guard_free(gy);
        lp_guard_free(gs);
        lp_unet_cuda_free(&net);
        assert_null(net);
        assert_int_equal(m.bytes, 0);
    }
}

static void golden(const char *file, const char *checkpoint, const char *group)
{
    lp_weights *w = NULL;
    lp_err err;
    hsize_t d[8];
    char name[64];
    float *x, *y, *style;

    if (lp_weights_open(checkpoint, &w, &err)) fail_msg("%s", err.msg);
    snprintf(name, sizeof name, "%s/style", group);
    style = lp_h5_float(file, name, d);
    snprintf(name, sizeof name, "%s/y", group);
    y = lp_h5_float(file, name, d);
    snprintf(name, sizeof name, "%s/x", group);
    x = lp_h5_float(file, name, d);
    compare(group, w, x, 1, (int)d[2], (int)d[3], y, style); /* the first tile: time */
    free(x);
    free(y);
    free(style);
    lp_weights_free(&w);
}

static void golden_tiny(void **state)
{
    LP_NEED_DATA(f, "golden/tiny_net.h5")
    LP_NEED_DATA(c, "checkpoints/cp3_tiny_zip.pth")

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

static const struct {
    int n, nbase[6], ly, lx;
} nets[] = {{4, {1, 6, 12, 20}, 16, 48},
            {3, {3, 32, 16}, 16, 18},
            {5, {2, 32, 48, 64, 80}, 8, 24},
            {5, {2, 32, 64, 128, 256}, 16, 48}};
#define NETS (sizeof nets / sizeof *nets)

static void against_ref(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < NETS; i++) {
        lp_weights *w = random_net(nets[i].nbase, nets[i].n);
        int ly = nets[i].ly, lx = nets[i].lx;
        size_t px = (size_t)ly * lx;
        float *x = noise(nets[i].nbase[0] * px, (unsigned)i), *y = malloc(3 * px * sizeof *y);
        float style[256];
        char what[64];
        lp_err err;

        assert_non_null(y);
        assert_int_equal(lp_unet_ref(w, x, 1, ly, lx, y, style, &err), LP_OK);
        snprintf(what, sizeof what, "net %zu, %d x %d", i, ly, lx);
        compare(what, w, x, 1, ly, lx, y, style);
        free(x);
        free(y);
        lp_weights_free(&w);
    }
}

/* Tiles of several sizes in one call, in memory for all, for two and for one, with either shape
 * of a warp: the bits of each tile alone. */
static void same_bits(void **state)
{
    static const lp_tile_group group[] = {{3, 16, 24}, {1, 8, 8}, {2, 8, 16}};
    enum { GROUPS = 3, TILES = 6, PX = 3 * 16 * 24 + 8 * 8 + 2 * 8 * 16 };
    static const int nbase[] = {2, 16, 64};
    lp_weights *w = random_net(nbase, 3);
    int nin = w->nbase[0], S = w->nbase[w->n_nbase - 1], bf16, way, i, g;
    float *x = noise((size_t)nin * PX, 6), *ref = malloc(3 * PX * sizeof *ref);
    float *y = malloc(3 * PX * sizeof *y), *rs = malloc((size_t)TILES * S * sizeof *rs);
    float *s = malloc((size_t)TILES * S * sizeof *s);

    (void)state;
    assert_true(ref && y && rs && s);
    for (bf16 = 0; bf16 < 2; bf16++) {
        host_mem_state m = {.most = (size_t)1 << 30};
        lp_unet_cuda *net = new_net(w, bf16, (size_t)1 << 29, &m);
        size_t at = 0, tile = 0, weights = m.bytes;

        for (g = 0; g < GROUPS; g++)
            for (i = 0; i < group[g].n; i++) {
                size_t px = (size_t)group[g].ly * group[g].lx;

                run(net, x + at * nin, &(lp_tile_group){1, group[g].ly, group[g].lx}, 1,
                    ref + 3 * at, rs + tile * S);
                at += px;
                tile++;
            }
        for (way = 0; way < 4; way++) {
            size_t one = lp_unet_cuda_need(net, 1, 16, 24), two = lp_unet_cuda_need(net, 2, 16, 24);
            size_t max_bytes = way == 1 ? two : way == 2 ? 0 : (size_t)1 << 29;
            host_mem_state k = {.most = way == 3 ? weights + two - 1 : (size_t)1 << 30};
            lp_unet_cuda *other = new_net(w, bf16, max_bytes, &k);

            simt_set_seed(10 + (uint64_t)way);
            lp_unet_cuda_set_rows(other, way == 1 ? 4 : way == 2 ? 7 : 0);
            memset(y, 0xff, 3 * PX * sizeof *y);
            run(other, x, group, GROUPS, y, s);
            if (way == 2) assert_int_equal(k.bytes, weights + one);
            if (way == 3) assert_int_equal(k.calls, 3); /* weights, all three, half of that */
            assert_memory_equal(y, ref, 3 * PX * sizeof *y);
            assert_memory_equal(s, rs, (size_t)TILES * S * sizeof *s);
            lp_unet_cuda_free(&other);
        }
        lp_unet_cuda_free(&net);
    }
    free(x);
    free(ref);
    free(y);
    free(rs);
    free(s);
    lp_weights_free(&w);
}

/* Batches that come again are replayed: the bits of plain launches, for two tiles and for one,
 * after more tiles made the activations move, and in parts where memory is short. */
static void graphs(void **state)
{
    enum { TILES = 3, LY = 8, LX = 16, PX = LY * LX };
    static const int nbase[] = {2, 16, 32};
    lp_weights *w = random_net(nbase, 3);
    float *in = noise((size_t)TILES * 2 * PX, 3), *x, *y, *s, ref[TILES * 3 * PX], rs[TILES * 32];
    int bf16, way, t, n;

    (void)state;
    assert_int_equal(cudaMalloc((void **)&x, (size_t)TILES * 2 * PX * sizeof *x), 0);
    assert_int_equal(cudaMalloc((void **)&y, sizeof ref), 0);
    assert_int_equal(cudaMalloc((void **)&s, sizeof rs), 0);
    memcpy(x, in, (size_t)TILES * 2 * PX * sizeof *x);
    for (bf16 = 0; bf16 < 2; bf16++)
        for (way = 0; way < 2; way++) {
            host_mem_state m = {0};
            lp_unet_cuda *net = new_net(w, bf16, (size_t)1 << 29, &m);
            simt_graph_counts before = simt_graphs();
            cudaStream_t stream = NULL;
            lp_err err;

            run(net, x, &(lp_tile_group){TILES, LY, LX}, 1, ref, rs);
            assert_int_equal(simt_graphs().made, before.made); /* no stream, no graph */
            lp_unet_cuda_free(&net);
            net = new_net(w, bf16, (size_t)1 << 29, &m);
            if (way) m.most = m.bytes + lp_unet_cuda_need(net, TILES, LY, LX) - 1;
            assert_int_equal(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), 0);
            for (n = 1; n <= TILES; n++)
                for (t = 0; t < 3; t++) {
                    memset(y, 0xff, sizeof ref);
                    memset(s, 0xff, sizeof rs);
                    if (lp_unet_cuda_run(net, x, &(lp_tile_group){n, LY, LX}, 1, y, s, stream,
                                         &err))
                        fail_msg("%s", err.msg);
                    assert_memory_equal(y, ref, (size_t)n * 3 * PX * sizeof *y);
                    assert_memory_equal(s, rs, (size_t)n * 32 * sizeof *s);
                }
            /* 1, 2, 3 tiles; where three have no room, three of one tile each. */
            assert_int_equal(simt_graphs().made - before.made, way ? 5 : 3);
            assert_true(simt_graphs().launched - before.launched >= 6);
            lp_unet_cuda_free(&net);
            cudaStreamDestroy(stream);
            assert_int_equal(simt_graphs().live, 0);
            assert_int_equal(m.held, 0);
        }
    cudaFree(x);
    cudaFree(y);
    cudaFree(s);
    free(in);
    lp_weights_free(&w);
}

static void refuses(void **state)
{
    static const int size[][3] = {{1, 20, 16}, {1, 0, 16}, {1, 16, -16}, {1, 4, 16}, {0, 16, 16}};
    static const int five[] = {17, 32, 64};
    lp_weights *w = random_net(nets[2].nbase, nets[2].n); /* multiples of 8 */
    host_mem_state m = {.most = (size_t)1 << 30};
    lp_device_mem d = host_mem(&m);
    lp_unet_cuda *net = new_net(w, 0, 0, &m), *none = NULL;
    lp_err err = {LP_OK, ""};
    float x[1], y[1], s[1];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof size / sizeof *size; i++) {
        lp_tile_group g = {size[i][0], size[i][1], size[i][2]};

        assert_int_equal(lp_unet_cuda_run(net, x, &g, 1, y, s, NULL, &err), LP_EARG);
        assert_non_null(strstr(err.msg, "multiples of 8"));
    }
    m.most = m.bytes + 1000; /* not even one tile */
    assert_int_equal(lp_unet_cuda_run(net, x, &(lp_tile_group){4, 16, 16}, 1, y, s, NULL, &err),
                     LP_ENOMEM);
    lp_unet_cuda_free(&net);
    m.most = 1000;
    assert_int_equal(lp_unet_cuda_new(w, 0, NULL, 0, &d, &none, &err), LP_ENOMEM);
    lp_weights_free(&w);
    w = random_net(five, 3);
    m.most = (size_t)1 << 30;
    assert_int_equal(lp_unet_cuda_new(w, 0, NULL, 0, &d, &none, &err), LP_EARG);
    assert_null(none);
    lp_weights_free(&w);
    lp_unet_cuda_free(&none);
    lp_unet_cuda_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_tiny), cmocka_unit_test(golden_odd), cmocka_unit_test(against_ref),
        cmocka_unit_test(same_bits),   cmocka_unit_test(graphs),     cmocka_unit_test(refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
