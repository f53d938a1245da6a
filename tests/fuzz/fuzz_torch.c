/* PyTorch files of both containers: any bytes give weights or an error. What does open must
 * be complete. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "weights/torch_import.h"
#include "weights/unpickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lp_weights *w = NULL;
    lp_pickle *pk = NULL;
    lp_err err;
    char path[40];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!lp_weights_read_torch(path, &w, &err) && lp_weights_check(w, path, &err)) abort();
    lp_weights_free(&w);
    close(fd);
    /* the pickle alone, without a container around it */
    if (!lp_unpickle(data, size, "fuzz", NULL, &pk, &err)) lp_pickle_free(&pk);
    return 0;
}
