#!/usr/bin/env python3
"""One run of many diameters against single runs of each, process start to exit.

    python bench/diameters.py [--program build/lipopose ...] [--diameters 20:150:5] IMAGE ...

Prints a table for bench/results: seconds on the clock, of the processors, and the peak memory, of
the one run and of the single runs together, and their ratio (more than 1: the one run is faster);
medians over the rounds, of all programs in turn, and under it all rounds. On a busy machine look at the processors' seconds: what a program waits
for a core is not in them, but neither are cores that it leaves idle."""
import argparse
import datetime
import os
import platform
import shlex
import shutil
import subprocess
import statistics
import sys
import tempfile
import time


def run(command):
    """Wall seconds, processor seconds, peak MiB."""
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.execv(command[0], command)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit('failed: ' + ' '.join(command))
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def commit():
    """Of this clone; + where files differ from it."""
    git = lambda *a: subprocess.run(['git', '-C', os.path.dirname(os.path.abspath(__file__)), *a],
                                    capture_output=True, text=True).stdout.strip()
    return (git('rev-parse', '--short', 'HEAD') or 'unknown') + ('+' if git('status', '--porcelain', '-uno') else '')


def machine():
    try:
        with open('/proc/cpuinfo') as f:
            return next(line.split(':')[1].strip() for line in f if line.startswith('model name'))
    except (OSError, StopIteration):
        return platform.machine()


def short(path):
    """Without folders that are this machine's alone."""
    return os.path.basename(path) if os.path.isabs(path) else path


def line(image, program, one, each):
    """A row of the table; the peak is left out of sums."""
    pair = lambda k, digits: ((f'{one[k]:.{digits}f}', f'{each[k]:.{digits}f}' if each else '-')
                              if k < len(one) else ('', ''))
    ratio = lambda k: f'{each[k] / one[k]:.2f}x' if each else '-'
    print('|', ' | '.join([image, short(program), *pair(0, 2), ratio(0), *pair(1, 2), ratio(1), *pair(2, 0)]), '|')


def load():
    return f'{os.getloadavg()[0]:.1f}'


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--program', action='append', help='may be repeated: before and after')
    parser.add_argument('--diameters', default='20:150:5', help='MIN:MAX:STEP')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--many_only', action='store_true', help='no single runs')
    parser.add_argument('--option', action='append', default=[], help='passed on, --option=--X=Y')
    parser.add_argument('image', nargs='+')
    args = parser.parse_args()
    low, high, step = map(float, args.diameters.split(':'))
    single = [low + i * step for i in range(int((high - low) / step + 1e-9) + 1)]
    programs = args.program or ['build/lipopose']
    folder = tempfile.mkdtemp(prefix='lipopose-bench-')
    start = load()
    rows = []
    try:
        for image in args.image:
            got = {}
            for _ in range(args.rounds):
                for program in programs:
                    base = [os.path.abspath(program), 'segment', '--overwrite', '--savedir', folder,
                            *args.option]
                    got.setdefault((program, 'one run'), []).append(
                        run([*base, '--diameters', args.diameters, image]))
                    if args.many_only:
                        continue
                    each = [run([*base, '--diameter', str(d), image]) for d in single]
                    got.setdefault((program, 'single runs'), []).append(
                        (sum(e[0] for e in each), sum(e[1] for e in each),
                         max(e[2] for e in each)))
            for program in programs:
                rows.append((image, program, got[program, 'one run'], got.get((program, 'single runs'))))
    finally:
        shutil.rmtree(folder)
    print(f'`python bench/diameters.py {" ".join(map(shlex.quote, map(short, sys.argv[1:])))}`')
    print(f'{datetime.date.today()}, commit {commit()}, {machine()}, {len(os.sched_getaffinity(0))} cores, '
          f'load {start} at the start, {load()} at the end; {len(single)} diameters '
          f'({args.diameters}), medians of {args.rounds} rounds, process start to exit\n')
    print('| image | program | one run, s | single runs together, s | ratio | processors: one run, s '
          '| single runs, s | ratio | peak: one run, MiB | single runs, MiB |')
    print('|---|---|---|---|---|---|---|---|---|---|')
    total = {p: [0.0] * 4 for p in programs}
    for image, program, one, each in rows:
        a = [statistics.median(r[k] for r in one) for k in range(3)]
        b = [statistics.median(r[k] for r in each) for k in range(3)] if each else None
        line(short(image), program, a, b)
        for k in range(2):
            total[program][k] += a[k]
            total[program][2 + k] += b[k] if b else 0
    if len(args.image) > 1:
        for program, t in total.items():
            line('all', program, t[:2], t[2:] if not args.many_only else None)
    print('\nEach round, seconds on the clock:')
    for image, program, one, each in rows:
        print(f'- {short(image)}, {program}: one run', ', '.join(f'{r[0]:.2f}' for r in one),
              *(['; single runs', ', '.join(f'{r[0]:.2f}' for r in each)] if each else []))


if __name__ == '__main__':
    main()
