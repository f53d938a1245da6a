/* sha256 - the SHA-256 of a file (FIPS 180-4), as written by sha256sum. */
#ifndef LP_SHA256_H
#define LP_SHA256_H

#include <stddef.h>

#include "../host/status.h"

/* hex [65]: lower case, zero-terminated. */
void lp_sha256(const void *data, size_t n, char *hex);
lp_status lp_sha256_file(const char *path, char *hex, lp_err *err);

#endif
