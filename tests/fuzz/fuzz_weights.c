/* Model files: any bytes give weights or an error. A real file, because HDF5 resolves links
 * in a path and cannot do so for a memory file's. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "weights/weights_hdf5.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* HDF5 itself leaks a little where a file is damaged; our own leaks show in test_weights. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}

static char path[64];

static void remove_file(void)
{
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lp_weights *w = NULL;
    lp_err err;
    int fd;

    if (!*path) {
        snprintf(path, sizeof path, "%s/lp_fuzz_%ld.h5",
                 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (long)getpid());
        atexit(remove_file);
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    close(fd);
    if (!lp_weights_read_hdf5(path, &w, &err) && lp_weights_check(w, path, &err)) abort();
    lp_weights_free(&w);
    return 0;
}
