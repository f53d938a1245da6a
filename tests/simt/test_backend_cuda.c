/* The CUDA back end on the executor's runtime: what it refuses, memory, copies, every step against
 * the CPU back end, and a whole session. */
#include "../lp_test.h"
#include "../tmp_dir.h"
#include "simt_test.h"

#include "../cone_model.h"
#include "../lp_scene.h"
#include "../same_layers.h"
#include "host/backend.h"
#include "host/merge.h"

static const lp_backend *cuda, *cpu = &lp_backend_cpu;

static int setup(void **state)
{
    (void)state;
    simt_set_machine(NULL);
    return lp_backend_find("cuda", &cuda, NULL);
}

static void refused(const simt_machine *m, int device, const char *part)
{
    lp_backend_options o = {.gpu_device = device};
    lp_device *dev = NULL;
    lp_err err = {LP_OK, ""};

    simt_set_machine(m);
    assert_int_equal(cuda->open(&o, &dev, &err), LP_EMISSING);
    assert_null(dev);
    if (!strstr(err.msg, part) || strchr(err.msg, '\n')) fail_msg("not '%s': %s", part, err.msg);
}

static void bad_machines(void **state)
{
    const size_t G = (size_t)1 << 30;
    const simt_machine none = {0, 0, 90, G, -1}, old = {1, 12040, 90, G, -1},
                       empty = {0, 13000, 90, G, -1}, volta = {1, 13000, 70, G, -1},
                       two = {2, 13000, 120, G, -1}, full = {1, 13000, 90, G, 0};
    const lp_backend *be = NULL;
    lp_device_info info;
    lp_device *dev = NULL;
    lp_err err;

    (void)state;
    refused(&none, 0, "no NVIDIA driver");
    refused(&old, 0, "is for CUDA 12.4, older than 13.0");
    refused(&empty, 0, "no GPU that this process may use");
    refused(&volta, 0, "compute capability 7.0; 8.0 (Ampere) or newer");
    refused(&two, 2, "--gpu_device 2: there are 2 GPUs, counted from 0");
    simt_set_machine(&none);
    assert_int_equal(lp_backend_find("auto", &be, &err), LP_OK);
    assert_string_equal(be->name, "cpu");
    simt_set_machine(&volta);
    assert_int_equal(lp_backend_find(NULL, &be, &err), LP_OK);
    assert_string_equal(be->name, "cpu");
    simt_set_machine(&two);
    assert_int_equal(lp_backend_find("auto", &be, &err), LP_OK);
    assert_string_equal(be->name, "cuda");
    assert_int_equal(cuda->list(1, &info, &err), LP_OK);
    assert_string_equal(info.name, "executor");
    assert_true(info.major == 12 && info.minor == 0 && info.memory == (double)G);
    assert_int_equal(cuda->list(2, &info, &err), LP_EMISSING);
    assert_int_equal(cuda->open(&(lp_backend_options){.gpu_device = 1}, &dev, &err), LP_OK);
    cuda->close(&dev);
    simt_set_machine(&full);
    assert_int_equal(cuda->open(NULL, &dev, &err), LP_ENOMEM);
    assert_true(simt_device_memory_used() == 0);
}

static lp_buf *new_buf(const lp_backend *be, lp_device *dev, size_t bytes)
{
    lp_buf *b = NULL;
    lp_err err;

    if (be->buf_new(dev, bytes, &b, &err)) fail_msg("%s", err.msg);
    return b;
}

static void memory(void **state)
{
    const size_t n = (10 << 20) + 12, at = 100;
    unsigned char *in = malloc(n), *out = malloc(n);
    lp_device *dev;
    lp_buf *b;
    lp_err err;
    size_t i;

    (void)state;
    assert_non_null(in);
    assert_non_null(out);
    assert_int_equal(cuda->open(NULL, &dev, &err), LP_OK);
    b = new_buf(cuda, dev, n);
    for (i = 0; i < n; i++) in[i] = (unsigned char)(i * 2654435761u >> 13);
    assert_int_equal(cuda->put(dev, b, in, n, &err), LP_OK);
    assert_int_equal(cuda->get(dev, out, b, 0, n, &err), LP_OK);
    assert_memory_equal(in, out, n);
    /* The source may change at once. */
    assert_int_equal(cuda->put(dev, b, in, n, &err), LP_OK);
    memset(in, 1, n);
    assert_int_equal(cuda->get(dev, in, b, at, n - at, &err), LP_OK);
    assert_memory_equal(in, out + at, n - at);
    assert_true(cuda->peak(dev) == n);
    cuda->buf_free(dev, &b);
    cuda->close(&dev);
    assert_true(simt_device_memory_used() == 0);
    free(in);
    free(out);
}

/* One cap for two users. */
static void capped(void **state)
{
    const size_t n = (size_t)10 << 20;
    lp_backend_options o = {.gpu_memory = (size_t)16 << 20}, with = {0};
    lp_device *dev, *second;
    lp_buf *b, *none = NULL;
    lp_err err;

    (void)state;
    simt_only("a pool that grows by little");
    assert_int_equal(cuda->open(&o, &dev, &err), LP_OK);
    b = new_buf(cuda, dev, n);
    with.with = dev;
    assert_int_equal(cuda->open(&with, &second, &err), LP_OK);
    assert_int_equal(cuda->buf_new(second, 8 << 20, &none, &err), LP_ENOMEM);
    assert_non_null(strstr(err.msg, "--gpu_memory"));
    assert_null(none);
    cuda->buf_free(dev, &b);
    b = new_buf(cuda, second, 8 << 20);
    cuda->buf_free(second, &b);
    assert_true(cuda->peak(dev) == n);
    cuda->close(&second);
    cuda->close(&dev);
    assert_true(simt_device_memory_used() == 0);
}

/* One image through all steps but the network, whose output is made up. */
typedef struct {
    float *tiles, *yf, *full;
    double sum[40];
} steps;

#define LY 70
#define LX 45
#define STYLE 40

static void pass(const lp_backend *be, const lp_tiling *plan, int nchan, steps *s)
{
    size_t tile = (size_t)plan->grid.ly * (size_t)plan->grid.lx, n = (size_t)plan->ntiles, i;
    size_t px = (size_t)plan->grid.Ly * (size_t)plan->grid.Lx;
    float *v = malloc(tile * n * 3 * sizeof *v), style[STYLE * 2];
    lp_buf *img, *small, *tiles, *y, *yf, *full, *styles, *sum;
    lp_device *dev = NULL;
    lp_err err;
    int t;

    assert_non_null(v);
    assert_int_equal(be->open(NULL, &dev, &err), LP_OK);
    img = new_buf(be, dev, LY * LX * 2 * sizeof *v);
    small = new_buf(be, dev, px * 2 * sizeof *v);
    tiles = new_buf(be, dev, tile * n * 2 * sizeof *v);
    y = new_buf(be, dev, tile * n * 3 * sizeof *v);
    yf = new_buf(be, dev, px * 3 * sizeof *v);
    full = new_buf(be, dev, LY * LX * 3 * sizeof *v);
    styles = new_buf(be, dev, sizeof style);
    sum = new_buf(be, dev, sizeof s->sum);
    for (i = 0; i < tile * n * 3; i++) v[i] = (float)(i * 2654435761u % 10007) / 7 - 500;
    assert_int_equal(be->put(dev, img, v, LY * LX * 2 * sizeof *v, &err), LP_OK);
    assert_int_equal(be->put(dev, y, v, tile * n * 3 * sizeof *v, &err), LP_OK);
    for (i = 0; i < STYLE * 2; i++) style[i] = (float)i / 3;
    assert_int_equal(be->put(dev, styles, style, sizeof style, &err), LP_OK);
    assert_int_equal(be->resize(dev, small, img, 2, LY, LX, plan->grid.Ly, plan->grid.Lx, &err),
                     LP_OK);
    assert_int_equal(be->tile_cut(dev, tiles, 0, small, nchan, plan, 0, 1, &err), LP_OK);
    assert_int_equal(be->tile_cut(dev, tiles, tile, small, nchan, plan, 1, plan->ntiles - 1, &err),
                     LP_OK);
    for (t = 0; t < plan->ntiles; t++)
        assert_int_equal(be->tile_average(dev, yf, y, tile * (size_t)t, plan, t, 1, &err), LP_OK);
    assert_int_equal(be->resize(dev, full, yf, 3, plan->grid.Ly, plan->grid.Lx, LY, LX, &err),
                     LP_OK);
    assert_int_equal(be->style_add(dev, sum, styles, 0, 1, STYLE, 1, &err), LP_OK);
    assert_int_equal(be->style_add(dev, sum, styles, 1, 1, STYLE, 0, &err), LP_OK);
    s->tiles = malloc(tile * n * 2 * sizeof *v);
    s->yf = malloc(px * 3 * sizeof *v);
    s->full = malloc(LY * LX * 3 * sizeof *v);
    assert_true(s->tiles && s->yf && s->full);
    assert_int_equal(be->get(dev, s->tiles, tiles, 0, tile * n * 2 * sizeof *v, &err), LP_OK);
    assert_int_equal(be->get(dev, s->yf, yf, 0, px * 3 * sizeof *v, &err), LP_OK);
    assert_int_equal(be->get(dev, s->full, full, 0, LY * LX * 3 * sizeof *v, &err), LP_OK);
    assert_int_equal(be->get(dev, s->sum, sum, 0, sizeof s->sum, &err), LP_OK);
    be->buf_free(dev, &img);
    be->buf_free(dev, &small);
    be->buf_free(dev, &tiles);
    be->buf_free(dev, &y);
    be->buf_free(dev, &yf);
    be->buf_free(dev, &full);
    be->buf_free(dev, &styles);
    be->buf_free(dev, &sum);
    be->close(&dev);
    free(v);
}

static void every_step(void **state)
{
    steps a = {0}, b = {0};
    lp_tiling plan;
    size_t tile, px;
    lp_err err;

    (void)state;
    assert_int_equal(lp_tiling_plan(111, 62, 48, 0.1, 0, &plan, &err), LP_OK);
    tile = (size_t)plan.grid.ly * (size_t)plan.grid.lx;
    px = (size_t)plan.grid.Ly * (size_t)plan.grid.Lx;
    pass(cpu, &plan, 2, &a);
    pass(cuda, &plan, 2, &b);
    assert_memory_equal(a.tiles, b.tiles, tile * (size_t)plan.ntiles * 2 * sizeof *a.tiles);
    assert_memory_equal(a.yf, b.yf, px * 3 * sizeof *a.yf);
    assert_memory_equal(a.full, b.full, LY * LX * 3 * sizeof *a.full);
    assert_memory_equal(a.sum, b.sum, sizeof a.sum);
    free(a.tiles), free(a.yf), free(a.full);
    free(b.tiles), free(b.yf), free(b.full);
    lp_tiling_free(&plan);
}

#define PX (90 * 130)

/* Network output to layers, and layers to one mask: the same bytes. The last layer has half the
 * image's size. */
static void layers_and_merge(void **state)
{
    enum { HIGH = 60, WIDE = 70, LAYERS = 3 };
    static const float r[LAYERS] = {9, 11, 9};
    static const lp_merge_method method[] = {LP_MERGE_SCALE, LP_MERGE_VOTES, LP_MERGE_AFFINITY};
    static float image[HIGH * WIDE];
    lp_layers *all[2] = {NULL, NULL};
    lp_masks_options o = lp_masks_defaults();
    lp_particle_table table, measured[2][LAYERS] = {{{0}}};
    lp_particle *p;
    uint32_t found;
    lp_labels lb;
    int64_t n;
    int b, i, k;
    lp_err err;

    (void)state;
    simt_set_machine(NULL);
    for (i = 0; i < HIGH * WIDE; i++) image[i] = (float)(i * 31 % 257);
    for (b = 0; b < 2; b++) {
        const lp_backend *be = b ? cuda : cpu;
        lp_device *dev = NULL;
        lp_merged m[2];

        assert_int_equal(be->open(&(lp_backend_options){.threads = 1}, &dev, &err), LP_OK);
        assert_int_equal(lp_layers_new(HIGH, WIDE, &all[b], &err), LP_OK);
        for (i = 0; i < LAYERS; i++) {
            int h = i == 2 ? HIGH / 2 : HIGH, w = i == 2 ? WIDE / 2 : WIDE, s = i == 2 ? 2 : 1;
            size_t px = (size_t)h * w;
            uint32_t *labels = calloc(px, sizeof *labels);
            float *flows, *cellprob, *yf = malloc(3 * px * sizeof *yf);
            lp_buf *buf = new_buf(be, dev, 3 * px * sizeof *yf);
            const lp_masks_input in = {buf, h, w, HIGH, WIDE, 15 + 5 * i, &o};
            lp_layer y = {0};

            assert_true(labels && yf);
            lp_scene_disc(labels, h, w, 1, 17. / s, 19. / s, r[i] / s);
            lp_scene_disc(labels, h, w, 2, 17. / s, (19. + 2 * r[i]) / s, r[i] / s);
            lp_scene_disc(labels, h, w, 3, 50. / s, 2. / s, r[i] / s); /* cut by the border */
            lp_scene_network(labels, 3, h, w, &flows, &cellprob);
            memcpy(yf, flows, 2 * px * sizeof *yf);
            memcpy(yf + 2 * px, cellprob, px * sizeof *yf);
            free(flows);
            free(cellprob);
            assert_int_equal(be->put(dev, buf, yf, 3 * px * sizeof *yf, &err), LP_OK);
            if (be->layer(dev, &in, &y, &err)) fail_msg("%s", err.msg);
            assert_int_equal(y.masks.n, 3);
            measured[b][i].image = image;
            if (be->masks(dev, &in, i ? NULL : &lb, NULL, &found, &measured[b][i], &err))
                fail_msg("%s", err.msg);
            if (!i) lp_labels_free(&lb);
            assert_true(found == 3 && measured[b][i].n == 3);
            assert_int_equal(lp_layers_add_layer(all[b], &y, &err), LP_OK);
            be->buf_free(dev, &buf);
            free(yf);
            free(labels);
        }
        for (k = 0; k < 3; k++) {
            lp_merge_options mo = lp_merge_defaults();

            mo.method = method[k];
            mo.threshold = 0;
            table = (lp_particle_table){.image = image};
            if (be->merge(dev, all[b], &mo, &table, &m[0], &err)) fail_msg("%s", err.msg);
            lb = (lp_labels){m[0].masks, HIGH, WIDE};
            assert_int_equal(lp_measure_particles(&lb, image, NULL, NULL, 0, NAN, &p, &n, &err),
                             LP_OK);
            assert_true(n == table.n && n == m[0].n);
            assert_memory_equal(p, table.particle, (size_t)n * sizeof *p);
            free(p);
            free(table.particle);
            assert_int_equal(lp_merge(all[b], &mo, &m[1], &err), LP_OK);
            assert_true(m[0].n >= 2 && m[0].n == m[1].n);
            assert_memory_equal(m[0].masks, m[1].masks, HIGH * WIDE * sizeof *m[0].masks);
            for (i = 0; i < (int)m[0].n; i++) /* all of it: test_merge_cuda.c */
                assert_true(m[0].particle[i].support == m[1].particle[i].support &&
                            m[0].particle[i].flow_error == m[1].particle[i].flow_error);
            lp_merged_free(&m[0]);
            lp_merged_free(&m[1]);
        }
        be->close(&dev);
    }
    same_layers(all[0], all[1]);
    for (i = 0; i < LAYERS; i++) {
        assert_memory_equal(measured[0][i].particle, measured[1][i].particle, 3 * sizeof *p);
        assert_true(measured[1][i].particle[0].mean_cellprob > 0);
        assert_true(measured[1][i].particle[0].flow_error >= 0);
        free(measured[0][i].particle);
        free(measured[1][i].particle);
    }
    assert_true(simt_device_memory_used() == 0);
    lp_layers_free(&all[0]);
    lp_layers_free(&all[1]);
}

/* An image of cones through sessions on both back ends. */
static void session(void **state)
{
    char *dir = lp_tmp_dir(), *model = strdup(lp_tmp_path(dir, "cones.h5"));
    lp_session_options o = {.backend = "cpu", .precision = LP_PRECISION_FP32, .threads = 2};
    lp_segment_options so = lp_segment_defaults();
    lp_weights *w = cone_model();
    float *img = malloc(PX * sizeof *img);
    lp_diameters_result found[3] = {0};
    static const double d[2] = {30, 45};
    lp_result r[3] = {0};
    lp_session *s = NULL;
    lp_err err;
    int n, i, k;

    (void)state;
    assert_true(w && img && model);
    assert_int_equal(lp_weights_save(w, model, 0, &err), LP_OK);
    lp_weights_free(&w);
    n = cone_image(img, 90, 130, 7);
    so.bsize = 96; /* more than one tile */
    so.flows = 1;
    for (i = 0; i < 3; i++) {
        if (i) o.backend = "cuda";
        if (i == 2) o.precision = LP_PRECISION_AUTO;
        if (lp_session_open(model, &o, &s, &err)) fail_msg("%s", err.msg);
        if (lp_segment(s, img, 1, 90, 130, &so, &r[i], &err)) fail_msg("%s", err.msg);
        if (i < 2 && lp_segment_diameters(s, img, 1, 90, 130, &so, d, 2, &found[i], &err))
            fail_msg("%s", err.msg);
        assert_int_equal(strncmp(lp_session_describe(s), i ? "cuda" : "cpu", i ? 4 : 3), 0);
        if (i) assert_non_null(strstr(lp_session_describe(s), i == 1 ? "fp32" : "bf16"));
        lp_session_close(&s);
        assert_true(n > 1 && r[i].n > 1);
        assert_int_equal(r[i].n, r[0].n);
        for (k = 0; k < 2 && i < 2; k++)
            assert_int_equal(found[i].layers->layer[k].masks.n, found[0].layers->layer[k].masks.n);
    }
    assert_memory_equal(r[0].masks, r[1].masks, PX * sizeof *r[0].masks);
    for (i = 0; i < 2 * PX; i++) LP_ASSERT_CLOSE(r[1].flows[i], r[0].flows[i], 1e-4, 1e-4);
    for (i = 0; i < PX; i++) LP_ASSERT_CLOSE(r[1].cellprob[i], r[0].cellprob[i], 1e-3, 1e-4);
    assert_true(simt_device_memory_used() == 0);
    for (i = 0; i < 3; i++) {
        lp_result_free(&r[i]);
        lp_layers_free(&found[i].layers);
    }
    free(img);
    free(model);
    lp_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bad_machines, setup),     cmocka_unit_test_setup(memory, setup),
        cmocka_unit_test_setup(capped, setup),           cmocka_unit_test_setup(every_step, setup),
        cmocka_unit_test_setup(layers_and_merge, setup), cmocka_unit_test_setup(session, setup)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
