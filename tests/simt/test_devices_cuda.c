/* Whole runs of `segment` on two devices of the executor: the same bytes as one image at a time;
 * and, without kernels, bad images among many, a device that is lost, a signal. */
#include <glob.h>
#include <signal.h>

#include "../lp_test.h"
#include "../tmp_dir.h"
#include "simt_test.h"

#include "../cone_model.h"
#include "host/backend.h"
#include "host/inputs.h"
#include "host/segment_run.h"
#include "host/write_masks.h"

enum { MOST = 24, CORRUPT = 7, HUGE_ONE = 11 };

typedef struct {
    char *dir, *model, *image[MOST], *base[MOST];
    lp_input item[MOST];
    int n;
} scene;

static int done, signal_at, skip;

static void on_done(void *user, const char *base)
{
    (void)user;
    (void)base;
    if (++done == signal_at) raise(SIGTERM);
}

static void write_image(const char *path, int Ly, int Lx, unsigned seed)
{
    size_t px = (size_t)Ly * (size_t)Lx, i;
    float *img = malloc(px * sizeof *img);
    lp_labels grey = {malloc(px * sizeof *grey.data), Ly, Lx};

    assert_true(img && grey.data);
    cone_image(img, Ly, Lx, seed);
    for (i = 0; i < px; i++) grey.data[i] = (uint32_t)img[i] + (uint32_t)(i % 3);
    assert_int_equal(lp_write_masks(path, &grey, 0, NULL), LP_OK);
    free(grey.data);
    free(img);
}

/* n images of different sizes; bad 1: one is corrupt, one much larger than the others. */
static void begin(scene *s, int n, int bad)
{
    lp_weights *w = cone_model();
    char name[32];
    int i;

    memset(s, 0, sizeof *s);
    s->n = n;
    s->dir = lp_tmp_dir();
    s->model = strdup(lp_tmp_path(s->dir, "cones.h5"));
    assert_int_equal(lp_weights_save(w, s->model, 0, NULL), LP_OK);
    lp_weights_free(&w);
    for (i = 0; i < n; i++) {
        int huge = bad && i == HUGE_ONE;

        snprintf(name, sizeof name, "i%d.tif", i);
        s->image[i] = strdup(lp_tmp_path(s->dir, name));
        if (bad && i == CORRUPT) {
            FILE *f = fopen(s->image[i], "wb");

            assert_non_null(f);
            fputs("II*", f);
            fclose(f);
        } else {
            write_image(s->image[i], huge ? 900 : 38 + i % 5, huge ? 900 : 38 + i % 7, (unsigned)i);
        }
    }
}

static void end(scene *s)
{
    int i;

    assert_true(simt_device_memory_used() == 0 && simt_device_objects() == 0);
    for (i = 0; i < s->n; i++) free(s->image[i]);
    free(s->model);
    lp_tmp_remove(s->dir);
}

/* Images from .. to-1 on `devices` devices; results are `out` and the number. Returns the exit
 * code; *summary, of the run, is the caller's. */
static int run(scene *s, int from, int to, const char *out, int devices, size_t cap, char *summary)
{
    lp_run_options o = {.model = s->model,
                        .model_name = "cones",
                        .settings = "cones",
                        .save_tif = 1,
                        .quiet = 1,
                        .no_summary = 1,
                        .n_gpus = devices,
                        .gpu = {0, 1},
                        .on_done = on_done};
    lp_inputs in = {.item = s->item, .n = to - from};
    char name[64], *text = NULL, *last;
    glob_t g;
    int i, code;

    for (i = from; i < to; i++) {
        snprintf(name, sizeof name, "%s%d", out, i);
        s->base[i] = strdup(lp_tmp_path(s->dir, name));
        s->item[i - from] = (lp_input){.path = s->image[i], .base = s->base[i]};
    }
    o.segment = lp_segment_defaults();
    o.segment.bsize = 48;
    o.segment.niter = 5;
    o.segment.max_size_fraction = 1;
    o.segment.flow_threshold = 0;
    o.merge = lp_merge_defaults();
    o.session = (lp_session_options){
        .backend = "cuda", .precision = LP_PRECISION_FP32, .threads = 2, .gpu_memory = cap};
    done = 0;
    simt_skip_kernels(skip ? 1 : -1); /* but for the one that tries a card */
    code = lp_segment_run(&in, &o);
    for (i = from; i < to; i++) free(s->base[i]);
    assert_int_equal(glob(lp_tmp_path(s->dir, ".lipopose/records*.jsonl"), 0, NULL, &g), 0);
    text = lp_tmp_read(g.gl_pathv[0], NULL);
    globfree(&g);
    last = strstr(text, "{\"summary\"");
    while (last && strstr(last + 1, "{\"summary\"")) last = strstr(last + 1, "{\"summary\"");
    assert_non_null(last);
    snprintf(summary, 4000, "%s", last);
    free(text);
    return code;
}

/* The number after the k-th "key": of text. */
static double value(const char *text, const char *key, int k)
{
    char what[64];
    const char *p = text;

    snprintf(what, sizeof what, "\"%s\":", key);
    for (; (p = strstr(p, what)); p++)
        if (!k--) return atof(p + strlen(what));
    fail_msg("no %s in %s", key, text);
    return 0;
}

static int setup(void **state)
{
    const simt_machine two = {2, 13000, 90, (size_t)8 << 30, -1};
    const lp_backend *be;

    (void)state;
    signal_at = 0;
    skip = 1;
    simt_set_machine(&two);
    return lp_backend_find("cuda", &be, NULL); /* by itself, so that the linker takes this one */
}

static void same_file(const scene *s, const char *a, const char *b, int i)
{
    char name[2][64], *text[2];
    size_t n[2];
    int k;

    for (k = 0; k < 2; k++) {
        snprintf(name[k], sizeof name[k], "%s%d_cp_masks.tif", k ? b : a, i);
        text[k] = lp_tmp_read(lp_tmp_path(s->dir, name[k]), &n[k]);
    }
    assert_true(n[0] == n[1] && n[0] > 0);
    assert_memory_equal(text[0], text[1], n[0]);
    free(text[0]);
    free(text[1]);
}

static void same_bytes(void **state)
{
    char one[4000], all[4000];
    double particles = 0, tiles = 0;
    const int n = 3;
    scene s;
    int i;

    (void)state;
    skip = 0;
    begin(&s, n, 0);
    for (i = 0; i < n; i++) {
        assert_int_equal(run(&s, i, i + 1, "one", 1, 0, one), 0);
        particles += value(one, "particles", 0);
        tiles += value(one, "tiles", 0);
        assert_true(value(one, "batches", 0) >= 1 && value(one, "network_s", 0) > 0);
        /* Masks too; by the clock of the device that no two things run at the same time on. */
        assert_true(value(one, "busy_s", 0) > value(one, "network_s", 0));
    }
    assert_int_equal(run(&s, 0, n, "all", -1, 0, all), 0);
    assert_true(particles >= n && value(all, "particles", 0) == particles);
    assert_true(value(all, "gpu", 0) == 0 && value(all, "gpu", 1) == 1);
    assert_true(value(all, "tiles", 0) + value(all, "tiles", 1) == tiles);
    for (i = 0; i < n; i++) same_file(&s, "one", "all", i);
    end(&s);
}

static void bad_ones(void **state)
{
    char sum[4000];
    scene s;

    (void)state;
    begin(&s, MOST, 1);
    assert_int_equal(run(&s, 0, MOST, "r", -1, (size_t)4 << 20, sum), 1);
    assert_true(done == MOST - 2 && value(sum, "failed", 0) == 2);
    assert_true(value(sum, "images", 0) == MOST - 2 && value(sum, "images_at_a_time", 0) > 2);
    assert_true(value(sum, "tiles", 0) > 0 && value(sum, "tiles", 1) > 0);
    end(&s);
}

static void one_is_lost(void **state)
{
    char sum[4000];
    scene s;
    int lost;

    (void)state;
    begin(&s, MOST, 0);
    for (lost = 0; lost < 2; lost++) {
        setup(NULL);
        simt_lose_one(lost, 120);
        assert_int_equal(run(&s, 0, MOST, lost ? "b" : "a", -1, 0, sum), 0);
        assert_true(done == MOST && value(sum, "failed", 0) == 0);
        assert_int_equal(value(sum, "gpu", 0), !lost);
    }
    setup(NULL);
    simt_lose_device(300);
    assert_int_equal(run(&s, 0, MOST, "c", -1, 0, sum), 1);
    assert_true(done > 0 && done < MOST && value(sum, "failed", 0) == MOST - done);
    end(&s);
}

static void named(void **state)
{
    char sum[4000];
    scene s;

    (void)state;
    begin(&s, 3, 0);
    assert_int_equal(run(&s, 0, 3, "none", 0, 0, sum), 0); /* session.gpu_device */
    assert_int_equal(value(sum, "gpu", 0), 0);
    assert_null(strstr(sum, "\"gpu\":1"));
    assert_int_equal(run(&s, 0, 3, "both", 2, 0, sum), 0);
    assert_int_equal(value(sum, "gpu", 1), 1);
    end(&s);
}

static void stopped(void **state)
{
    char sum[4000];
    scene s;

    (void)state;
    begin(&s, MOST, 0);
    signal_at = 5;
    assert_int_equal(run(&s, 0, MOST, "r", -1, 0, sum), 128 + SIGTERM);
    assert_true(done >= 5 && done < MOST && value(sum, "failed", 0) == 0);
    assert_true(value(sum, "signal", 0) == SIGTERM && value(sum, "images", 0) == done);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(same_bytes, setup),  cmocka_unit_test_setup(bad_ones, setup),
        cmocka_unit_test_setup(one_is_lost, setup), cmocka_unit_test_setup(named, setup),
        cmocka_unit_test_setup(stopped, setup), /* the last: a signal is not taken back */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
