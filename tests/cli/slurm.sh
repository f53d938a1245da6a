# slurm.sh - a job array in a real Slurm whose tasks are killed and requeued: every micrograph is
# done, once, with the bytes of a single run.
#
# slurmctld, slurmd and munged are started here, as root, on loopback, with files in $tmp alone.
. tests/cli/lib.sh
for p in slurmctld slurmd munged sbatch scontrol squeue; do
    if ! command -v $p >/dev/null || [ "$(id -u)" -ne 0 ]; then
        skip "job array in Slurm" "needs root and slurmctld, slurmd, munge (tools/setup.sh --tests)"
        finish
        exit 0
    fi
done
if nm "$lp" 2>/dev/null | grep -q __asan_init; then
    skip "job array in Slurm" "the same as without the sanitizer, for minutes"
    finish
    exit 0
fi
d=$tmp/slurm host=$(hostname -s)
mkdir -p "$d/state" "$d/spool" "$d/munge"
chmod 755 "$tmp" "$d"
port=$((20000 + $$ % 20000))
dd if=/dev/urandom of="$d/munge/key" bs=1024 count=1 2>/dev/null
chmod 400 "$d/munge/key"
cat >"$d/slurm.conf" <<C
ClusterName=lipopose
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
AuthInfo=socket=$d/munge/socket
CredType=cred/munge
StateSaveLocation=$d/state
SlurmdSpoolDir=$d/spool
SlurmctldPidFile=$d/slurmctld.pid
SlurmdPidFile=$d/slurmd.pid
SlurmctldLogFile=$d/slurmctld.log
SlurmdLogFile=$d/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=10
MinJobAge=600
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1,sched_min_interval=100000
NodeName=$host NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
C
export SLURM_CONF="$d/slurm.conf"
daemons=
stop() {
    scancel -f -s KILL --user root 2>/dev/null
    for p in $daemons; do kill "$p" 2>/dev/null; done
    sleep 0.5
    for p in $daemons; do kill -9 "$p" 2>/dev/null; done
    chmod -R u+w "$tmp" 2>/dev/null
    rm -rf "$tmp"
}
trap stop EXIT
munged --force --foreground --socket="$d/munge/socket" --key-file="$d/munge/key" --pid-file="$d/munge/pid" \
    --log-file="$d/munge/log" --seed-file="$d/munge/seed" --num-threads=2 >"$d/munged.out" 2>&1 &
daemons=$!
until_true 5 test -S "$d/munge/socket"
slurmctld -D -i >"$d/slurmctld.out" 2>&1 &
daemons="$daemons $!"
slurmd -D -N "$host" >"$d/slurmd.out" 2>&1 &
daemons="$daemons $!"
idle() { sinfo -h -o %t | grep -qx idle; }
if ! until_true 20 idle; then
    bad "Slurm starts" "$(tail -n 3 "$d"/*.out "$d"/*.log | tr '\n' ' ')"
    finish
    exit 0
fi
ok "Slurm starts"

# 39 good micrographs and a damaged one, of about 0.3 s each.
in=$tmp/in
mkdir "$in"
i=1
while [ $i -le 39 ]; do
    image "$in/g$i.tif" cones 260 280 $i
    i=$((i + 1))
done
head -c 300 "$in/g1.tif" >"$in/damaged.tif"
opt="--model $model --diameter 9"
OMP_NUM_THREADS=1 "$lp" segment --threads 2 $opt --quiet --savedir "$tmp/ref" "$in" 2>/dev/null
check "a single run: one image fails" test $? -eq 1
sums "$tmp/ref" >"$tmp/ref.sums"

out=$tmp/results
export LIPOPOSE="$lp"
sub="sbatch --array=1-4 --cpus-per-task=1 --mem=500 --time=00:10:00 --chdir=$tmp --output=$tmp/log_%a"
check "sbatch --test-only takes the template" $sub --test-only "$root/tools/cluster/slurm.sh" "$in" "$out" $opt
job=$($sub --parsable "$root/tools/cluster/slurm.sh" "$in" "$out" $opt)
check "submitted" test -n "$job"
started() { [ "$(ls "$out/.lipopose" 2>/dev/null | grep -c '^g.*json$')" -ge "$1" ]; }
state() { squeue -h -r -j "${job}_$1" -o %T 2>/dev/null; }
# The process of a task, by its environment.
task_pid() {
    for p in /proc/[0-9]*; do
        [ "$(readlink "$p/exe" 2>/dev/null)" = "$(readlink -f "$lp")" ] || continue
        tr '\0' '\n' <"$p/environ" 2>/dev/null | grep -qx "SLURM_ARRAY_TASK_ID=$1" && echo "${p#/proc/}" && return 0
    done
    return 1
}
requeued() { scontrol show job "${job}_$1" | grep -q "Restarts=[1-9]"; }
again() { # TASK: without the two minutes that Slurm waits before a requeued job
    scontrol update "JobId=${job}_$1" StartTime=now
}
until_true 30 started 4
check "tasks are at work" started 4
left=$(ls "$in" | wc -l)
# 1: the process is killed, as by a failing node, and the task requeued by the administrator.
pid=$(task_pid 1)
check "task 1 is running" test -n "$pid"
kill -9 $pid
# 2: preempted: SIGTERM to all of the task, then requeued.
scancel --full -s TERM "${job}_2" && ok "task 2: SIGTERM" || bad "task 2: SIGTERM" "scancel"
# 3: near its time limit: SIGUSR1 to the script, which requeues the task itself.
scancel --batch -s USR1 "${job}_3" && ok "task 3: SIGUSR1" || bad "task 3: SIGUSR1" "scancel"
# 4: requeued while it works: SIGTERM, then SIGKILL, by Slurm itself.
scontrol requeue "${job}_4" && ok "task 4: requeued" || bad "task 4: requeued" "scontrol"
for t in 1 2; do
    gone() { [ "$(state $t)" != RUNNING ] && [ "$(state $t)" != COMPLETING ]; }
    until_true 20 gone
    check "task $t: ended and requeued" scontrol requeue "${job}_$t"
done
for t in 1 2 3 4; do until_true 20 requeued $t; done
# A job that starts in the second of its requeue is killed: its old credential was revoked up to then.
sleep 3
check "work was left to the requeued tasks" test "$(ls "$out" | grep -c particles.csv)" -lt $left
# All four have come to their end; a squeue that fails (a busy machine) says nothing.
over() {
    q=$(squeue -h -r -j "$job" -t all -o %T 2>/dev/null) && [ "$(echo "$q" | wc -l)" -eq 4 ] &&
        ! echo "$q" | grep -qvE '^(COMPLETED|FAILED)$'
}
# Started again, each once.
wait_all() {
    tries=0
    while ! over && [ $tries -lt 400 ]; do
        for t in 1 2 3 4; do [ "$(state $t)" = PENDING ] && again $t 2>/dev/null; done
        sleep 0.4
        tries=$((tries + 1))
    done
}
wait_all
check "all tasks end" over
for t in 1 2 3 4; do
    check "task $t was requeued" requeued $t
done
check "task 2: said that it was stopped" grep -q "stopped by signal 15" "$tmp/log_2"
check "task 3: said that it was stopped" grep -q "stopped by signal 10" "$tmp/log_3"

sums "$out" >"$tmp/out.sums"
check "the bytes of a single run, and nothing else" cmp "$tmp/out.sums" "$tmp/ref.sums"
grep -h '"status":"ok"' "$out"/.lipopose/records_*of4.jsonl | sed 's/^{"file":"\([^"]*\)".*/\1/' | sort | uniq -d >"$tmp/twice"
check "no micrograph was done twice" test ! -s "$tmp/twice"
check "every good micrograph has its record" test "$(grep -l '"status":"ok"' "$out"/.lipopose/g*.json | wc -l)" -eq 39
run 1 "gather" gather "$out"
says "gather: the damaged one is named" "failed: damaged.tif"
one_line "gather: nothing else is missing"
check "gather: all others" grep -q "^39 of 40 images" "$tmp/out"
cp "$out/lipopose_gathered.csv" "$tmp/gathered.csv"
run 1 "gather of the single run" gather "$tmp/ref"
check "gather: the same table" cmp "$tmp/gathered.csv" "$tmp/ref/lipopose_gathered.csv"
seg 1 "a single run has nothing left to do" --diameter 9 --savedir "$out" "$in"
check "a single run has nothing left to do: counted" grep -q "^0 images.*; 1 failed; 39 done before" "$tmp/out"
finish
