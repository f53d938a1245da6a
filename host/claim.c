#include "claim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "done.h"
#include "shard.h"

lp_status lp_claim_take(const char *base, lp_claim *out, lp_err *err)
{
    const char *slash = strrchr(base, '/');
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    char path[PATH_MAX];
    lp_claim c = {LP_CLAIM_OURS, -1};
    lp_status st;

    if ((st = lp_done_file(base, "lock", 1, path, err))) return st;
    c.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (c.fd < 0)
        return lp_fail(err, LP_EIO,
                       "%s: cannot write: %s; choose a folder that you may write to with --savedir",
                       path, strerror(errno));
    fl.l_start = (off_t)(lp_shard_hash(slash ? slash + 1 : base) >> 2);
    while (fcntl(c.fd, F_OFD_SETLK, &fl)) {
        if (errno == EINTR) continue;
        c.state = errno == EAGAIN || errno == EACCES ? LP_CLAIM_BUSY : LP_CLAIM_NO_LOCKS;
        close(c.fd);
        c.fd = -1;
        break;
    }
    *out = c;
    return LP_OK;
}

void lp_claim_release(lp_claim *c)
{
    if (c->fd >= 0) close(c->fd); /* and with it the lock */
    c->fd = -1;
}
