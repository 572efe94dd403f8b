"""What `cargo build --features verbs` takes: headers, pkg-config, an old libclang."""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import zipfile

import debian
from store import CACHE, LIBRARIES, ROOT, Trouble
from store import digest, find, forget, fresh_folder, is_made, library_path, locked, mark_made, say

PACKAGES = ["libibverbs-dev", "librdmacm-dev", "libnl-3-dev", "libnl-route-3-dev"]
if not shutil.which("pkg-config"):
    PACKAGES.append("pkg-config")
# rdma-sys writes its bindings by a bindgen that fails on anything newer.
LIBCLANG = "libclang1-14"
LIBCLANG_ON_PYPI = "libclang==14.0.6"
WHEEL = CACHE / "libclang"


def prepare():
    with locked():
        made_from = digest(PACKAGES, LIBCLANG, LIBCLANG_ON_PYPI)
        if is_made("headers", made_from):
            return
        forget("headers")
        if not debian.unknown([LIBCLANG]):
            debian.fetch([*PACKAGES, LIBCLANG])
        else:
            debian.fetch(PACKAGES)
            fetch_wheel()
        mark_made("headers", made_from)


def fetch_wheel():
    """Not every Debian has a libclang as old as that; PyPI has."""
    say(f"downloading {LIBCLANG_ON_PYPI}")
    folder = fresh_folder(WHEEL)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", folder, LIBCLANG_ON_PYPI]
    if subprocess.run(command, stdout=sys.stderr).returncode != 0:
        raise Trouble(f"neither Debian nor pip has {LIBCLANG}: is there a network, and pip?")
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(folder)


def become(program, arguments):
    """Runs a program with the variables, in our place."""
    environment = {**os.environ, **variables()}
    try:
        os.execvpe(program, [program, *arguments], environment)
    except OSError as error:
        raise Trouble(f"{program} cannot be run: {error}") from error


def exports():
    """The variables as lines for a shell."""
    lines = (f"export {name}={shlex.quote(value)}" for name, value in variables().items())
    return "\n".join(lines)


def variables():
    """What cargo needs, to build the feature and to run its tests."""
    include = debian.query("cc", "-print-file-name=include").strip()
    folders = [str(folder) for folder in LIBRARIES]
    return {
        "LIBCLANG_PATH": str(libclang()),
        # stddef.h and its like are the compiler's, and libclang comes without.
        "BINDGEN_EXTRA_CLANG_ARGS": f"-isystem {include}",
        "PKG_CONFIG": shutil.which("pkg-config") or str(wrapped_pkg_config()),
        "PKG_CONFIG_PATH": ":".join(f"{folder}/pkgconfig" for folder in folders),
        "PKG_CONFIG_SYSROOT_DIR": str(ROOT),
        # For linkers that want the libraries of libraries; lld does not.
        "LD_RUN_PATH": ":".join(folders),
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER": f"{runner()} run",
    }


def wrapped_pkg_config():
    """The unpacked one needs a library of its own, and only it should see those."""
    wrapper = CACHE / "pkg-config"
    program = find("usr/bin/pkgconf", "usr/bin/pkg-config")
    text = f'#!/bin/sh\nexport LD_LIBRARY_PATH={shlex.quote(library_path())}\n'
    wrapper.write_text(text + f'exec {shlex.quote(str(program))} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


def libclang():
    of_debian, of_the_wheel = "root/usr/lib/llvm-14/lib/libclang*.so*", "libclang/**/libclang*.so"
    return find(of_debian, of_the_wheel, below=CACHE)


def runner():
    return pathlib.Path(__file__).absolute().parent / "rdma-vm"
