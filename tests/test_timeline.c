/* timeline: records of several tasks into rows over time. */
#include <cjson/cJSON.h>

#include "lp_test.h"
#include "tmp_dir.h"

#include "host/timeline.h"

static lp_gathered item[8];

/* A record; seconds: what stands between the braces. */
static void put(int i, const char *process, int worker, double began, double wall,
                const char *seconds, const char *error)
{
    static char image[8][16];
    char text[800];
    lp_err err;

    snprintf(text, sizeof text,
             "{\"file\":\"a.mrc\",\"status\":\"%s\",%s%s%s\"outputs\":[],\"seconds\":{%s},"
             "\"shard\":null,\"wall_s\":%.17g,\"began\":%.17g,\"worker\":%d,\"process\":\"%s\"}",
             error ? "failed" : "ok", error ? "\"error\":\"" : "", error ? error : "",
             error ? "\"," : "", seconds, wall, began, worker, process);
    lp_done_free(&item[i].record);
    memset(&item[i], 0, sizeof item[i]);
    if (lp_done_parse(text, strlen(text), &item[i].record, &err)) fail_msg("%s: %s", text, err.msg);
    snprintf(image[i], sizeof image[i], "<%d&\"", i);
    item[i].image = image[i];
}

static int teardown(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 8; i++) lp_done_free(&item[i].record);
    return 0;
}

static void tasks_and_stages(void **state)
{
    lp_gather g = {.item = item, .n = 6};
    lp_timeline t;
    lp_err err;
    double sum = 0;
    int k;

    (void)state;
    put(0, "b:2", 1, 1000.5, 2, "\"read\":0.5,\"net\":1", NULL);
    put(1, "a:1", 2, 1001, 3, "\"net\":3,\"masks\":3", NULL); /* which overlapped */
    put(2, "a:1", 1, 1000, 1, "\"net\":1", NULL);
    put(3, "a:1", 1, 1001, 1, "", "broken");
    put(4, "a:1", 1, 1002, 1, "", "never opened");
    cJSON_DeleteItemFromObject(item[4].record.json, "began");
    put(5, "old", 1, 1002, 1, "\"net\":1", NULL);
    cJSON_DeleteItemFromObject(item[5].record.json, "began");
    assert_int_equal(lp_timeline_new(&g, &t, &err), LP_OK);
    assert_int_equal(t.n, 4);
    assert_int_equal(t.failed, 2);
    assert_int_equal(t.unknown, 1);
    assert_int_equal(t.n_tasks, 2);
    assert_int_equal(t.n_lanes, 3);
    assert_int_equal(t.n_pauses, 0);
    assert_true(t.began == 1000);
    assert_true(t.span == 4);
    assert_string_equal(t.lane[0].process, "a:1");
    assert_int_equal(t.lane[0].n, 2);
    assert_int_equal(t.lane[1].worker, 2);
    assert_int_equal(t.lane[2].task, 1);
    assert_ptr_equal(t.bar[0].it, &item[2]);
    assert_true(t.bar[1].part[LP_TIMELINE_FAILED] == 1);
    for (k = 0; k < LP_TIMELINE_KINDS; k++) sum += t.bar[2].part[k];
    assert_true(sum > 0.999 && sum < 1.001);
    assert_true(t.bar[2].part[LP_TIMELINE_OTHER] == 0);
    assert_true(t.bar[3].part[LP_TIMELINE_OTHER] == 0.25f);
    assert_true(t.bar[3].begin == 0.5);
    lp_timeline_free(&t);
}

static void pauses(void **state)
{
    lp_gather g = {.item = item, .n = 3};
    lp_timeline t;
    lp_err err;

    (void)state;
    put(0, "a:1", 1, 1000, 50, "", NULL);
    put(1, "a:9", 1, 90000, 50, "", NULL); /* a day later */
    put(2, "a:9", 1, 90060, 50, "", NULL); /* no pause: short */
    assert_int_equal(lp_timeline_new(&g, &t, &err), LP_OK);
    assert_int_equal(t.n_pauses, 1);
    assert_true(t.pause[0].seconds == 88950);
    assert_true(t.span > 161 && t.span < 163);
    assert_true(t.bar[1].begin > 51 && t.bar[1].begin < 52);
    assert_true(t.pause[0].at > 50 && t.pause[0].at < t.bar[1].begin);
    lp_timeline_free(&t);
}

static char *page_of(const lp_gather *g)
{
    char *dir = lp_tmp_dir(), *text;
    const char *path = lp_tmp_path(dir, "p.html");
    lp_timeline t;
    lp_err err;

    assert_int_equal(lp_timeline_new(g, &t, &err), LP_OK);
    assert_int_equal(lp_timeline_write(&t, "<dir>", path, &err), LP_OK);
    text = lp_tmp_read(path, NULL);
    lp_timeline_free(&t);
    lp_tmp_remove(dir);
    return text;
}

static void page(void **state)
{
    lp_gather g = {.item = item, .n = 2};
    char *text;

    (void)state;
    put(0, "<b>", 1, 1000, 2, "\"<script>\":0.5,\"net\":1", NULL);
    put(1, "<b>", 1, 1002, 0, "\"net\":0", NULL);
    text = page_of(&g);
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "<dir>"));
    assert_null(strstr(text, "<b>&"));
    assert_non_null(
        strstr(text, "&lt;0&amp;&quot;: 2 s, &lt;script&gt; 25 %, net 50 %, other 25 %"));
    free(text);
    g.n = 0;
    text = page_of(&g);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    free(text);
    put(1, "<b>", 1, 1002, 0, "\"net\":0", NULL);
    g.item = item + 1;
    g.n = 1;
    text = page_of(&g);
    assert_null(strstr(text, "nan"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(tasks_and_stages, teardown),
        cmocka_unit_test_teardown(pauses, teardown),
        cmocka_unit_test_teardown(page, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
