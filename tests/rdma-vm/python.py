"""Debian's Python for the machine, and what a script of it imports."""

import pathlib
import re
import shutil

import debian
import image
from store import ROOT, Trouble, digest, find, is_made, locked, mark_made

# Of its library, what nothing here needs: half of it.
LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "test", "tests", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "config-*"
)


def prepare():
    with locked():
        packages = [f"{name()}-minimal", f"lib{name()}-minimal", f"lib{name()}-stdlib"]
        if not is_made("python", digest(packages)):
            debian.fetch(packages)
            mark_made("python", digest(packages))


def name():
    """As Debian's version of it is called: python3.11."""
    depends = debian.query("apt-cache", "depends", "python3-minimal")
    if found := re.search(r"Depends: (python3\.\d+)-minimal", depends):
        return found[1]
    raise Trouble(f"apt knows no package python3-minimal: {debian.UPDATE}")


def interpreter():
    return find("usr/bin/python3.[0-9]*[0-9]")


def add_to(root, imported):
    """Copies the library, and beside the program what is imported: files and folders,
    `name=path` where they have another name there."""
    library = find("usr/lib/python3.*")
    shutil.copytree(library, root / library.relative_to(ROOT), ignore=LEFT_OUT, symlinks=True)
    for item in imported:
        name_there, _, path = item.rpartition("=")
        path = pathlib.Path(path)
        place = root / "test" / (name_there or path.name)
        if path.is_dir():
            shutil.copytree(path, place, ignore=LEFT_OUT, dirs_exist_ok=True)
        else:
            shutil.copy(path, place)
    for module in (root / "test").rglob("*.so"):
        image.add_libraries(module, root)
