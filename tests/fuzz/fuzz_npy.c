/* Size models: any bytes give a size model that fits the net, or an error. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "weights/arch.h"
#include "weights/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A net whose style has 5 values, all weights 0. */
static lp_weights *net(void)
{
    lp_weights *w = calloc(1, sizeof *w);
    int i;

    if (!w) abort();
    w->n_nbase = 3;
    w->nbase[0] = w->nbase[1] = 1;
    w->nbase[2] = 5;
    w->nout = 3;
    w->sz = 1;
    w->diam_mean = w->diam_labels = 30;
    if (lp_arch_list(w, "fuzz", NULL)) abort();
    for (i = 0; i < w->n_tensors; i++)
        if (!(w->tensors[i].data = calloc(w->tensors[i].n, sizeof(float)))) abort();
    return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lp_weights *w;
    lp_err err;
    char path[40];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (!w) w = net();
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!lp_weights_import_size(path, w, &err) && lp_weights_check(w, path, &err)) abort();
    lp_size_model_free(&w->size);
    close(fd);
    return 0;
}
