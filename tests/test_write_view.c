/* test_write_view - the page of a saved run: what is in it (tests/cli/view.sh opens it in a
 * browser), and what it is made of. */
#include "tmp_dir.h"

#include <limits.h>

#include "host/overlay.h"
#include "host/results.h"
#include "host/run_files.h"
#include "host/write_png.h"
#include "host/write_view.h"

enum { LY = 6, LX = 9 };

/* A square of 2 x 2 pixels and one pixel. */
static uint32_t masks[LY * LX] = {
    [LX + 1] = 1, [LX + 2] = 1, [2 * LX + 1] = 1, [2 * LX + 2] = 1, [4 * LX + 6] = 2};

static char *page_of(lp_view *v, const lp_saved_run *r)
{
    lp_merged_particle known[2] = {{.support = 6.5000000596, .n_diameters = 3, .level = 5},
                                   {.support = 0.25, .n_diameters = 1, .level = 1}};
    lp_merged m = {LY, LX, masks, 2, known, 20};
    lp_labels lb = {masks, LY, LX};
    float plane[LY * LX];
    char *dir = lp_tmp_dir(), *page;
    lp_particle *p = NULL;
    int64_t n = 0;
    lp_err err;
    int i;

    for (i = 0; i < LY * LX; i++) plane[i] = (float)i;
    assert_int_equal(lp_measure_particles(&lb, plane, NULL, NULL, 0, NAN, &p, &n, &err), LP_OK);
    lp_results_take_merged(p, n, &m);
    v->run = r;
    v->merged = &m;
    v->particle = p;
    v->plane = plane;
    if (lp_write_view(lp_tmp_path(dir, "v.html"), v, &err)) fail_msg("%s", err.msg);
    page = lp_tmp_read(lp_tmp_path(dir, "v.html"), NULL);
    assert_int_equal(lp_tmp_count(dir, NULL), 1);
    free(p);
    lp_tmp_remove(dir);
    return page;
}

static void has(const char *page, const char *text)
{
    if (!strstr(page, text)) fail_msg("not in the page: %s", text);
}

static void has_not(const char *page, const char *text)
{
    if (strstr(page, text)) fail_msg("in the page: %s", text);
}

static lp_saved_run some_run(char *image)
{
    lp_saved_run r = {.image = image, .model = (char *)"d/m.h5", .page = 1, .pixel_nm = 0.5};
    static uint32_t one[LY * LX];

    assert_int_equal(lp_layers_new(LY, LX, &r.layers, NULL), LP_OK);
    assert_int_equal(lp_layers_add(r.layers, 20, one, 0, NULL, NULL, NULL), LP_OK);
    assert_int_equal(lp_layers_add(r.layers, 24.5, one, 0, NULL, NULL, NULL), LP_OK);
    return r;
}

static void parts(void **state)
{
    lp_saved_run r = some_run((char *)"a/b.mrc");
    lp_view v = {.file = "out/b_lipopose.h5", .threshold = 0.7};
    char *page = page_of(&v, &r);

    (void)state;
    has(page, "<title>b.mrc - lipopose</title>");
    has(page, "\"name\":\"b\"");
    has(page, "\"file\":\"out/b_lipopose.h5\"");
    has(page, "\"method\":\"scale\"");
    has(page, "\"threshold\":0.7,");
    has(page, "\"levels\":null");
    has(page, "\"diameters\":[20,24.5]");
    has(page, "\"reduced\":1,");
    has(page, "\"pixel_nm\":0.5,");
    has(page, "<script type=\"text/csv\" id=table>id,y_px,x_px,y_nm,");
    has(page, "\n1,1.5,1.5,0.75,0.75,4,1,");
    has(page, "\n2,4,6,2,3,1,0.25,");
    /* More digits than the table has. */
    has(page, "id=keys>6.5000000596,0.25<");
    /* 4 corners, y 1, x 1, right 2, down 2, left 2; 4 corners, y + 3, x + 5, right, down, left:
     * 04 02 02 04 04 03, 04 06 0a 02 02 01. */
    has(page, "id=outlines>BAICBAQDBAYKAgIB<");
    has(page, "src=\"data:image/png;base64,iVBORw0KGgo");
    has_not(page, "http:");
    has_not(page, "https:");
    free(page);
    lp_layers_free(&r.layers);
}

static void votes(void **state)
{
    lp_saved_run r = some_run((char *)"b.mrc");
    lp_view v = {
        .file = "b.h5", .method = "votes", .levels = "5,1", .threshold = 1, .level = {5, 1}};
    char *page;

    (void)state;
    v.n_levels = 2;
    page = page_of(&v, &r);
    has(page, "\"name\":\"b.h5\"");
    has(page, "\"method\":\"votes\"");
    has(page, "\"levels_given\":\"5,1\"");
    has(page, "\"levels\":[1,5]");
    has(page, "id=keys>5,1<");
    free(page);
    lp_layers_free(&r.layers);
}

static void strange_names(void **state)
{
    lp_saved_run r = some_run((char *)"x/<b>&\"</title>.mrc");
    lp_view v = {.file = "</script><script>x'\"\\\n_lipopose.h5", .image = "<!--<script>"};
    char *page = page_of(&v, &r);

    (void)state;
    has(page, "<title>title&gt;.mrc - lipopose</title>");
    has(page,
        "\"file\":\"\\u003c/script\\u003e\\u003cscript\\u003ex'\\\"\\\\\\u000a_lipopose.h5\"");
    has(page, "\"image_given\":\"\\u003c!--\\u003cscript\\u003e\"");
    has_not(page, "</script><script>x");
    has_not(page, "<!--");
    free(page);
    lp_layers_free(&r.layers);
}

static void cannot_be_written(void **state)
{
    lp_saved_run r = some_run((char *)"b.mrc");
    lp_merged m = {LY, LX, masks, 0, NULL, 20};
    float plane[LY * LX] = {0};
    lp_view v = {.file = "b.h5", .run = &r, .merged = &m, .plane = plane};
    lp_err err;

    (void)state;
    assert_int_equal(lp_write_view("/nowhere/v.html", &v, &err), LP_EIO);
    assert_non_null(strstr(err.msg, "/nowhere/v.html"));
    lp_layers_free(&r.layers);
}

static void grey_reduced(void **state)
{
    float image[4 * 11];
    lp_grey g = {0};
    int i;

    (void)state;
    for (i = 0; i < 44; i++) image[i] = (float)(i % 11 / 3); /* columns 0 0 0 1 1 1 2 2 2 3 3 */
    assert_int_equal(lp_overlay_grey(image, 4, 11, 4, &g, NULL), LP_OK);
    assert_int_equal(g.reduced, 3);
    assert_int_equal(g.Ly, 1);
    assert_int_equal(g.Lx, 3);
    assert_int_equal(g.data[0], 0);
    assert_int_equal(g.data[1], 128); /* halfway: 127.5 and a half, cut */
    assert_int_equal(g.data[2], 255);
    free(g.data);
    assert_int_equal(lp_overlay_grey(image, 4, 11, 11, &g, NULL), LP_OK);
    assert_int_equal(g.reduced, 1);
    assert_int_equal(g.Lx, 11);
    free(g.data);
}

static void png_in_memory(void **state)
{
    char *dir = lp_tmp_dir(), *file;
    size_t n = 0, n_png = 0, i;
    uint8_t *data = malloc(3 * 700 * 600), *png = NULL;

    (void)state;
    assert_non_null(data);
    for (i = 0; i < 3 * 700 * 600; i++) data[i] = (uint8_t)(i * 2654435761u >> 24);
    assert_int_equal(lp_write_png(lp_tmp_path(dir, "a.png"), data, 700, 600, 3, 8, NULL), LP_OK);
    assert_int_equal(lp_png_encode(data, 700, 600, 3, 8, &png, &n_png, NULL), LP_OK);
    file = lp_tmp_read(lp_tmp_path(dir, "a.png"), &n);
    assert_int_equal(n, n_png);
    assert_memory_equal(file, png, n);
    free(file);
    free(png);
    free(data);
    lp_tmp_remove(dir);
}

static void names_of_results(void **state)
{
    static char base[PATH_MAX];

    (void)state;
    assert_int_equal(lp_run_base("d/x_lipopose.h5", NULL, base, NULL), LP_OK);
    assert_string_equal(base, "d/x");
    assert_int_equal(lp_run_base("d/x_lipopose.h5", "o", base, NULL), LP_OK);
    assert_string_equal(base, "o/x");
    assert_int_equal(lp_run_base("_lipopose.h5", "o", base, NULL), LP_OK);
    assert_string_equal(base, "o/_lipopose.h5");
    assert_int_equal(lp_run_base("x.h5", NULL, base, NULL), LP_OK);
    assert_string_equal(base, "x.h5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts),
        cmocka_unit_test(votes),
        cmocka_unit_test(strange_names),
        cmocka_unit_test(cannot_be_written),
        cmocka_unit_test(grey_reduced),
        cmocka_unit_test(png_in_memory),
        cmocka_unit_test(names_of_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
