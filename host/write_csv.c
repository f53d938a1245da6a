#include "write_csv.h"

#include <math.h>
#include <stdlib.h>

#include "atomic.h"
#include "number.h"

const char lp_csv_header[] =
    "id,y_px,x_px,y_nm,x_nm,area_px,area_nm2,diameter_px,diameter_nm,major_px,minor_px,"
    "orientation_deg,circularity,mean_intensity,support,n_diameters,diameter_min_px,diameter_max_"
    "px,level,"
    "mean_cellprob,flow_error,touches_edge,agreement,company";

static void field(FILE *f, double v)
{
    char buf[LP_NUMBER_MAX];

    fputc(',', f);
    fputs(lp_number_format(buf, v, 7), f);
}

static void row(FILE *f, const lp_particle *p, double nm)
{
    fprintf(f, "%u", (unsigned)p->id);
    field(f, p->y);
    field(f, p->x);
    field(f, p->y * nm);
    field(f, p->x * nm);
    fprintf(f, ",%lld", (long long)p->area);
    field(f, (double)p->area * nm * nm);
    field(f, p->diameter);
    field(f, p->diameter * nm);
    field(f, p->major);
    field(f, p->minor);
    field(f, p->orientation);
    field(f, p->circularity);
    field(f, p->mean_intensity);
    field(f, p->support);
    fprintf(f, ",%d", p->n_diameters);
    field(f, p->diameter_min);
    field(f, p->diameter_max);
    field(f, p->level);
    field(f, p->mean_cellprob);
    field(f, p->flow_error);
    fprintf(f, ",%d", p->touches_edge ? 1 : 0);
    field(f, p->agreement);
    field(f, p->company);
    fputc('\n', f);
}

void lp_csv_print(FILE *f, const lp_particle *p, int64_t n, double pixel_nm)
{
    double nm = pixel_nm > 0 && isfinite(pixel_nm) ? pixel_nm : NAN; /* NaN: empty fields */
    int64_t i;

    fprintf(f, "%s\n", lp_csv_header);
    for (i = 0; i < n; i++) row(f, &p[i], nm);
}

lp_status lp_write_csv(const char *path, const lp_particle *p, int64_t n, double pixel_nm,
                       lp_err *err)
{
    char *text = NULL;
    size_t size = 0;
    lp_status st;
    FILE *f = open_memstream(&text, &size);
    int bad;

    if (!f) return lp_fail_mem(err, path, 0);
    lp_csv_print(f, p, n, pixel_nm);
    bad = ferror(f);
    bad |= fclose(f) != 0;
    st = bad ? lp_fail_mem(err, path, 200.0 * (double)n)
             : lp_atomic_write_file(path, text, size, err);
    free(text);
    return st;
}
