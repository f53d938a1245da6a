/* What a run says of itself at its end (host/tally.h), and which devices it was told to use
 * (host/run_devices.h). */
#include <cjson/cJSON.h>
#include <math.h>

#include "lp_test.h"

#include "host/run_devices.h"
#include "host/tally.h"

static double number(const cJSON *o, const char *key)
{
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(o, key);

    assert_non_null(x);
    return cJSON_IsNumber(x) ? x->valuedouble : NAN;
}

/* Ten images, four at a time: 8 s of reading, 12 s of the network. */
static lp_tally ten(void)
{
    lp_results res = {.Ly = 100, .Lx = 200, .n_stages = 2};
    lp_tally t = {.side = 4, .cpu = 0.5};
    int i;

    res.stage[0] = (lp_json_stage){"read", 0.8};
    res.stage[1] = (lp_json_stage){lp_stage_names[LP_T_NET], 1.2};
    for (i = 0; i < 10; i++) lp_tally_add(&t, &res);
    return t;
}

static void busiest(void **state)
{
    lp_tally t = ten(), none = {0};
    double s;

    (void)state;
    assert_int_equal(lp_tally_busiest(&t, &s), 1);
    assert_true(fabs(s - 3) < 1e-9); /* 12 s, four at a time */
    t.n_devices = 2;
    assert_int_equal(lp_tally_busiest(&t, &s), 1);
    assert_true(fabs(s - 6) < 1e-9); /* two GPUs have but one network each */
    t.n_devices = 0;
    t.stage[0] = 13;
    assert_int_equal(lp_tally_busiest(&t, &s), 0);
    assert_int_equal(lp_tally_busiest(&none, &s), -1);
    lp_tally_free(&t);
}

static void summary(void **state)
{
    lp_tally t = ten();
    const cJSON *o, *d;
    char *line = NULL;
    cJSON *j;

    (void)state;
    t.n_devices = 1;
    t.device[0].gpu = 3;
    t.device[0].network = 12;
    t.device[0].busy = 13.5;
    t.device[0].batches = 7;
    t.device[0].tiles = 400;
    assert_int_equal(lp_tally_json(&t, 15, 0, &line, NULL), LP_OK);
    assert_non_null(j = cJSON_Parse(line));
    o = cJSON_GetObjectItemCaseSensitive(j, "summary");
    assert_true(number(o, "images") == 10 && number(o, "images_at_a_time") == 4);
    assert_true(fabs(number(o, "wall_to_slowest") - 1.25) < 1e-5);
    assert_true(number(o, "cpu_share") == 0.5);
    d = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(o, "devices"), 0);
    assert_true(number(d, "gpu") == 3 && number(d, "batches") == 7 && number(d, "tiles") == 400);
    assert_true(number(d, "network_s") == 12 && fabs(number(d, "busy_share") - 0.9) < 1e-5);
    cJSON_Delete(j);
    free(line);
    t.cpu = NAN;
    memset(t.stage, 0, sizeof t.stage);
    assert_int_equal(lp_tally_json(&t, 15, 0, &line, NULL), LP_OK);
    assert_non_null(j = cJSON_Parse(line)); /* what is not known is null */
    o = cJSON_GetObjectItemCaseSensitive(j, "summary");
    assert_true(isnan(number(o, "cpu_share")) && isnan(number(o, "wall_to_slowest")));
    cJSON_Delete(j);
    free(line);
    lp_tally_free(&t);
}

static void gpus(void **state)
{
    static const char *const bad[] = {"",      "-1", "0,",  ",0", "0,0",
                                      "1,2,1", "a",  "0 1", "+1", "99999"};
    lp_run_options o = {0};
    lp_err err;
    size_t i;

    (void)state;
    assert_int_equal(lp_run_devices_parse("2", &o, &err), LP_OK);
    assert_true(o.n_gpus == 1 && o.gpu[0] == 2);
    assert_int_equal(lp_run_devices_parse("1,0,12", &o, &err), LP_OK);
    assert_true(o.n_gpus == 3 && o.gpu[0] == 1 && o.gpu[1] == 0 && o.gpu[2] == 12);
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (lp_run_devices_parse(bad[i], &o, &err) != LP_EARG) fail_msg("%s", bad[i]);
        assert_int_equal(o.n_gpus, 3);
    }
}

static void cpu(void **state)
{
    lp_run_device d[LP_RUN_GPUS];
    lp_run_options o = {.session = {.backend = "cpu"}, .n_gpus = 2, .gpu = {0, 5}};
    int n = 0;

    (void)state;
    assert_int_equal(lp_run_devices_find(&o, d, &n, NULL), LP_OK);
    assert_true(n == 1 && d[0].gpu == -1); /* names of GPUs mean nothing to it */
    o.session.backend = "abacus";
    assert_true(lp_run_devices_find(&o, d, &n, NULL) != LP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busiest),
        cmocka_unit_test(summary),
        cmocka_unit_test(gpus),
        cmocka_unit_test(cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
