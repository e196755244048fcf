"""The GIL at run time: what asks for it, and what sys._is_gil_enabled() says then."""
import os
import subprocess
import sys
import sysconfig
import unittest

FREE = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

PROGRAM = """
import sys, threading
print(sys._is_gil_enabled())
total = []
def work():
    for i in range(3000):
        total.append(i)
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(len(total), sys._is_gil_enabled())
"""


def run(*options, **environment):
    env = {k: v for k, v in os.environ.items() if k != "PYTHON_GIL"}
    done = subprocess.run([sys.executable, *options, "-c", PROGRAM], env={**env, **environment}, capture_output=True,
                          text=True, timeout=200)
    return done.stdout.split(), done.stderr


class GilAtRunTime(unittest.TestCase):
    def expect(self, result, enabled):
        self.assertEqual(result[0], [str(enabled), "12000", str(enabled)], result[1])

    def test_without_a_word_the_build_decides(self):
        self.expect(run(), not FREE)

    def test_option_and_variable_turn_it_on(self):
        self.expect(run("-X", "gil=1"), True)
        self.expect(run(PYTHON_GIL="1"), True)

    def test_option_and_variable_leave_it_off(self):
        if FREE:
            self.expect(run("-X", "gil=0"), False)
            self.expect(run(PYTHON_GIL="0"), False)
            self.expect(run("-X", "gil=0", PYTHON_GIL="1"), False)
        else:
            self.assertIn("Disabling the GIL is not supported by this build", run("-X", "gil=0")[1])


if __name__ == "__main__":
    unittest.main()
