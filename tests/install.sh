#!/bin/sh
# make install and uninstall below a DESTDIR, and a program that knows only lipopose.h,
# pkg-config and the shared library.
set -eu
dest=$(mktemp -d)
trap 'rm -rf "$dest"' EXIT
make -s install DESTDIR="$dest" PREFIX=/usr >/dev/null
cat >"$dest/use.c" <<'C'
#include <lipopose.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    static float image[64 * 64];
    lp_segment_options o = lp_segment_defaults();
    lp_session *s;
    lp_result r;
    lp_err err;
    int i;

    for (i = 0; i < 64 * 64; i++) image[i] = (float)((i * 2654435761u) >> 24);
    if (argc < 2 || lp_session_open(argv[1], NULL, &s, &err)) return 1;
    if (lp_segment(s, image, 1, 64, 64, &o, &r, &err)) return 1;
    printf("%s: %u particles\n", lp_version(), (unsigned)r.n);
    lp_result_free(&r);
    lp_session_close(&s);
    return 0;
}
C
export PKG_CONFIG_PATH="$dest/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$dest"
gcc -std=c11 -Wall -Werror $(pkg-config --cflags lipopose) "$dest/use.c" -o "$dest/use" \
    $(pkg-config --libs lipopose)
LD_LIBRARY_PATH="$dest/usr/lib" "$dest/use" "$dest/usr/share/lipopose/emps.h5"
"$dest/usr/bin/lipopose" --version >/dev/null
make -s uninstall DESTDIR="$dest" PREFIX=/usr
left=$(find "$dest/usr" -type f -o -type l)
[ -z "$left" ] || { echo "uninstall left $left"; exit 1; }
