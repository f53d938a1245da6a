#!/bin/bash
# A job array for PBS Pro / OpenPBS, which does not tell a task how many there are: N must be the end
# of -J.
#
#   qsub -J 1-16 -v N=16,IN=/data/grid1,OUT=/data/grid1_out tools/cluster/pbs.sh
#   lipopose gather OUT          # when all are done: one table, and what is missing
#
# OPTIONS (-v OPTIONS="--diameters auto") are words for lipopose segment. The same again later does
# only what is left.
#PBS -N lipopose
#PBS -l select=1:ncpus=4:mem=8gb
#PBS -l walltime=04:00:00
#PBS -r y
#PBS -j oe
set -u
cd "${PBS_O_WORKDIR:-.}" || exit 1
lp=$(command -v "${LIPOPOSE:-lipopose}") || { echo "set LIPOPOSE to the program: qsub -v LIPOPOSE=/path/lipopose,..." >&2; exit 3; }
# A task that is stopped (SIGTERM) or requeued ends cleanly within 10 s and later goes on from there.
# shellcheck disable=SC2086
exec "$lp" segment --shard "${PBS_ARRAY_INDEX:?not an array: qsub -J 1-N}/${N:?give -v N=}" \
    --threads "${NCPUS:-0}" --savedir "${OUT:?give -v OUT=}" ${OPTIONS:-} "${IN:?give -v IN=}"
