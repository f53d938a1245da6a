#include "eval_labels.h"

#include "read.h"
#include "read_outlines.h"

int lp_eval_is_drawn(const char *path)
{
    return path && lp_outlines_is_name(path);
}

lp_status lp_eval_labels_read(const lp_eval_item *item, const char *path, int Ly, int Lx,
                              lp_labels *out, lp_err *err)
{
    lp_image im = {0};
    lp_status st;

    if (!lp_eval_is_drawn(path)) return lp_read_labels(path, out, err);
    if (Ly < 1 || Lx < 1) {
        if (!item->image)
            return lp_fail(err, LP_EARG,
                           "%s: outlines do not say how large their image is: name the "
                           "micrographs with --images",
                           path);
        if ((st = lp_read_image(item->image, 0, &im, err))) return st;
        Ly = im.Ly;
        Lx = im.Lx;
        lp_image_free(&im);
    }
    return lp_read_outlines(path, Ly, Lx, out, err);
}
