"""Installs a build tree (and the other variant's, if it is built) into a temporary prefix, configures and builds the project
beside this file against it with find_package(Amphis), and runs what it makes.

    check_embedding.py CMAKE BUILD-TREE [OTHER-BUILD-TREE]
"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def run(*command, **kwargs):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "AMPHIS_"))}
    environment.update(kwargs.pop("environment", {}))
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, **kwargs)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nfailed with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def main(cmake, *trees):
    with tempfile.TemporaryDirectory() as work:
        prefix = os.path.join(os.path.realpath(work), "prefix")
        for tree in trees:
            if os.path.exists(os.path.join(tree, "cmake_install.cmake")):
                done = subprocess.run([cmake, "--install", tree, "--prefix", prefix], capture_output=True, text=True)
                if done.returncode != 0 and tree == trees[0]:
                    sys.exit(done.stdout + done.stderr)
        libraries = {"gil": "libamphis3.14.so", "nogil": "libamphis3.14t.so"}
        variants = [v for v, name in libraries.items() if os.path.exists(os.path.join(prefix, "lib", name))]
        build = os.path.join(work, "build")
        run(cmake, "-G", "Ninja", "-S", os.path.join(HERE, "project"), "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}",
            f"-DVARIANTS={';'.join(variants)}")
        run(cmake, "--build", build, "-j2")
        for variant in variants:
            for language in ("c", "cpp"):
                print(f"{variant} from {language}:", run(os.path.join(build, f"embed_{language}_{variant}")).strip())
            # The script that tells the flags.
            name = libraries[variant][3:-3]
            config = os.path.join(prefix, "bin", name + "-config")
            for option, expected in (("--prefix", prefix), ("--includes", f"-I{prefix}/include/{name}"),
                                     ("--extension-suffix", f".amphis-314{'t' * (variant == 'nogil')}-x86_64-linux-gnu.so")):
                if run(config, option).strip() != expected:
                    sys.exit(f"{config} {option}: {run(config, option)!r}, expected {expected!r}")
            if f"-l{name}" not in run(config, "--embed", "--ldflags"):
                sys.exit(f"{config} --embed --ldflags does not name the library")
        if len(variants) == 2:
            paths = [os.path.join(prefix, "lib", libraries[v]) for v in variants]
            print("both in one process:", run(os.path.join(build, "both"), *paths, cwd=work, environment={"PYTHONHOME": prefix}).strip())
        else:
            # A component that is not installed is a sentence, not a link error.
            other = "nogil" if variants == ["gil"] else "gil"
            done = subprocess.run([cmake, "-G", "Ninja", "-S", os.path.join(HERE, "project"), "-B", build + "2",
                                   f"-DCMAKE_PREFIX_PATH={prefix}", f"-DVARIANTS={other}"], capture_output=True, text=True)
            if done.returncode == 0 or "is not installed" not in done.stderr:
                sys.exit("a missing component must be an error: " + done.stderr)
    return 0


sys.exit(main(*sys.argv[1:]))
