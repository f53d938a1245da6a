/* test_html - text, JSON and base64 in a page (host/html.h). */
#include "lp_test.h"

#include "host/html.h"

static char *buf;
static size_t size;

static FILE *begin(void)
{
    FILE *f = open_memstream(&buf, &size);

    assert_non_null(f);
    return f;
}

static void expect(FILE *f, const char *want)
{
    assert_int_equal(fclose(f), 0);
    assert_string_equal(buf, want);
    free(buf);
}

static void text(void **state)
{
    FILE *f = begin();

    (void)state;
    lp_html_text(f, "<a> & \"b\"\n\x01 'c' \xc3\xa9");
    expect(f, "&lt;a&gt; &amp; &quot;b&quot;?? 'c' \xc3\xa9");
}

static void json(void **state)
{
    FILE *f = begin();

    (void)state;
    lp_html_json(f, "</script><!-- \"\\\n\x7f&' \xc3\xa9");
    expect(f, "\"\\u003c/script\\u003e\\u003c!-- \\\"\\\\\\u000a\\u007f\\u0026' \xc3\xa9\"");
    f = begin();
    lp_html_json(f, NULL);
    expect(f, "\"\"");
}

/* RFC 4648, section 10, and lengths around the writer's buffer. */
static void base64(void **state)
{
    static const char *const pair[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    uint8_t zeros[3075] = {0};
    size_t i, n;
    FILE *f;

    (void)state;
    for (i = 0; i < sizeof pair / sizeof *pair; i++) {
        f = begin();
        lp_html_base64(f, (const uint8_t *)pair[i][0], strlen(pair[i][0]));
        expect(f, pair[i][1]);
    }
    for (n = 3069; n <= 3075; n++) {
        f = begin();
        lp_html_base64(f, zeros, n);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(size, (n + 2) / 3 * 4);
        assert_int_equal(strspn(buf, "A"), (n * 8 + 5) / 6);
        free(buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text),
        cmocka_unit_test(json),
        cmocka_unit_test(base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
