/* Opening of a model file of any kind, told by its first bytes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "torch_import.h"
#include "weights.h"
#include "weights_hdf5.h"

lp_status lp_weights_open(const char *path, lp_weights **out, lp_err *err)
{
    static const unsigned char hdf5[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char b[512] = {0};
    struct stat sb;
    ssize_t n;
    int fd;

    /* stat before open: opening a named pipe would wait for ever. */
    if (!stat(path, &sb) && !S_ISREG(sb.st_mode))
        return lp_fail(err, LP_EIO, "%s: cannot open the model: not a plain file", path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lp_fail(err, errno == ENOENT ? LP_EMISSING : LP_EIO, "%s: cannot open the model: %s",
                       path, strerror(errno));
    n = pread(fd, b, sizeof b, 0);
    close(fd);
    if (n < 0) return lp_fail(err, LP_EIO, "%s: cannot read the model: %s", path, strerror(errno));
    if (n == 0) return lp_fail(err, LP_EFORMAT, "%s: an empty file, not a model", path);
    if (n >= 8 && !memcmp(b, hdf5, 8)) return lp_weights_read_hdf5(path, out, err);
    if (n >= 6 && !memcmp(b, "\x93NUMPY", 6))
        return lp_fail(err, LP_EFORMAT,
                       "%s: a numpy file: a size model is given with convert --size", path);
    if (n >= 262 && !memcmp(b + 257, "ustar", 5))
        return lp_fail(err, LP_EFORMAT,
                       "%s: a tar file, as PyTorch wrote before 0.2; load and save it with a "
                       "current PyTorch first",
                       path);
    if ((n >= 4 && !memcmp(b, "PK\3\4", 4)) || b[0] == 0x80 || b[0] == 'c' || b[0] == '(')
        return lp_weights_read_torch(path, out, err);
    return lp_fail(err, LP_EFORMAT, "%s: not a model (neither HDF5 nor a PyTorch file)", path);
}
