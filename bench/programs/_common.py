"""What every benchmark program shares: its command line and the parallel map.

A program defines run(n) -> result, DEFAULT (its n), CHECK (n -> expected result, for verification) and calls main().
With --threads T it maps run over T (or --tasks) equal tasks with ThreadPoolExecutor.map over a lambda and says whether
the GIL was on afterwards.
"""
import sys
import time


def main(run, default, check):
    import argparse
    parser = argparse.ArgumentParser(description="one benchmark program")
    parser.add_argument("n", nargs="?", type=int, default=default)
    parser.add_argument("--threads", type=int, default=0, help="map over this many threads")
    parser.add_argument("--tasks", type=int, default=0, help="number of tasks to map (default: threads)")
    parser.add_argument("--small", action="store_true", help="the smallest n whose result is known")
    options = parser.parse_args()
    if options.small:
        options.n = min(check)
    # One thread: processor time, which other processes do not lengthen. Threads: what the clock on the wall says.
    clock = time.perf_counter if options.threads else time.process_time
    begin = clock()
    if options.threads:
        from concurrent.futures import ThreadPoolExecutor
        tasks = options.tasks or options.threads
        with ThreadPoolExecutor(options.threads) as pool:
            results = list(pool.map(lambda _: run(options.n), range(tasks)))
        result = results[0]
        if any(r != result for r in results):
            sys.exit("the tasks do not agree")
    else:
        result = run(options.n)
    elapsed = clock() - begin
    if options.threads:
        print("GIL", "on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off")
    if options.n in check and result != check[options.n]:
        sys.exit(f"wrong result: {result!r}, expected {check[options.n]!r}")
    print(f"{result!r} in {elapsed:.3f} s")
