"""Runs functions in several threads at once, for the tests beside it."""
import threading

THREADS = 4


def together(*functions, threads=THREADS):
    """Calls every function as f(number) in `threads` threads, all at once, and raises what one of them raised."""
    errors = []
    barrier = threading.Barrier(threads * len(functions))

    def call(f, i):
        try:
            barrier.wait()
            f(i)
        except BaseException as e:
            errors.append(e)
    started = [threading.Thread(target=call, args=(f, i)) for f in functions for i in range(threads)]
    for t in started:
        t.start()
    for t in started:
        t.join()
    if errors:
        raise errors[0]
