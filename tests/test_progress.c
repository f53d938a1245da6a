/* Progress lines and JSON records. */
#include "lp_test.h"

#include <cJSON.h>
#include <omp.h>

#include "host/json_log.h"
#include "host/progress.h"

static void the_line(void **state)
{
    lp_progress_state s = {12, 40, 300, 1200, 10, "b.mrc"};
    char b[512];

    (void)state;
    lp_progress_format(b, sizeof b, &s, 200, 0);
    assert_string_equal(b, "12/40 micrographs  300/1200 tiles  30 tiles/s  ETA 00:30  b.mrc");
    lp_progress_format(b, sizeof b, &s, 200, 1);
    assert_string_equal(b, "[=====>              ] 12/40 micrographs  300/1200 tiles  30 tiles/s  "
                           "ETA 00:30  b.mrc");
    lp_progress_format(b, sizeof b, &s, 50, 1);
    assert_int_equal(strlen(b), 50);
    s.seconds = 36000;
    lp_progress_format(b, sizeof b, &s, 200, 0);
    assert_string_equal(b, "12/40 micrographs  300/1200 tiles  120 s/tile  ETA 30:00:00  b.mrc");
    /* Done, nothing known, nothing to do. */
    s = (lp_progress_state){40, 40, 7, 7, 10, NULL};
    lp_progress_format(b, sizeof b, &s, 200, 1);
    assert_string_equal(b, "[====================] 40/40 micrographs  7/7 tiles  1 s/tile");
    s = (lp_progress_state){0, 0, 0, 0, 0, ""};
    lp_progress_format(b, sizeof b, &s, 200, 0);
    assert_string_equal(b, "0/0 micrographs");
    /* A hostile name, cut between characters. */
    s = (lp_progress_state){1, 2, 0, 0, 4, "a\033[2J\nb\xc3\xa9\xc3\xa9z"};
    lp_progress_format(b, sizeof b, &s, 200, 0);
    assert_string_equal(b, "1/2 micrographs  ETA 00:04  a?[2J?b\xc3\xa9\xc3\xa9z");
    lp_progress_format(b, sizeof b, &s, 36, 0);
    assert_string_equal(b, "1/2 micrographs  ETA 00:04  a?[2J?b\xc3\xa9");
}

static char *captured(lp_progress_mode mode)
{
    FILE *f = tmpfile();
    lp_progress *p = lp_progress_new(f, mode);
    char *text = calloc(1, 100000);
    int i;

    assert_non_null(p);
    lp_progress_add_total(p, 2, 1000);
    lp_progress_image_start(p, "dir/a.mrc");
#pragma omp parallel for num_threads(4)
    for (i = 0; i < 1000; i++) lp_progress_tiles_done(p, 1);
    lp_progress_image_done(p, "dir/a.mrc", "25 particles");
    lp_progress_message(p, "b.mrc: something odd");
    lp_progress_image_done(p, "dir/b.mrc", "0 particles");
    lp_progress_free(&p);
    assert_null(p);
    lp_progress_free(&p);
    rewind(f);
    assert_true(fread(text, 1, 99999, f) < 99999);
    fclose(f);
    return text;
}

static void in_a_log(void **state)
{
    char *s = captured(LP_PROGRESS_AUTO); /* a file is no terminal */

    (void)state;
    assert_string_equal(s, "[1/2] dir/a.mrc: 25 particles\nb.mrc: something odd\n"
                           "[2/2] dir/b.mrc: 0 particles\n");
    free(s);
}

static void on_a_terminal(void **state)
{
    char *s = captured(LP_PROGRESS_TERMINAL), *p, *message = strstr(s, "b.mrc: something odd\n");

    (void)state;
    assert_non_null(message);
    assert_int_equal(message[-1], '\r'); /* the line was wiped before it */
    assert_non_null(strstr(s, "2/2 micrographs  1000/1000 tiles"));
    assert_null(strchr(s, '\033'));
    assert_true(strlen(s) < 2000); /* not a line per tile */
    for (p = s; *p && p < message; p++) assert_int_not_equal(*p, '\n');
    assert_int_equal(s[strlen(s) - 1], '\r'); /* nothing is left standing */
    free(s);
}

static void quiet(void **state)
{
    char *s = captured(LP_PROGRESS_QUIET);

    (void)state;
    assert_string_equal(s, "b.mrc: something odd\n");
    free(s);
    lp_progress_add_total(NULL, 1, 1);
    lp_progress_tiles_done(NULL, 1);
    lp_progress_image_start(NULL, "x");
    lp_progress_image_done(NULL, "x", "");
    lp_progress_message(NULL, "x");
    lp_progress_free(NULL);
}

static void json_record(void **state)
{
    static const char *const outputs[] = {"out/a_cp_masks.tif", "out/a_particles.csv"};
    lp_json_stage stages[] = {{"read", 0.0125}, {"net", 1.5}};
    lp_json_record r = {.file = "a.mrc",
                        .particles = 25,
                        .diameter = 30.5,
                        .Ly = 512,
                        .Lx = 564,
                        .pixel_nm = 0.1f,
                        .stages = stages,
                        .n_stages = 2,
                        .outputs = outputs,
                        .n_outputs = 2,
                        .pages = 3,
                        .bytes = 123456789012,
                        .mtime = "1700000000.000000001",
                        .settings = "ab",
                        .shard = "2/4",
                        .started_s = 0.75,
                        .wall_s = 1.5,
                        .began = 1700000000.125,
                        .worker = 2,
                        .process = "node:12",
                        .peak_mib = 100.25};
    char *s = NULL, *skipped;
    cJSON *j;

    (void)state;
    assert_int_equal(lp_json_format(&r, &s, NULL), LP_OK);
    assert_string_equal(s, "{\"file\":\"a.mrc\",\"page\":0,\"status\":\"ok\",\"error\":null,"
                           "\"particles\":25,\"diameter\":30.5,"
                           "\"diameters\":null,\"pilot\":null,\"ly\":512,\"lx\":564,"
                           "\"pixel_nm\":0.100000001,\"seconds\":{\"read\":0.0125,\"net\":1.5},"
                           "\"outputs\":[\"out/a_cp_masks.tif\",\"out/a_particles.csv\"],"
                           "\"pages\":3,\"only_page\":null,\"bytes\":123456789012,"
                           "\"mtime\":\"1700000000.000000001\",\"settings\":\"ab\","
                           "\"shard\":\"2/4\",\"skipped\":false,\"wall_s\":1.5,"
                           "\"began\":1700000000.125,\"started_s\":0.75,\"worker\":2,"
                           "\"process\":\"node:12\","
                           "\"peak_mib\":100.25}");
    j = cJSON_Parse(s);
    skipped = lp_json_skipped(j);
    cJSON_Delete(j);
    assert_non_null(strstr(skipped, "\"skipped\":true,\"wall_s\":1.5"));
    free(skipped);
    free(s);
}

static void json_failure_and_odd_names(void **state)
{
    lp_json_stage nan = {"read", NAN};
    lp_json_record r = {.file =
                            "d\xc3\xa9j\xe0 \"x\"\n\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf\xe2\x82",
                        .error = "cannot read '\xff'",
                        .particles = -1,
                        .wall_s = NAN,
                        .diameter = NAN,
                        .stages = &nan,
                        .n_stages = 1};
    char *s = NULL;
    cJSON *j;

    (void)state;
    assert_int_equal(lp_json_format(&r, &s, NULL), LP_OK);
    assert_null(strchr(s, '\n'));
    j = cJSON_Parse(s);
    assert_non_null(j);
    assert_string_equal(cJSON_GetObjectItem(j, "file")->valuestring,
                        "d\xc3\xa9j\\xe0 \"x\"\n\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xc0\\xaf"
                        "\\xe2\\x82");
    assert_string_equal(cJSON_GetObjectItem(j, "status")->valuestring, "failed");
    assert_string_equal(cJSON_GetObjectItem(j, "error")->valuestring, "cannot read '\\xff'");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(j, "particles")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(j, "diameter")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(j, "pixel_nm")));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetObjectItem(j, "seconds"), "read")));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(j, "outputs")), 0);
    cJSON_Delete(j);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line),      cmocka_unit_test(in_a_log),
        cmocka_unit_test(on_a_terminal), cmocka_unit_test(quiet),
        cmocka_unit_test(json_record),   cmocka_unit_test(json_failure_and_odd_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
