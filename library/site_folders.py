# The end of the module site as it is frozen here, before its last lines. Distributions change where packages are looked for,
# some without a thought for a second ABI: here every prefix and virtual environment has a folder for each variant, as
# sysconfig says (cmake/sysconfigdata.py.in).
def getsitepackages(prefixes=None):
    """Returns a list containing all global site-packages directories: one for each prefix and library folder."""
    folder = f"python{sys.version_info[0]}.{sys.version_info[1]}{sys.abiflags}"
    return [os.path.join(prefix, libdir, folder, "site-packages")
            for prefix in dict.fromkeys(PREFIXES if prefixes is None else prefixes) if prefix
            for libdir in dict.fromkeys((sys.platlibdir, "lib"))]

