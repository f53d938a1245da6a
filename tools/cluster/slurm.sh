#!/bin/bash
# A job array for Slurm. Each task does its share of the micrographs of IN; a task that is preempted,
# runs out of time or loses its node goes on, requeued, where it was.
#
#   sbatch --array=1-16 tools/cluster/slurm.sh IN OUT [options of lipopose segment]
#   lipopose gather OUT          # when all are done: one table, and what is missing
#
# The number of tasks is free; more of them, or the same again later, do only what is left. Do not
# pass --overwrite: a requeued task would begin anew.
#SBATCH --job-name=lipopose
#SBATCH --array=1-4
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --signal=B:USR1@60
#SBATCH --open-mode=append
#SBATCH --output=lipopose_%A_%a.log
set -u
[ $# -ge 2 ] || { echo "usage: sbatch $0 IN OUT [options of lipopose segment]" >&2; exit 2; }
in=$1 out=$2
shift 2
stopped=
command -v "${LIPOPOSE:-lipopose}" >/dev/null || { echo "$0: set LIPOPOSE to the program, e.g. LIPOPOSE=\$PWD/build/lipopose" >&2; exit 3; }
"${LIPOPOSE:-lipopose}" segment --threads "${SLURM_CPUS_PER_TASK:-0}" --savedir "$out" "$@" "$in" &
pid=$!
# A minute before the time limit: stop cleanly (at most 10 s) and go to the end of the queue.
trap 'stopped=1; kill -USR1 $pid' USR1
trap 'kill -TERM $pid' TERM
# A trap ends wait early.
wait $pid
code=$?
while kill -0 $pid 2>/dev/null; do
    wait $pid
    code=$?
done
if [ -n "$stopped" ] && [ "$code" -ne 0 ]; then
    scontrol requeue "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
