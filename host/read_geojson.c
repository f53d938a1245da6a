#include "read_geojson.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "read_text.h"

#define MAX_BYTES ((size_t)1 << 28)

static int is(const cJSON *j, const char *type)
{
    const char *t = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(j, "type"));

    return t && !strcmp(t, type);
}

static int same(const cJSON *a, const cJSON *b)
{
    const cJSON *x = a->child, *y = b->child;

    return x->valuedouble == y->valuedouble && x->next->valuedouble == y->next->valuedouble;
}

static int is_point(const cJSON *j)
{
    return cJSON_IsArray(j) && cJSON_IsNumber(j->child) && cJSON_IsNumber(j->child->next);
}

static lp_status ring(const cJSON *j, lp_shapes *s, lp_err *err)
{
    const cJSON *p, *last = NULL;
    int64_t n = 0;
    lp_status st;

    if (!cJSON_IsArray(j)) return lp_fail(err, LP_EFORMAT, "a ring that is no list of points");
    if ((st = lp_shapes_ring(s, err))) return st;
    cJSON_ArrayForEach(p, j)
    {
        if (!is_point(p)) return lp_fail(err, LP_EFORMAT, "a point without x and y");
        last = p;
    }
    cJSON_ArrayForEach(p, j)
    {
        /* The first point comes again as the last. */
        if (p == last && n > 0 && same(p, j->child)) break;
        st = lp_shapes_point(s, p->child->next->valuedouble, p->child->valuedouble, err);
        if (st) return st;
        n++;
    }
    return n < 3 ? lp_fail(err, LP_EFORMAT, "a ring of %d points", (int)n) : LP_OK;
}

static lp_status polygon(const cJSON *rings, lp_shapes *s, lp_err *err)
{
    const cJSON *r;
    lp_status st;

    if (!cJSON_IsArray(rings) || !rings->child)
        return lp_fail(err, LP_EFORMAT, "a polygon without rings");
    cJSON_ArrayForEach(r, rings)
    {
        if ((st = ring(r, s, err))) return st;
    }
    return LP_OK;
}

/* depth: of collections in collections. */
static lp_status geometry(const cJSON *g, int depth, lp_shapes *s, lp_err *err)
{
    const cJSON *c = cJSON_GetObjectItemCaseSensitive(g, "coordinates"), *p;
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(g, "type"));
    lp_status st;

    if (is(g, "Polygon")) return polygon(c, s, err);
    if (is(g, "MultiPolygon")) {
        if (!cJSON_IsArray(c) || !c->child)
            return lp_fail(err, LP_EFORMAT, "a polygon without rings");
        cJSON_ArrayForEach(p, c)
        {
            if ((st = polygon(p, s, err))) return st;
        }
        return LP_OK;
    }
    if (is(g, "GeometryCollection") && depth < 8) {
        c = cJSON_GetObjectItemCaseSensitive(g, "geometries");
        if (!cJSON_IsArray(c) || !c->child) return lp_fail(err, LP_EFORMAT, "an empty collection");
        cJSON_ArrayForEach(p, c)
        {
            if ((st = geometry(p, depth + 1, s, err))) return st;
        }
        return LP_OK;
    }
    return lp_fail(err, LP_EFORMAT, "%.40s is no outline: delete it, or draw a polygon",
                   type ? type : "a Feature without geometry");
}

static lp_status features(const cJSON *list, lp_shapes *s, lp_err *err)
{
    const cJSON *f;
    int64_t n = 0;
    lp_err why;
    lp_status st;

    cJSON_ArrayForEach(f, list)
    {
        n++;
        if (!is(f, "Feature"))
            return lp_fail(err, LP_EFORMAT, "number %lld of the list is no Feature", (long long)n);
        if ((st = lp_shapes_begin(s, LP_SHAPE_RINGS, err))) return st;
        st = geometry(cJSON_GetObjectItemCaseSensitive(f, "geometry"), 0, s, &why);
        if (st) return lp_fail(err, st, "Feature %lld: %.400s", (long long)n, why.msg);
    }
    return LP_OK;
}

lp_status lp_geojson_parse(const char *text, size_t n, lp_shapes *s, lp_err *err)
{
    const char *end = NULL;
    cJSON *j = cJSON_ParseWithLengthOpts(text, n, &end, 0), *list;
    lp_status st;

    if (!j)
        return lp_fail(err, LP_EFORMAT, "no JSON, or damaged, at byte %zu",
                       end ? (size_t)(end - text) : 0);
    list = cJSON_GetObjectItemCaseSensitive(j, "features");
    if (is(j, "FeatureCollection") && cJSON_IsArray(list)) {
        st = features(list, s, err);
    } else if (cJSON_IsArray(j)) {
        st = features(j, s, err);
    } else if (is(j, "Feature")) {
        st = lp_shapes_begin(s, LP_SHAPE_RINGS, err);
        if (!st) st = geometry(cJSON_GetObjectItemCaseSensitive(j, "geometry"), 0, s, err);
    } else {
        st = lp_fail(err, LP_EFORMAT, "no GeoJSON: neither a FeatureCollection nor Features");
    }
    cJSON_Delete(j);
    return st;
}

lp_status lp_read_geojson(const char *path, lp_shapes *s, lp_err *err)
{
    char *text = NULL;
    size_t n = 0;
    lp_err why;
    lp_status st = lp_read_text(path, MAX_BYTES, &text, &n, err);

    if (st) return st;
    if ((st = lp_geojson_parse(text, n, s, &why)))
        st = lp_fail(err, st, "%.400s: %.500s", path, why.msg);
    free(text);
    return st;
}
