#include <math.h>

#include "host/settings.h"
#include "tmp_dir.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static lp_settings some(void)
{
    lp_settings s = {.n_diameters = 3, .diameter = {20, 78.399999999999991, 1e2 / 3 * 3.1}};

    strcpy(s.model_sha256, SHA);
    s.model = strdup("a \"model\"\\/\n.h5");
    s.merge = lp_merge_defaults();
    s.merge.threshold = 0.1 + 0.2;
    s.segment = lp_segment_defaults();
    s.segment.flow_threshold = 1.0 / 3;
    s.segment.use_lowhigh = 1;
    s.segment.lowhigh[0] = -5;
    s.segment.chan = -1;
    s.segment.min_size = -1;
    s.precision = LP_PRECISION_BF16;
    s.calibration =
        (lp_calibration){"recall=0.8", 3, 40, 41, 0.7, 0.8, 0.75, NAN, NAN, NAN, NAN, NAN};
    return s;
}

static char *read_all(const char *path)
{
    char *text = calloc(1, 20000);
    FILE *f = fopen(path, "r");

    assert_non_null(text);
    assert_non_null(f);
    assert_true(fread(text, 1, 19999, f) > 0);
    fclose(f);
    return text;
}

static void round_trip(void **state)
{
    char *dir = lp_tmp_dir(), differ[200], *one, *two;
    lp_settings s = some(), t;
    lp_err err;

    (void)state;
    if (lp_settings_write(lp_tmp_path(dir, "a.json"), &s, &err)) fail_msg("%s", err.msg);
    if (lp_settings_read(lp_tmp_path(dir, "a.json"), &t, &err)) fail_msg("%s", err.msg);
    assert_string_equal(lp_settings_differences(&s, &t, differ), "");
    assert_memory_equal(s.diameter, t.diameter, sizeof s.diameter); /* to the last bit */
    assert_true(s.merge.threshold == t.merge.threshold);
    assert_string_equal(t.model, s.model);
    assert_string_equal(t.model_sha256, SHA);
    assert_string_equal(t.calibration.target, "recall=0.8");
    assert_true(t.calibration.n_pred == 41 && isnan(t.calibration.left_out_f1));
    assert_true(t.segment.chan == -1 && t.segment.lowhigh[0] == -5 && t.segment.min_size == -1);
    assert_int_equal(t.precision, LP_PRECISION_BF16);
    if (lp_settings_write(lp_tmp_path(dir, "b.json"), &t, &err)) fail_msg("%s", err.msg);
    one = read_all(lp_tmp_path(dir, "a.json"));
    two = read_all(lp_tmp_path(dir, "b.json"));
    assert_string_equal(one, two);
    free(one);
    free(two);
    lp_settings_free(&t);

    /* Levels, the bundled model, no calibration. */
    free(s.model);
    s.model = NULL;
    s.merge.method = LP_MERGE_VOTES;
    s.merge.levels[0] = 7.5;
    s.merge.levels[1] = 0;
    s.merge.n_levels = 2;
    *s.calibration.target = 0;
    if (lp_settings_write(lp_tmp_path(dir, "a.json"), &s, &err)) fail_msg("%s", err.msg);
    if (lp_settings_read(lp_tmp_path(dir, "a.json"), &t, &err)) fail_msg("%s", err.msg);
    assert_null(t.model);
    assert_string_equal(lp_settings_differences(&s, &t, differ), "");
    assert_true(t.merge.n_levels == 2 && t.merge.levels[0] == 7.5);
    t.n_diameters = 0; /* auto */
    assert_string_equal(lp_settings_differences(&s, &t, differ), "diameters");
    if (lp_settings_write(lp_tmp_path(dir, "b.json"), &t, &err)) fail_msg("%s", err.msg);
    lp_settings_free(&t);
    if (lp_settings_read(lp_tmp_path(dir, "b.json"), &t, &err)) fail_msg("%s", err.msg);
    assert_int_equal(t.n_diameters, 0);
    lp_settings_free(&t);
    if (lp_settings_read(lp_tmp_path(dir, "a.json"), &t, &err)) fail_msg("%s", err.msg);
    t.segment.niter++;
    t.diameter[0] = 21;
    t.merge.method = LP_MERGE_AFFINITY;
    assert_string_equal(lp_settings_differences(&s, &t, differ), "diameters, merge, niter");
    lp_settings_free(&t);
    assert_int_equal(lp_settings_write(lp_tmp_path(dir, "no/a.json"), &s, &err), LP_EIO);
    assert_int_equal(lp_settings_read(lp_tmp_path(dir, "no.json"), &t, &err), LP_EIO);
    lp_tmp_remove(dir);
}

/* The file with one piece replaced must be refused, with `says` in the message. */
static void refuse(const char *text, const char *from, const char *to, const char *says)
{
    const char *at = strstr(text, from);
    char *bad = malloc(strlen(text) + strlen(to) + 1);
    lp_settings s;
    lp_err err;

    assert_non_null(bad);
    if (!at) fail_msg("no '%s'", from);
    sprintf(bad, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    if (lp_settings_parse(bad, strlen(bad), &s, &err) != LP_EFORMAT)
        fail_msg("'%s' was taken for '%s'", to, from);
    if (!strstr(err.msg, says)) fail_msg("'%s' does not say '%s'", err.msg, says);
    free(bad);
}

static void refused(void **state)
{
    char *dir = lp_tmp_dir(), *text;
    lp_settings s = some(), t;
    lp_err err;
    size_t n;

    (void)state;
    if (lp_settings_write(lp_tmp_path(dir, "a.json"), &s, &err)) fail_msg("%s", err.msg);
    text = read_all(lp_tmp_path(dir, "a.json"));
    n = strlen(text);
    refuse(text, "\"lipopose-settings\"", "\"other\"", "not settings");
    refuse(text, "\"version\":\t1", "\"version\":\t2", "version 2, this lipopose reads 1");
    refuse(text, "\"version\":\t1", "\"version\":\t\"1\"", "key version");
    refuse(text, "\"program\"", "\"programm\"", "key program is missing");
    refuse(text, "\"merge\"", "\"smooth\"", "key smooth is unknown");
    refuse(text, "\"niter\"", "\"niters\"", "key segment.niters is unknown");
    refuse(text, "\"niter\":\t0,", "", "key segment.niter is missing");
    refuse(text, "\"niter\":\t0", "\"niter\":\t0,\"niter\":\t1",
           "key segment.niter is there twice");
    refuse(text, "\"niter\":\t0", "\"niter\":\t0.5", "whole number");
    refuse(text, "\"niter\":\t0", "\"niter\":\t-1", "key segment.niter");
    refuse(text, "\"niter\":\t0", "\"niter\":\t1e300", "key segment.niter");
    refuse(text, "\"niter\":\t0", "\"niter\":\ttrue", "key segment.niter");
    refuse(text, "\"augment\":\tfalse", "\"augment\":\t0", "true or false");
    refuse(text, "\"bf16\"", "\"fp64\"", "segment.precision");
    refuse(text, "\"scale\"", "\"best\"", "merge.method");
    refuse(text, "\"levels\":\t[]", "\"levels\":\t[1,1]", "merge.levels");
    refuse(text, "\"levels\":\t[]", "\"levels\":\t[1,-1]", "merge.levels");
    refuse(text, "\"threshold\":", "\"threshold\":\tnull,\"x\":", "unknown");
    refuse(text, "[20, ", "[20, 20, ", "rising");
    refuse(text, "[20, ", "[0, ", "diameters");
    refuse(text, "[20, ", "[\"20\", ", "diameters");
    refuse(text, SHA, "0123", "64 hexadecimal");
    refuse(text, "\"recall=0.8\"", "\"\"", "calibration.target");
    refuse(text, "\"precision\":\t0.7", "\"precision\":\t7", "calibration.precision");
    refuse(text, "\n}", "\n} 1", "not JSON");
    assert_int_equal(lp_settings_parse(text, n / 2, &t, &err), LP_EFORMAT);
    assert_int_equal(lp_settings_parse("", 0, &t, &err), LP_EFORMAT);
    assert_int_equal(lp_settings_parse("[]", 2, &t, &err), LP_EFORMAT);
    text[n / 2] = 0;
    assert_int_equal(lp_settings_parse(text, n, &t, &err), LP_EFORMAT);
    free(text);
    s.n_diameters = 0;
    if (lp_settings_write(lp_tmp_path(dir, "a.json"), &s, &err)) fail_msg("%s", err.msg);
    text = read_all(lp_tmp_path(dir, "a.json"));
    refuse(text, "\"auto\",\n\t\"merge\"", "\"Auto\",\n\t\"merge\"", "key diameters");
    free(text);
    lp_settings_free(&s);
    lp_tmp_remove(dir);
}

/* The command line over settings. */
static void merging(void **state)
{
    lp_settings s = some();
    lp_merge_options o;

    (void)state;
    s.merge.levels[0] = 3;
    s.merge.n_levels = 1;
    assert_int_equal(lp_settings_merge(&s, NULL, NULL, 0, 0, &o, NULL), LP_OK);
    assert_true(o.threshold == s.merge.threshold && o.n_levels == 1);
    assert_int_equal(lp_settings_merge(&s, "scale", NULL, 1, 2, &o, NULL), LP_OK);
    assert_true(o.threshold == 2 && o.n_levels == 1);
    assert_int_equal(lp_settings_merge(&s, "votes", NULL, 0, 0, &o, NULL), LP_OK);
    assert_true(isnan(o.threshold) && o.n_levels == 0 && o.method == LP_MERGE_VOTES);
    assert_int_equal(lp_settings_merge(&s, "votes", "5,1", 1, 1, &o, NULL), LP_OK);
    assert_true(o.threshold == 1 && o.n_levels == 2);
    assert_int_equal(lp_settings_merge(NULL, NULL, NULL, 0, 0, &o, NULL), LP_OK);
    assert_true(isnan(o.threshold) && o.method == LP_MERGE_SCALE);
    assert_int_equal(lp_settings_merge(&s, NULL, NULL, 1, 20, &o, NULL), LP_OK);
    assert_int_equal(lp_settings_merge(&s, NULL, NULL, 1, 20.5, &o, NULL), LP_EARG);
    assert_int_equal(lp_settings_merge(&s, "votes", NULL, 1, 20.5, &o, NULL), LP_OK);
    s.merge.threshold = 21; /* a file edited by hand */
    assert_int_equal(lp_settings_merge(&s, NULL, NULL, 0, 0, &o, NULL), LP_EARG);
    assert_int_equal(lp_settings_merge(&s, NULL, NULL, 1, 3, &o, NULL), LP_OK);
    assert_int_equal(lp_settings_merge(&s, "best", NULL, 0, 0, &o, NULL), LP_EARG);
    lp_settings_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip), cmocka_unit_test(refused),
                                       cmocka_unit_test(merging)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
