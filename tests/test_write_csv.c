/* The table of particles, field by field. */
#include "tmp_dir.h"

#include <locale.h>

#include "host/number.h"
#include "host/write_csv.h"

static char *write_and_read(const lp_particle *p, int64_t n, double nm)
{
    char *dir = lp_tmp_dir(), *text;
    const char *path = lp_tmp_path(dir, "x_particles.csv");
    lp_err err;

    assert_int_equal(lp_write_csv(path, p, n, nm, &err), LP_OK);
    text = lp_tmp_read(path, NULL);
    lp_tmp_remove(dir);
    return text;
}

static lp_particle example(void)
{
    lp_particle p = {.id = 7,
                     .y = 10.5,
                     .x = 20.25,
                     .area = 100,
                     .diameter = 11.28379167,
                     .major = 12,
                     .minor = 10,
                     .orientation = -45,
                     .circularity = 0.9876543,
                     .mean_intensity = 123.456789,
                     .support = 1.5,
                     .n_diameters = 2,
                     .diameter_min = 30,
                     .diameter_max = 30,
                     .level = 0,
                     .mean_cellprob = NAN,
                     .flow_error = 0.0123,
                     .touches_edge = 1,
                     .agreement = 4.25,
                     .company = NAN};
    return p;
}

static int commas(const char *s, const char *end)
{
    int n = 0;

    for (; s < end; s++) n += *s == ',';
    return n;
}

static void known_and_unknown_pixel_size(void **state)
{
    lp_particle p = example();
    char *s = write_and_read(&p, 1, 2), *line = strchr(s, '\n') + 1;

    (void)state;
    assert_int_equal(strncmp(s, lp_csv_header, strlen(lp_csv_header)), 0);
    assert_string_equal(line, "7,10.5,20.25,21,40.5,100,400,11.28379,22.56758,12,10,-45,0.9876543,"
                              "123.4568,1.5,2,30,30,0,,0.0123,1,4.25,\n");
    assert_int_equal(commas(s, line), commas(line, line + strlen(line)));
    free(s);
    s = write_and_read(&p, 1, 0);
    line = strchr(s, '\n') + 1;
    assert_string_equal(line, "7,10.5,20.25,,,100,,11.28379,,12,10,-45,0.9876543,"
                              "123.4568,1.5,2,30,30,0,,0.0123,1,4.25,\n");
    free(s);
    s = write_and_read(&p, 1, NAN);
    assert_string_equal(strchr(s, '\n') + 1, line = strstr(s, "7,10.5,20.25,,,"));
    free(s);
}

static void header_without_particles(void **state)
{
    char *s = write_and_read(NULL, 0, 1.5);

    (void)state;
    assert_int_equal(strlen(s), strlen(lp_csv_header) + 1);
    assert_int_equal(s[strlen(s) - 1], '\n');
    assert_int_equal(strncmp(s, "id,y_px,x_px,y_nm,x_nm,area_px,", 31), 0);
    free(s);
}

static void numbers(void **state)
{
    char b[LP_NUMBER_MAX];

    (void)state;
    assert_string_equal(lp_number_format(b, 0.1f, 7), "0.1");
    assert_string_equal(lp_number_format(b, -0.0, 7), "0");
    assert_string_equal(lp_number_format(b, 1e-30, 7), "1e-30");
    assert_string_equal(lp_number_format(b, -1.5e300, 17), "-1.5000000000000001e+300");
    assert_string_equal(lp_number_format(b, NAN, 7), "");
    assert_string_equal(lp_number_format(b, INFINITY, 7), "");
    assert_string_equal(lp_number_format(b, 1234567, 3), "1.23e+06");
}

/* Skipped where the machine has no locale with a decimal comma. */
static void decimal_comma(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8",
                                        "de_DE"};
    char b[LP_NUMBER_MAX], c[16];
    size_t i;

    (void)state;
    for (i = 0; i < 5 && !setlocale(LC_NUMERIC, names[i]); i++) {
    }
    snprintf(c, sizeof c, "%.1f", 0.5);
    lp_number_format(b, 0.5, 7);
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(b, "0.5");
    if (!strcmp(c, "0.5")) {
        print_message("skip: no locale with a decimal comma\n");
        skip();
    }
}

static void no_folder(void **state)
{
    lp_err err;

    (void)state;
    assert_int_equal(lp_write_csv("/dev/null/x.csv", NULL, 0, 0, &err), LP_EIO);
    assert_non_null(strstr(err.msg, "/dev/null/x.csv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_and_unknown_pixel_size),
        cmocka_unit_test(header_without_particles),
        cmocka_unit_test(numbers),
        cmocka_unit_test(decimal_comma),
        cmocka_unit_test(no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
