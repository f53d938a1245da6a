#!/bin/sh
# Installs what building, testing and running lipopose needs, from Debian's packages only.
# Does nothing (and needs no root) where all is there already.
set -eu
packages="gcc g++ make pkg-config libtiff-dev libhdf5-dev libdnnl-dev libpng-dev libzip-dev zlib1g-dev libbz2-dev libcjson-dev libcmocka-dev"
[ "${1:-}" = --tests ] && packages="$packages clang libclang-rt-14-dev libomp-14-dev clang-format git file chromium slurmctld slurmd slurm-client munge"

missing=
for p in $packages; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: needs root to install:$missing" >&2; exit 3; }
    sudo=sudo
fi
echo "setup: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
