#include "read_outlines.h"

#include <string.h>
#include <strings.h>

#include "rasterize.h"
#include "read_geojson.h"
#include "read_rois.h"

static int ends(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n > m && !strcasecmp(s + n - m, end);
}

int lp_outlines_is_name(const char *name)
{
    return ends(name, ".roi") || ends(name, ".zip") || ends(name, ".geojson");
}

static int is_empty(const lp_labels *lb)
{
    size_t n = (size_t)lb->Ly * lb->Lx, i;

    for (i = 0; i < n; i++)
        if (lb->data[i]) return 0;
    return 1;
}

lp_status lp_read_outlines(const char *path, int Ly, int Lx, lp_labels *out, lp_err *err)
{
    lp_shapes s = {0};
    lp_labels lb = {0};
    lp_err why;
    lp_status st =
        ends(path, ".geojson") ? lp_read_geojson(path, &s, err) : lp_read_rois(path, &s, err);

    if (st) goto done;
    if ((st = lp_rasterize(&s, Ly, Lx, &lb, &why))) {
        st = lp_fail(err, st, "%.400s: %.500s", path, why.msg);
    } else if (s.n && is_empty(&lb)) {
        lp_labels_free(&lb);
        st = lp_fail(err, LP_EFORMAT,
                     "%s: no outline lies in the image of %d x %d pixels: is it of another one?",
                     path, Lx, Ly);
    } else {
        *out = lb;
    }
done:
    lp_shapes_free(&s);
    return st;
}
