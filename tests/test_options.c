/* test_options - the command line table (host/options.h): every kind, every spelling, and that
 * each mistake is one clear line. */
#include "lp_test.h"

#include "host/options.h"

typedef struct {
    int on, off, whole;
    double number, pair[2];
    const char *text;
} values;

static values v;

static const lp_option table[] = {
    {"Group", LP_OPT_GROUP, NULL, NULL, NULL},
    {"switch_on", LP_OPT_ON, &v.on, NULL, "h"},
    {"switch_off", LP_OPT_OFF, &v.off, NULL, "h"},
    {"whole", LP_OPT_INT, &v.whole, "N", "h"},
    {"number", LP_OPT_DOUBLE, &v.number, "X", "h"},
    {"two_numbers", LP_OPT_DOUBLE2, v.pair, "LO HI", "h"},
    {"text", LP_OPT_STRING, &v.text, "T", "h"},
    {"ignored", LP_OPT_INT, NULL, NULL, NULL},
    {"o", LP_OPT_STRING, &v.text, "FILE", "h"},
    {"refused", LP_OPT_REFUSED, NULL, "not here", NULL},
    {NULL, LP_OPT_GROUP, NULL, NULL, NULL},
};
enum { SWITCH_ON = 1, TWO_NUMBERS = 5 };

static char *rest[16];
static int n_rest;
static char seen[16];
static lp_err err;

/* The words of a command line, parsed. */
static lp_status parse(int argc, const char **words)
{
    v = (values){.off = 1};
    memset(seen, 0, sizeof seen);
    n_rest = -1;
    err = (lp_err){LP_OK, ""};
    return lp_options_parse(table, argc, (char **)(size_t)words, rest, &n_rest, seen, &err);
}
#define PARSE(...)                                                                                 \
    parse((int)(sizeof((const char *[]){"x", __VA_ARGS__}) / sizeof(char *)),                      \
          (const char *[]){"x", __VA_ARGS__})
#define REFUSE(part, ...)                                                                          \
    do {                                                                                           \
        if (PARSE(__VA_ARGS__) != LP_EARG || !strstr(err.msg, part) || strchr(err.msg, '\n') ||    \
            n_rest != -1)                                                                          \
            fail_msg("%s:%d: '%s' instead of '%s'", __FILE__, __LINE__, err.msg, part);            \
    } while (0)

static void every_kind(void **state)
{
    (void)state;
    assert_int_equal(PARSE("a", "--switch_on", "b", "--switch_off", "--whole", "-7", "--number",
                           "-1.5e-3", "--two_numbers", "1", "99.5", "--text", "t", "c"),
                     LP_OK);
    assert_true(v.on == 1 && v.off == 0 && v.whole == -7 && v.number == -1.5e-3);
    assert_true(v.pair[0] == 1 && v.pair[1] == 99.5);
    assert_string_equal(v.text, "t");
    assert_int_equal(n_rest, 3);
    assert_string_equal(rest[0], "a");
    assert_string_equal(rest[2], "c");
    assert_true(seen[SWITCH_ON] && seen[TWO_NUMBERS] && !seen[0]);
    assert_int_equal(PARSE("a"), LP_OK);
    assert_true(v.on == 0 && v.off == 1 && !seen[SWITCH_ON]);
    assert_int_equal(parse(1, (const char *[]){"x"}), LP_OK);
    assert_int_equal(n_rest, 0);
}

static void every_spelling(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--switch-on", "--whole=5", "--two-numbers=2,98", "--text=--a=b"),
                     LP_OK);
    assert_true(v.on == 1 && v.whole == 5 && v.pair[0] == 2 && v.pair[1] == 98);
    assert_string_equal(v.text, "--a=b");
    assert_int_equal(PARSE("--two_numbers", "0:5", "next"), LP_OK);
    assert_true(v.pair[0] == 0 && v.pair[1] == 5 && n_rest == 1);
    assert_int_equal(PARSE("--text=", "-", "--", "--whole", "-x", "--"), LP_OK);
    assert_string_equal(v.text, "");
    assert_int_equal(n_rest, 4);
    assert_string_equal(rest[0], "-");
    assert_string_equal(rest[1], "--whole");
    assert_string_equal(rest[3], "--");
    assert_int_equal(PARSE("--whole", "1", "--whole", "2"), LP_OK); /* the last one counts */
    assert_int_equal(v.whole, 2);
    assert_int_equal(PARSE("--ignored", "3", "--text", "-1"), LP_OK);
    assert_string_equal(v.text, "-1");
    assert_int_equal(PARSE("--whole", "2147483647"), LP_OK);
    assert_int_equal(PARSE("-o", "f", "g"), LP_OK);
    assert_string_equal(v.text, "f");
    assert_int_equal(n_rest, 1);
}

static void mistakes(void **state)
{
    char *huge = malloc(100001);

    (void)state;
    assert_non_null(huge);
    memset(huge, 'a', 100000);
    huge[0] = huge[1] = '-';
    huge[100000] = 0;
    REFUSE("unknown option --nothing", "--nothing");
    REFUSE("did you mean --number?", "--numbr", "5");
    REFUSE("did you mean --two_numbers?", "--two");
    REFUSE("did you mean --switch_on?", "--swich-on");
    REFUSE("--help lists them", "--zzzzzzzz=1");
    REFUSE("unknown option -t", "-t");
    REFUSE("unknown option -ox", "-ox");
    REFUSE("unknown option --p: --help", "--p"); /* one letter is near everything */
    REFUSE("-o: needs a value (FILE)", "-o");
    REFUSE("unknown option", "--=4");
    REFUSE("unknown option --Group", "--Group");
    REFUSE("unknown option --refuse", "--refuse"); /* not listed, not suggested */
    REFUSE("--refused: not here", "--refused=1");
    REFUSE("unknown option", huge);
    REFUSE("--whole: needs a value (N)", "a", "--whole");
    REFUSE("--text: needs a value (T)", "--text", "--switch_on");
    REFUSE("--ignored: needs a value", "--ignored");
    REFUSE("--switch_on: takes no value", "--switch_on=1");
    REFUSE("--two_numbers: needs two", "--two_numbers", "1");
    REFUSE("--two_numbers 2x", "--two_numbers", "1", "2x");
    REFUSE("--two_numbers", "--two_numbers=1", "2");
    REFUSE("--two_numbers", "--two_numbers=1,");
    REFUSE("not a whole number", "--whole", "");
    REFUSE("not a whole number", "--whole", "1.5");
    REFUSE("not a whole number", "--whole", "2147483648");
    REFUSE("not a whole number", "--whole", "99999999999999999999");
    REFUSE("not a whole number", "--whole", "7 ");
    REFUSE("not a number", "--number", "");
    REFUSE("not a number", "--number", "nan");
    REFUSE("not a number", "--number", "inf");
    REFUSE("not a number", "--number", "1e999");
    REFUSE("not a number", "--number", "1,5");
    free(huge);
}

static void help(void **state)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    assert_non_null(f);
    lp_options_help(table, f);
    fclose(f);
    assert_non_null(strstr(text, "\nGroup\n"));
    assert_non_null(strstr(text, "--two_numbers LO HI"));
    assert_non_null(strstr(text, "  -o FILE"));
    assert_null(strstr(text, "ignored"));
    assert_null(strstr(text, "refused"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind),
        cmocka_unit_test(every_spelling),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
