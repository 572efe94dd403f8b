"""Debian's packages: found, downloaded and unpacked, never installed."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

from store import CACHE, ROOT, Trouble, fresh_folder, say

UPDATE = "run `apt-get update` as root (in a container that is you), then try again"
# Of a kernel's 300 MB, what may be needed.
KERNEL_PARTS = [
    "./boot/vmlinuz*",
    *(
        f"./{usr}lib/modules/*/{part}"
        for usr in ("", "usr/")
        for part in (
            "modules.builtin",
            "kernel/drivers/infiniband/*",
            "kernel/drivers/net/dummy*",
            "kernel/drivers/net/veth*",
            "kernel/net/*",
            "kernel/lib/*",
            "kernel/crypto/*",
            "kernel/arch/x86/crypto/*",
            "kernel/fs/configfs/*",
        )
    ),
]


def unknown(packages):
    """Those of packages that apt's index does not have."""
    shown = query("apt-cache", "show", "--no-all-versions", *packages)
    known = re.findall(r"^Package: (\S+)", shown, re.MULTILINE)
    return [package for package in packages if package not in known]


def kernel_package():
    """The kernel that Debian means by linux-image-amd64. (Its cloud kernel has no rdma_rxe.)"""
    depends = query("apt-cache", "depends", "linux-image-amd64")
    if kernel := re.search(r"Depends: (linux-image-\d\S+)", depends):
        return kernel[1]
    raise Trouble(f"apt knows no package linux-image-amd64: {UPDATE}")


def fetch(packages):
    """Unpacks packages into ROOT, with those of their dependencies that this machine lacks."""
    download(with_what_is_missing(packages), lambda deb: unpack(deb, ROOT))


def fetch_kernel(package, folder):
    fresh_folder(folder)
    download([package], lambda deb: unpack(deb, folder, KERNEL_PARTS))


def with_what_is_missing(packages):
    if absent := unknown(packages):
        raise Trouble(f"apt knows no package {', '.join(absent)}: {UPDATE}")
    command = ["apt-get", "--simulate", "--no-install-recommends"]
    command += ["--option", "Debug::NoLocking=1", "install", *packages]
    simulated = subprocess.run(command, capture_output=True, text=True, env=plain())
    if simulated.returncode != 0:
        raise Trouble(f"apt cannot tell what {' '.join(packages)} need:\n{simulated.stderr}")
    words = [line.split() for line in simulated.stdout.splitlines()]
    missing = [line[1] for line in words if line[:1] == ["Inst"]]
    return sorted({*packages, *missing})


def download(packages, use):
    folder = fresh_folder(CACHE / "download")
    count = f"{len(packages)} package{'s' if len(packages) > 1 else ''}"
    say(f"downloading {count}: {' '.join(packages)}")
    # apt's own user may not write into a home folder.
    command = ["apt-get", "--quiet=2", "--option", "APT::Sandbox::User=root", "download"]
    done = subprocess.run([*command, *packages], cwd=folder, env=plain(), stdout=sys.stderr)
    if done.returncode != 0:
        raise Trouble(f"the download failed; if packages were not found, {UPDATE}")
    debs = sorted(folder.glob("*.deb"))
    size = sum(deb.stat().st_size for deb in debs)
    say(f"unpacking {size >> 20} MiB")
    for deb in debs:
        use(deb)
    shutil.rmtree(folder)


def unpack(deb, folder, parts=()):
    folder.mkdir(parents=True, exist_ok=True)
    unpacked = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
    command = ["tar", "--extract", "--no-same-owner", "--directory", folder]
    # A pattern that matches nothing is an error to tar, and expected here.
    if parts:
        command += ["--warning=none", "--wildcards", *parts]
    done = subprocess.run(command, stdin=unpacked.stdout, stderr=subprocess.PIPE, text=True)
    if unpacked.wait() != 0 or (done.returncode != 0 and not parts):
        raise Trouble(f"{pathlib.Path(deb).name} is damaged: {done.stderr}")


def query(*command):
    try:
        output = subprocess.run(command, capture_output=True, text=True, env=plain())
    except FileNotFoundError as error:
        raise Trouble(f"{command[0]} is missing, of Debian's apt or gcc") from error
    return output.stdout


def plain():
    """An environment in which apt says what we understand."""
    return {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
