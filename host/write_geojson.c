#include "write_geojson.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "atomic.h"
#include "number.h"
#include "polygons.h"

/* "[[x,y],...]" of a ring; GeoJSON names the first point again at the end. */
static void ring(FILE *f, const lp_polygons *g, int64_t r)
{
    int64_t i, n = g->start[r + 1] - g->start[r];
    const int32_t(*p)[2] = (const int32_t(*)[2])g->yx + g->start[r];

    fputc('[', f);
    for (i = 0; i <= n; i++)
        fprintf(f, "%s[%d,%d]", i ? "," : "", (int)p[i % n][1], (int)p[i % n][0]);
    fputc(']', f);
}

static void polygon(FILE *f, const lp_polygons *g, const lp_polygon *q)
{
    int64_t r;

    fputc('[', f);
    for (r = q->first; r < q->first + q->n_rings; r++) {
        if (r > q->first) fputc(',', f);
        ring(f, g, r);
    }
    fputc(']', f);
}

static void measurement(FILE *f, const char *name, double v, int *any)
{
    char buf[LP_NUMBER_MAX];

    if (!isfinite(v)) return;
    fprintf(f, "%s\"%s\":%s", *any ? "," : "", name, lp_number_format(buf, v, 7));
    *any = 1;
}

/* One label, polygons q [k]. */
static void feature(FILE *f, const lp_polygons *g, const lp_polygon *q, int64_t k,
                    const lp_particle *p, double nm)
{
    int64_t i;
    int any = 0;

    fprintf(f, "{\"type\":\"Feature\",\"geometry\":{\"type\":\"%sPolygon\",\"coordinates\":",
            k > 1 ? "Multi" : "");
    if (k > 1) fputc('[', f);
    for (i = 0; i < k; i++) {
        if (i) fputc(',', f);
        polygon(f, g, &q[i]);
    }
    if (k > 1) fputc(']', f);
    fprintf(f, "},\"properties\":{\"objectType\":\"annotation\",\"name\":\"%u\",\"measurements\":{",
            (unsigned)p->id);
    measurement(f, "support", p->support, &any);
    measurement(f, "n_diameters", p->n_diameters, &any);
    measurement(f, "area_px", (double)p->area, &any);
    measurement(f, "diameter_px", p->diameter, &any);
    measurement(f, "diameter_nm", p->diameter * nm, &any);
    measurement(f, "circularity", p->circularity, &any);
    measurement(f, "mean_cellprob", p->mean_cellprob, &any);
    measurement(f, "flow_error", p->flow_error, &any);
    fputs("}}}", f);
}

lp_status lp_write_geojson(const char *path, const lp_labels *lb, const lp_particle *p, int64_t n,
                           double pixel_nm, lp_err *err)
{
    double nm = pixel_nm > 0 && isfinite(pixel_nm) ? pixel_nm : NAN; /* NaN: left out */
    lp_polygons g = {0};
    char *text = NULL;
    size_t size = 0;
    int64_t i, at = 0, k;
    lp_status st;
    FILE *f;
    int bad;

    if ((st = lp_polygons_trace(lb, &g, err))) return st;
    f = open_memstream(&text, &size);
    if (!f) {
        st = lp_fail_mem(err, path, 0);
        goto done;
    }
    fputs("{\"type\":\"FeatureCollection\",\"features\":[", f);
    for (i = 0; i < n; i++, at += k) {
        for (k = 0; at + k < g.n && g.polygon[at + k].label == p[i].id; k++) {
        }
        if (i) fputc(',', f);
        fputc('\n', f);
        feature(f, &g, g.polygon + at, k, &p[i], nm);
    }
    fputs("\n]}\n", f);
    bad = ferror(f);
    bad |= fclose(f) != 0;
    st = bad ? lp_fail_mem(err, path, 12.0 * (double)g.start[g.n_rings])
             : lp_atomic_write_file(path, text, size, err);
done:
    free(text);
    lp_polygons_free(&g);
    return st;
}
