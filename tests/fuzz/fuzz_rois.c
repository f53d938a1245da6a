/* ImageJ ROIs, single and in archives: any bytes give shapes of finite points that can be drawn,
 * or an error. */
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <stdio.h>
#include <unistd.h>

#include "host/rasterize.h"
#include "host/read_rois.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void draw(const lp_shapes *s)
{
    lp_labels lb = {0};
    lp_err err;
    int64_t i;

    for (i = 0; i < s->n_points; i++)
        if (!isfinite(s->yx[i][0]) || !isfinite(s->yx[i][1])) abort();
    if (!lp_rasterize(s, 37, 41, &lb, &err))
        for (i = 0; i < 37 * 41; i++)
            if (lb.data[i] > s->n) abort();
    lp_labels_free(&lb);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lp_shapes s = {0};
    char path[64];
    lp_err err;
    int fd = memfd_create("rois", 0);

    if (fd < 0) return 0;
    if (write(fd, data, size) == (ssize_t)size) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (!lp_read_rois(path, &s, &err)) draw(&s);
    }
    close(fd);
    lp_shapes_free(&s);
    return 0;
}
