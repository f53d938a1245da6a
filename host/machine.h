/* machine - how much memory and how many processors this process may use.
 *
 * In a container or a cluster job both are often far less than the machine has: the kernel's
 * control groups (versions 1 and 2) and ulimit -v count too. */
#ifndef LP_MACHINE_H
#define LP_MACHINE_H

/* Bytes: the least of physical memory, ulimit -v and the limits of the control groups that the
 * process is in. */
double lp_machine_memory(void);

/* OpenMP's number of threads, which knows affinity and OMP_NUM_THREADS; where OMP_NUM_THREADS is
 * not set, at most the control group's processor time (docker --cpus), rounded up. */
int lp_machine_threads(void);

/* What the processor calls itself, "unknown" where Linux does not tell. Returns name. */
#define LP_MACHINE_CPU 128
char *lp_machine_cpu(char name[LP_MACHINE_CPU]);

/* The limits of the control groups, for tests. proc: "/proc/self/cgroup"; root:
 * "/sys/fs/cgroup". 0 where there is none. */
double lp_machine_group_memory(const char *proc, const char *root);
double lp_machine_group_cpus(const char *proc, const char *root);

#endif
