/* Records: any bytes give a record within its limits, or an error. */
#include <stdlib.h>
#include <string.h>

#include "host/done.h"
#include "host/json_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1), *line; /* ends where the memory ends */
    lp_done d = {0};
    lp_err err;

    if (!text) return 0;
    if (size) memcpy(text, data, size);
    if (!lp_done_parse(text, size, &d, &err)) {
        if (!d.json || !d.file || !d.settings || d.page < 1 || d.pages < 0) abort();
        if (d.input.bytes < -1 || !memchr(d.input.mtime, 0, sizeof d.input.mtime)) abort();
        lp_done_whole(&d, "/nowhere/x");
        line = lp_json_skipped(d.json);
        free(line);
        lp_done_free(&d);
    } else if (d.json || !*err.msg) {
        abort();
    }
    free(text);
    return 0;
}
