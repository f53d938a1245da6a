#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "done.h"

lp_status lp_journal_add(const char *base, const lp_shard *shard, const char *line, lp_err *err)
{
    size_t n = strlen(line), k = 0;
    char name[64], path[PATH_MAX], last = '\n', *text = malloc(n + 2);
    ssize_t got = -1;
    off_t end;
    lp_status st;
    int fd = -1, e;

    if (!text) return lp_fail_mem(err, "record", (double)n);
    snprintf(name, sizeof name, "records_%dof%d.jsonl", shard->index, shard->count);
    if ((st = lp_done_file(base, name, 1, path, err))) goto done;
    fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) {
        st = lp_fail(err, LP_EIO, "%s: cannot write: %s", path, strerror(errno));
        goto done;
    }
    end = lseek(fd, 0, SEEK_END);
    if (end > 0 && pread(fd, &last, 1, end - 1) != 1) last = '\n';
    if (last != '\n') text[k++] = '\n'; /* a killed run's */
    memcpy(text + k, line, n);
    k += n;
    text[k++] = '\n';
    errno = 0;
    got = write(fd, text, k);
    e = errno;
    if (close(fd) || got != (ssize_t)k)
        st = lp_fail(err, LP_EIO, "%s: cannot write: %s", path,
                     strerror(got < 0            ? e
                              : got < (ssize_t)k ? ENOSPC
                                                 : errno));
done:
    free(text);
    return st;
}
