/* What is kept of earlier runs: records, claims, lists, the log, and the settings' fingerprint. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lp_test.h"
#include "tmp_dir.h"

#include "host/claim.h"
#include "host/done.h"
#include "host/expected.h"
#include "host/fingerprint.h"
#include "host/journal.h"
#include "host/json_log.h"

static char *dir;

static int setup(void **state)
{
    (void)state;
    dir = lp_tmp_dir();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lp_tmp_remove(dir);
    return 0;
}

static const char *at(const char *name)
{
    return lp_tmp_path(dir, name);
}

static void records(void **state)
{
    const char *outputs[] = {"elsewhere/x_a.tif", "x_b.csv", "caf\xe9_c.csv"};
    lp_json_record r = {.file = "in/x.tif",
                        .page = 1,
                        .particles = 5,
                        .outputs = outputs,
                        .n_outputs = 3,
                        .settings = "ab",
                        .pages = 1};
    lp_done_input in, other;
    char base[1024], *line = NULL;
    lp_err err;
    lp_done d;

    (void)state;
    snprintf(base, sizeof base, "%s", at("x"));
    lp_tmp_touch(dir, "x.tif");
    in = lp_done_look(at("x.tif"));
    assert_int_equal(in.bytes, 0);
    r.bytes = in.bytes;
    r.mtime = in.mtime;
    lp_done_read(base, &d);
    assert_null(d.json);
    assert_int_equal(lp_done_forget(base, &err), LP_OK); /* nothing there */
    assert_int_equal(lp_json_format(&r, &line, &err), LP_OK);
    assert_int_equal(lp_done_write(base, line, &err), LP_OK);
    lp_done_read(base, &d);
    assert_non_null(d.json);
    assert_int_equal(d.particles, 5);
    assert_false(lp_done_holds(&d, base, "ab", &in)); /* results are not there */
    lp_tmp_touch(dir, "x_a.tif");
    lp_tmp_touch(dir, "x_b.csv");
    assert_false(lp_done_holds(&d, base, "ab", &in));
    lp_tmp_touch(dir, "caf\xe9_c.csv");
    assert_true(lp_done_holds(&d, base, "ab", &in));
    assert_false(lp_done_holds(&d, base, "abc", &in));
    assert_false(lp_done_holds(&d, base, "", &in));
    other = in;
    other.bytes++;
    assert_false(lp_done_holds(&d, base, "ab", &other));
    other = lp_done_look(at("none.tif"));
    assert_int_equal(other.bytes, -1);
    assert_false(lp_done_holds(&d, base, "ab", &other));
    other = in;
    other.mtime[strlen(other.mtime) - 1] ^= 1; /* a nanosecond */
    assert_false(lp_done_holds(&d, base, "ab", &other));
    lp_done_free(&d);
    free(line);
    /* A failure is not done. */
    r.error = "why";
    assert_int_equal(lp_json_format(&r, &line, &err), LP_OK);
    assert_int_equal(lp_done_write(base, line, &err), LP_OK);
    free(line);
    lp_done_read(base, &d);
    assert_string_equal(d.error, "why");
    assert_false(lp_done_holds(&d, base, "ab", &in));
    lp_done_free(&d);
    assert_int_equal(lp_done_forget(base, &err), LP_OK);
    lp_done_read(base, &d);
    assert_null(d.json);
}

static void damaged_records(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "{} {}",
        "{}",
        "{\"file\":\"x\",\"status\":\"ok\"}",
        "{\"file\":\"x\",\"status\":\"failed\",\"error\":null,\"outputs\":[]}",
        "{\"file\":\"x\",\"status\":\"ok\",\"error\":\"e\",\"outputs\":[]}",
        "{\"file\":\"x\",\"status\":\"ok\",\"error\":null,\"outputs\":[1]}",
        "{\"file\":1,\"status\":\"ok\",\"error\":null,\"outputs\":[]}",
        "{\"file\":\"x\",\"status\":\"ok\",\"outputs\":[],\"page\":0}",
        "{\"file\":\"x\",\"status\":\"ok\",\"outputs\":[],\"pages\":1e300}",
        "{\"file\":\"x\",\"status\":\"ok\",\"outputs\":[],\"pages\":2147483647}",
        "{\"file\":\"x\",\"status\":\"ok\",\"outputs\":[],\"bytes\":\"1\"}"};
    const char good[] = "{\"file\":\"x\",\"status\":\"ok\",\"outputs\":[]}\n";
    lp_done d = {0};
    lp_err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        if (lp_done_parse(bad[i], strlen(bad[i]), &d, &err) != LP_EFORMAT || d.json)
            fail_msg("taken: %s", bad[i]);
    assert_int_equal(lp_done_parse(good, sizeof good, &d, &err), LP_EFORMAT); /* with its 0 */
    assert_int_equal(lp_done_parse(good, strlen(good), &d, &err), LP_OK);
    assert_string_equal(d.settings, "");
    assert_int_equal(d.input.bytes, -1);
    lp_done_free(&d);
    lp_done_free(&d);
}

static void claims(void **state)
{
    char x[1024], y[1024];
    lp_claim a, b, c;
    int status, ready[2];
    char byte;
    lp_err err;
    pid_t child;

    (void)state;
    snprintf(x, sizeof x, "%s", at("x"));
    snprintf(y, sizeof y, "%s", at("y"));
    assert_int_equal(lp_claim_take(x, &a, &err), LP_OK);
    if (a.state == LP_CLAIM_NO_LOCKS) skip();
    assert_int_equal(a.state, LP_CLAIM_OURS);
    assert_int_equal(lp_claim_take(x, &b, &err), LP_OK); /* another worker of this process */
    assert_int_equal(b.state, LP_CLAIM_BUSY);
    assert_int_equal(lp_claim_take(y, &c, &err), LP_OK);
    assert_int_equal(c.state, LP_CLAIM_OURS);
    lp_claim_release(&b); /* which it does not have */
    assert_int_equal(lp_claim_take(x, &b, &err), LP_OK);
    assert_int_equal(b.state, LP_CLAIM_BUSY);
    lp_claim_release(&a);
    assert_int_equal(lp_claim_take(x, &b, &err), LP_OK);
    assert_int_equal(b.state, LP_CLAIM_OURS);
    lp_claim_release(&b);
    lp_claim_release(&c);
    /* Of another process, until it is killed. */
    assert_int_equal(pipe(ready), 0);
    if ((child = fork()) == 0) {
        if (lp_claim_take(x, &a, &err) || a.state != LP_CLAIM_OURS) _exit(1);
        if (write(ready[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(lp_claim_take(x, &b, &err), LP_OK);
    assert_int_equal(b.state, LP_CLAIM_BUSY);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    assert_int_equal(lp_claim_take(x, &b, &err), LP_OK);
    assert_int_equal(b.state, LP_CLAIM_OURS);
    lp_claim_release(&b);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(lp_claim_take(at("no/folder/x"), &b, &err), LP_EIO);
}

static void the_log(void **state)
{
    lp_shard s = {2, 4, NULL};
    char *text;
    lp_err err;
    int fd;

    (void)state;
    assert_int_equal(lp_journal_add(at("x"), &s, "{1}", &err), LP_OK);
    assert_int_equal(lp_journal_add(at("y"), &s, "{2}", &err), LP_OK);
    fd = open(at(LP_DONE_FOLDER "/records_2of4.jsonl"), O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "{cut", 4), 4); /* killed */
    close(fd);
    assert_int_equal(lp_journal_add(at("x"), &s, "{3}", &err), LP_OK);
    text = lp_tmp_read(at(LP_DONE_FOLDER "/records_2of4.jsonl"), NULL);
    assert_string_equal(text, "{1}\n{2}\n{cut\n{3}\n");
    free(text);
}

static void lists(void **state)
{
    const char *names[] = {"b.tif", "a\nb.tif", "c.tif", "b.tif", "d.tif"};
    lp_inputs_options o = {.savedir = dir};
    lp_inputs in;
    char **name = NULL;
    lp_err err;
    int n = -1, i;

    (void)state;
    assert_int_equal(lp_expected_read(dir, &name, &n, &err), LP_OK);
    assert_int_equal(n, 0);
    free(name);
    for (i = 0; i < 3; i++) { /* the second time it is there already, the third is another one */
        assert_int_equal(lp_inputs_find((char *const *)(size_t)(names + (i == 2 ? 3 : 0)),
                                        i == 2 ? 2 : 3, &o, &in, &err),
                         LP_OK);
        assert_int_equal(lp_expected_write(&in, &err), LP_OK);
        lp_inputs_free(&in);
    }
    assert_int_equal(lp_tmp_count(at(LP_DONE_FOLDER), NULL), 2);
    assert_int_equal(lp_expected_read(dir, &name, &n, &err), LP_OK);
    assert_int_equal(n, 4);
    assert_string_equal(name[0], "a\nb");
    assert_string_equal(name[1], "b");
    assert_string_equal(name[2], "c");
    assert_string_equal(name[3], "d");
    for (i = 0; i < n; i++) free(name[i]);
    free(name);
}

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static lp_run_options run_options(void)
{
    lp_run_options o = {.save_tif = 1, .model_sha256 = SHA};

    o.segment = lp_segment_defaults();
    o.merge = lp_merge_defaults();
    return o;
}

static void all_that_matters(void **state)
{
    static const double one[] = {20, 30}, two[] = {20, 30.000000000000004};
    char first[65], hex[65];
    lp_run_options o = run_options();
    lp_err err;

    (void)state;
    /* A new option? Put it into fingerprint.c (or settings.c) if it changes what is written, else
     * into the list of fingerprint.h; then here. */
    assert_int_equal(sizeof(lp_run_options) - sizeof(lp_session_options), 968);
    assert_int_equal(sizeof(lp_segment_options), 184);
    assert_int_equal(lp_fingerprint(&o, first, &err), LP_OK);
#define SAME(change, same)                                                                         \
    o = run_options();                                                                             \
    change;                                                                                        \
    assert_int_equal(lp_fingerprint(&o, hex, &err), LP_OK);                                        \
    if ((strcmp(hex, first) == 0) != (same)) fail_msg("%s", #change)
    SAME((void)0, 1);
    SAME(o.model_sha256 = "1" SHA, 0);
    SAME(o.pixel_nm = 0.1, 0);
    SAME(o.save_tif = 0, 0);
    SAME(o.save_png = 1, 0);
    SAME(o.save_csv = 1, 0);
    SAME(o.save_overlay = 1, 0);
    SAME(o.save_outlines = 1, 0);
    SAME(o.save_txt = 1, 0);
    SAME(o.save_rois = 1, 0);
    SAME(o.save_flows = 1, 0);
    SAME(o.save_h5 = 1, 0);
    SAME(o.ids = 1, 0);
    SAME(o.save_star = 1, 0);
    SAME(o.save_box = 1, 0);
    SAME(o.save_cbox = 1, 0);
    SAME(o.save_topaz = 1, 0);
    SAME(o.save_geojson = 1, 0);
    SAME(o.box_size = 3, 0);
    SAME(o.flip_y = 1, 0);
    SAME(o.session.precision = LP_PRECISION_BF16, 0);
    SAME(o.segment.diameter = 0, 0);
    SAME(o.segment.chan = 1, 0);
    SAME(o.segment.chan2 = 1, 0);
    SAME(o.segment.normalize = 0, 0);
    SAME(o.segment.norm_percentile[1] = 98, 0);
    SAME(o.segment.use_lowhigh = 1, 0);
    SAME(o.segment.lowhigh[0] = 5, 0);
    SAME(o.segment.invert = 1, 0);
    SAME(o.segment.tile_norm_blocksize = 1, 0);
    SAME(o.segment.sharpen_radius = 1, 0);
    SAME(o.segment.smooth_radius = 1, 0);
    SAME(o.segment.bsize = 256, 0);
    SAME(o.segment.tile_overlap = 0.10000000000000002, 0);
    SAME(o.segment.augment = 1, 0);
    SAME(o.segment.resample = 0, 0);
    SAME(o.segment.interp = 0, 0);
    SAME(o.segment.niter = 1, 0);
    SAME(o.segment.flow_threshold = 0.5, 0);
    SAME(o.segment.cellprob_threshold = -1, 0);
    SAME(o.segment.max_size_fraction = 0.5, 0);
    SAME(o.segment.min_size = 14, 0);
    SAME(o.segment.exclude_on_edges = 1, 0);
    SAME(o.segment.compat_cellpose3 = 1, 0);
    SAME(o.merge.threshold = 3, 1); /* of one diameter */
    SAME(o.segment.batch_size = 7, 1);
    SAME(o.session.threads = 7, 1);
    SAME(o.session.backend = "cpu", 1);
    SAME(o.session.gpu_device = 1, 1);
    SAME(o.session.gpu_memory = 1, 1);
    SAME(o.page = 2, 1);
    SAME(o.json = 1, 1);
    SAME(o.quiet = 1, 1);
    SAME(o.overwrite = 1, 1);
    SAME(o.savedir = "x", 1);
    SAME(o.model_name = o.model = "x", 1);
    SAME(o.shard.index = 2, 1);
    /* Many diameters. */
    o = run_options();
    o.diameters = one;
    o.n_diameters = 2;
    assert_int_equal(lp_fingerprint(&o, hex, &err), LP_OK);
    assert_string_not_equal(first, hex);
    strcpy(first, hex);
#define MANY(change, same) SAME(o.diameters = one; o.n_diameters = 2; change, same)
    MANY((void)0, 1);
    MANY(o.diameters = two, 0);
    MANY(o.n_diameters = 1, 0);
    MANY(o.n_diameters = 0; o.auto_diameters = 1, 0);
    MANY(o.merge.threshold = 3, 0);
    MANY(o.merge.method = LP_MERGE_VOTES, 0);
    MANY(o.merge.levels[0] = 3; o.merge.n_levels = 1, 0);
    MANY(o.merge.sigma = 1, 0);
    MANY(o.merge.iou = 1, 0);
    MANY(o.merge.flow_weight = 1, 0);
    MANY(o.merge.outline = 1, 0);
    MANY(o.merge.min_size = 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records, setup, teardown),
        cmocka_unit_test(damaged_records),
        cmocka_unit_test_setup_teardown(claims, setup, teardown),
        cmocka_unit_test_setup_teardown(the_log, setup, teardown),
        cmocka_unit_test_setup_teardown(lists, setup, teardown),
        cmocka_unit_test(all_that_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
