/* GeoJSON: what QuPath and others write, and what must be refused. */
#include "lp_test.h"

#include "host/rasterize.h"
#include "host/read_geojson.h"

#define BOX "[[[1,1],[4,1],[4,3],[1,3],[1,1]]]"
#define FEATURE(geometry) "{\"type\":\"Feature\",\"geometry\":" geometry ",\"properties\":{}}"
#define POLYGON(c) "{\"type\":\"Polygon\",\"coordinates\":" c "}"

static void expect(const char *text, const char *want)
{
    lp_shapes s = {0};
    lp_labels lb;
    lp_err err;
    int i;

    if (lp_geojson_parse(text, strlen(text), &s, &err)) fail_msg("%s", err.msg);
    assert_int_equal(lp_rasterize(&s, 4, 5, &lb, NULL), LP_OK);
    for (i = 0; i < 20; i++)
        if (lb.data[i] != (uint32_t)(want[i] == '.' ? 0 : want[i] - '0'))
            fail_msg("pixel %d, %d is %u", i / 5, i % 5, lb.data[i]);
    lp_labels_free(&lb);
    lp_shapes_free(&s);
}

static void refused(const char *text, const char *why)
{
    lp_shapes s = {0};
    lp_err err;

    assert_int_equal(lp_geojson_parse(text, strlen(text), &s, &err), LP_EFORMAT);
    if (!strstr(err.msg, why)) fail_msg("%s: %s", text, err.msg);
    lp_shapes_free(&s);
}

static void kinds(void **state)
{
    (void)state;
    expect(FEATURE(POLYGON(BOX)), "......111..111......");
    expect("[" FEATURE(POLYGON(BOX)) "]", "......111..111......");
    expect("[]", "....................");
    expect("{\"type\":\"FeatureCollection\",\"features\":[" FEATURE(POLYGON(BOX)) "," FEATURE(
               POLYGON("[[[0,0],[0,1],[2,1.4],[1e0,0]]]")) "]}",
           "2.....111..111......"); /* not closed, fractions */
    /* A hole; further coordinates and members are passed over, in any order. */
    expect("{\"properties\":{\"objectType\":\"annotation\",\"classification\":{\"name\":\"x\"}},"
           "\"nucleusGeometry\":3,\"id\":\"abc\",\"type\":\"Feature\",\"geometry\":{\"plane\":{"
           "\"c\":-1,"
           "\"z\":0,\"t\":0},\"coordinates\":[[[0,0,7],[5,0,7],[5,4,7],[0,4,7],[0,0,7]],"
           "[[1,1],[1,3],[4,3],[4,1],[1,1]]],\"type\":\"Polygon\"}}",
           "111111...11...111111");
    expect(FEATURE("{\"type\":\"MultiPolygon\",\"coordinates\":["
                   "[[[0,0],[1,0],[1,1],[0,1],[0,0]]],[[[4,3],[5,3],[5,4],[4,4],[4,3]]]]}"),
           "1..................1");
    expect(FEATURE("{\"type\":\"GeometryCollection\",\"geometries\":[" POLYGON(BOX) "," POLYGON(
               "[[[0,0],[1,0],[1,1],[0,1],[0,0]]]") "]}"),
           "1.....111..111......");
}

static void bad(void **state)
{
    (void)state;
    refused("", "no JSON");
    refused("{\"type\":\"FeatureCollection\",\"features\":[", "no JSON");
    refused("{}", "no GeoJSON");
    refused("3", "no GeoJSON");
    refused("{\"type\":\"FeatureCollection\"}", "no GeoJSON");
    refused(POLYGON(BOX), "no GeoJSON");
    refused("[3]", "number 1 of the list is no Feature");
    refused("[" FEATURE(POLYGON(BOX)) "," FEATURE("null") "]", "Feature 2: a Feature without");
    refused("[" FEATURE("{\"type\":\"Point\",\"coordinates\":[1,1]}") "]", "Feature 1: Point");
    refused(FEATURE("{\"type\":\"LineString\",\"coordinates\":[[1,1],[2,2]]}"), "LineString");
    refused(FEATURE(POLYGON("[]")), "without rings");
    refused(FEATURE("{\"type\":\"Polygon\"}"), "without rings");
    refused(FEATURE("{\"type\":\"MultiPolygon\",\"coordinates\":[]}"), "without rings");
    refused(FEATURE("{\"type\":\"GeometryCollection\",\"geometries\":[]}"), "empty");
    refused(FEATURE(POLYGON("[3]")), "no list");
    refused(FEATURE(POLYGON("[[]]")), "0 points");
    refused(FEATURE(POLYGON("[[[1,1],[2,2],[1,1]]]")), "2 points");
    refused(FEATURE(POLYGON("[[[1,1],[2,2],[\"1\",1],[1,1]]]")), "without x and y");
    refused(FEATURE(POLYGON("[[[1,1],[2],[1,3],[1,1]]]")), "without x and y");
    refused(FEATURE(POLYGON("[[[1,1],[2,1e999],[1,3],[1,1]]]")), "a point at");
    refused(FEATURE(POLYGON("[[[1,1],[2,1e7],[1,3],[1,1]]]")), "a point at");
    refused(FEATURE(POLYGON("[[[1,1],[2,NaN],[1,3],[1,1]]]")), "no JSON");
}

/* Collections in collections, deeper than anybody writes. */
static void deep(void **state)
{
    enum { DEPTH = 200 };
    static const char part[] = "{\"type\":\"GeometryCollection\",\"geometries\":[";
    char *text = calloc(1, sizeof part * DEPTH + 2 * DEPTH + 1000), *p = text;
    int i;

    (void)state;
    assert_non_null(text);
    p += sprintf(p, "{\"type\":\"Feature\",\"geometry\":");
    for (i = 0; i < DEPTH; i++) p += sprintf(p, "%s", part);
    p += sprintf(p, "%s", POLYGON(BOX));
    for (i = 0; i < DEPTH; i++) p += sprintf(p, "]}");
    sprintf(p, "}");
    refused(text, "GeometryCollection is no outline");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(bad),
        cmocka_unit_test(deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
