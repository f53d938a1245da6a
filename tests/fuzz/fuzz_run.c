/* Saved runs: any bytes give candidates that lie in their image, or an error. A real file, because
 * HDF5 resolves links in a path and cannot do so for a memory file's. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/read_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* HDF5 itself leaks a little where a file is damaged; our own leaks show in test_read_run. */
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
    lp_saved_run r = {0};
    lp_err err;
    int fd, i;

    if (!*path) {
        snprintf(path, sizeof path, "%s/lp_fuzz_run_%ld.h5",
                 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (long)getpid());
        atexit(remove_file);
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) abort();
    close(fd);
    if (!lp_read_run(path, &r, &err))
        for (i = 0; i < r.layers->n; i++) {
            const lp_runs *m = &r.layers->layer[i].masks;
            uint64_t k;

            for (k = 0; k < m->first[m->n]; k++)
                if (m->run[k].y < 0 || m->run[k].y >= r.layers->Ly || m->run[k].x0 < 0 ||
                    m->run[k].x1 <= m->run[k].x0 || m->run[k].x1 > r.layers->Lx)
                    abort();
        }
    lp_saved_run_free(&r);
    return 0;
}
