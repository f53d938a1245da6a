#include "normalize.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "../kernels/normalize.h"
#include "normalize_parts.h"

lp_normalize_options lp_normalize_defaults(void)
{
    lp_normalize_options o = {.normalize = 1, .percentile = {1, 99}};

    return o;
}

static int radius_ok(double r)
{
    return r == 0 || (r >= 0.01 && r <= 1e6);
}

static lp_status check(int nchan, int Ly, int Lx, const lp_normalize_options *o, lp_err *err)
{
    int c;

    if (nchan < 1 || nchan > LP_MAX_CHANNELS || Ly < 1 || Lx < 1 ||
        (int64_t)Ly * Lx > LP_MAX_PIXELS)
        return lp_fail(err, LP_EARG, "normalize: image of %d x %d x %d is not supported", nchan, Ly,
                       Lx);
    if (!(o->percentile[0] >= 0 && o->percentile[0] < o->percentile[1] && o->percentile[1] <= 100))
        return lp_fail(err, LP_EARG,
                       "normalize: percentiles %g and %g: must rise and be from 0 to 100",
                       o->percentile[0], o->percentile[1]);
    for (c = 0; o->use_lowhigh && c < nchan; c++)
        if (!isfinite(o->lowhigh[c][0]) || !isfinite(o->lowhigh[c][1]) ||
            (float)o->lowhigh[c][0] == (float)o->lowhigh[c][1])
            return lp_fail(err, LP_EARG,
                           "normalize: lowhigh %g and %g of channel %d: must be two different "
                           "numbers",
                           o->lowhigh[c][0], o->lowhigh[c][1], c + 1);
    if (o->tile_norm_blocksize < 0 || !radius_ok(o->sharpen_radius) || !radius_ok(o->smooth_radius))
        return lp_fail(err, LP_EARG,
                       "normalize: tile_norm_blocksize %d, sharpen_radius %g, smooth_radius %g: "
                       "must be 0 (off) or positive (radii 0.01 to 1e6)",
                       o->tile_norm_blocksize, o->sharpen_radius, o->smooth_radius);
    if (o->tile_norm_blocksize &&
        (1.2 * Ly / o->tile_norm_blocksize + 1) * (1.2 * Lx / o->tile_norm_blocksize + 1) >
            LP_MAX_NORM_BLOCKS)
        return lp_fail(err, LP_EARG,
                       "normalize: tile_norm_blocksize %d is too small for an image of %d x %d: "
                       "use a larger one",
                       o->tile_norm_blocksize, Ly, Lx);
    if (o->invert && !o->use_lowhigh && !o->tile_norm_blocksize && !o->normalize)
        return lp_fail(err, LP_EARG, "normalize: cannot invert without normalisation");
    return LP_OK;
}

/* normalize99(downsample=True). Above 224^3 pixels about 224 x 224 of them are looked at. */
static void normalize99(float *img, int Ly, int Lx, const lp_normalize_options *o, int nthreads,
                        void *scratch, uint32_t *flat)
{
    lp_window w = {.Ly = Ly, .Lx = Lx, .stride = Lx, .sy = 1, .sx = 1};
    int64_t n = (int64_t)Ly * Lx;
    float x[2], range;

    if (n > 224 * 224 * 224) {
        w.sy = Ly / 224 > 1 ? Ly / 224 : 1;
        w.sx = Lx / 224 > 1 ? Lx / 224 : 1;
    }
    lp_percentile_cpu(x, img, &w, o->percentile, nthreads, scratch);
    range = x[1] - x[0];
    if (range > 1e-3f) {
        lp_scale_ref(img, n, x[0], range, o->invert);
    } else {
        /* All zero, and Cellpose counts it as normalised: inverted it is all one. */
        lp_fill_ref(img, n, o->invert ? 1.0f : 0.0f);
        *flat = 1;
    }
}

lp_status lp_normalize(float *img, int nchan, int Ly, int Lx, const lp_normalize_options *opts,
                       uint32_t *notes, lp_err *err)
{
    lp_status st = check(nchan, Ly, Lx, opts, err);
    int64_t n = (int64_t)Ly * Lx;
    int nthreads = omp_get_max_threads(), c;
    uint32_t said = 0, flat;
    void *scratch = NULL;

    if (st) return st;
    if (opts->normalize && !opts->use_lowhigh && !opts->tile_norm_blocksize) {
        scratch = malloc(lp_percentile_scratch(nthreads));
        if (!scratch) return lp_fail_mem(err, "normalize", (double)lp_percentile_scratch(nthreads));
    }
    if (opts->invert && !opts->use_lowhigh && opts->tile_norm_blocksize)
        said |= LP_NORMALIZE_INVERT_IGNORED;
    for (c = 0; c < nchan; c++) {
        float *plane = img + c * n;

        flat = 0;
        if (opts->use_lowhigh) {
            float lower = (float)opts->lowhigh[c][0];

            lp_scale_ref(plane, n, lower, (float)(opts->lowhigh[c][1] - opts->lowhigh[c][0]),
                         opts->invert);
            continue;
        }
        if (opts->sharpen_radius > 0 || opts->smooth_radius > 0) {
            st = lp_smooth_sharpen(plane, Ly, Lx, opts->smooth_radius, opts->sharpen_radius, err);
            if (st) goto done;
        }
        if (opts->tile_norm_blocksize) {
            st = lp_normalize99_tile(plane, Ly, Lx, opts->tile_norm_blocksize, opts->percentile,
                                     &flat, err);
            if (st) goto done;
        } else if (opts->normalize && !lp_is_constant_ref(plane, n)) {
            normalize99(plane, Ly, Lx, opts, nthreads, scratch, &flat);
        }
        said |= flat << c;
    }
    if (notes) *notes = said;
done:
    free(scratch);
    return st;
}
