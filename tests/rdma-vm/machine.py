"""The machine: prepared once, started for each program."""

import os
import pathlib
import platform
import re
import selectors
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

import debian
import image
from store import CACHE, ROOT, Trouble
from store import digest, forget, is_made, library_path, locked, mark_made, say

HANGS = 124
NO_RESULT = 125
PACKAGES = ["qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios"]
PACKAGES += ["busybox-static", "iproute2"]
PACKAGES += ["libibverbs1", "ibverbs-providers", "librdmacm1", "libnl-3-200", "libnl-route-3-200"]
BASE = CACHE / "base.cpio"
VMLINUX = CACHE / "vmlinux"
QEMU = ROOT / "usr/bin/qemu-system-x86_64"
# A tick of a clock that the guest distrusts makes everything slow; the mitigations
# protect nobody here.
KERNEL_OPTIONS = "console=ttyS0 quiet loglevel=4 panic=-1 oops=panic tsc=reliable mitigations=off nokaslr"


def prepare():
    """Fills what is missing of the cache: 100 MB to download, 400 MB on disk."""
    if (platform.machine(), platform.system()) != ("x86_64", "Linux"):
        raise Trouble("the machine is an x86_64, on one that runs Linux")
    with locked():
        packages = digest(PACKAGES, image.MODULES)
        if not is_made("machine", packages) or not starts(QEMU):
            forget("machine")
            forget("base")
            debian.fetch(PACKAGES)
            debian.fetch_kernel(debian.kernel_package(), image.KERNEL)
            image.make_kernel(VMLINUX)
            if not starts(QEMU):
                raise Trouble(f"{QEMU} does not start: remove {CACHE} and try again")
            mark_made("machine", packages)
        base = digest(packages, image.HERE / "init", image.HERE / "pair", image.HERE / "image.py")
        if not is_made("base", base):
            image.make_base(BASE)
            mark_made("base", base)
            say(f"the cache is ready: {CACHE}")


def starts(program):
    """Libraries that it uses of this machine's may be gone."""
    try:
        command = [program, "--version"]
        return subprocess.run(command, capture_output=True, env=environment()).returncode == 0
    except OSError:
        return False


def run(program, arguments, add=lambda root: None):
    """Runs a program in the machine, beside what else is added to its root; its exit
    status, HANGS or NO_RESULT."""
    prepare()
    with tempfile.TemporaryDirectory(prefix="rdma-vm-") as temporary:
        folder = pathlib.Path(temporary)
        image_of(program, arguments, folder, add)
        try:
            qemu = start(folder)
        except OSError as error:
            raise Trouble(f"QEMU does not start: {error}") from error
        ended = relay(qemu, time.monotonic() + timeout())
        said = (folder / "result").read_text(errors="replace") if (folder / "result").exists() else ""
    if not ended:
        say(f"{pathlib.Path(program).name} did not end within {timeout():.0f} s")
        return HANGS
    return status(qemu.returncode, said)


def image_of(program, arguments, folder, add):
    """Writes the initial root with the program in it; archives may follow each other."""
    root = folder / "root"
    test = root / "test"
    test.mkdir(parents=True)
    try:
        shutil.copy(program, test / "program")
    except OSError as error:
        raise Trouble(f"no program {program}: {error}") from error
    # Most of a test program is what debuggers read. (Without strip it takes longer.)
    if shutil.which("strip"):
        subprocess.run(["strip", "--strip-debug", test / "program"], stderr=subprocess.DEVNULL)
    image.add_libraries(program, root)
    add(root)
    exports = {"RUST_TEST_THREADS": "1", "RUST_BACKTRACE": "1"}
    exports.update({name: value for name, value in os.environ.items() if is_for_guest(name)})
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
    lines.append(shlex.join(["exec", "./program", *arguments]))
    (test / "command").write_text("\n".join(lines) + "\n")
    with open(folder / "initrd", "wb") as initrd:
        initrd.write(BASE.read_bytes())
        initrd.write(image.archive(root))


def is_for_guest(name):
    return re.fullmatch(r"(FERROMQ|RUST|PROPTEST)_[A-Z0-9_]+", name) and "RDMA_VM" not in name


def start(folder):
    accelerator = os.environ.get("FERROMQ_RDMA_VM_ACCEL", "tcg,thread=multi")
    memory = os.environ.get("FERROMQ_RDMA_VM_MEMORY", "1G")
    command = [QEMU, "-L", ROOT / "usr/share/qemu", "-L", ROOT / "usr/share/seabios"]
    command += ["-accel", accelerator, "-cpu", "qemu64", "-smp", "2", "-m", memory]
    command += ["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"]
    command += ["-no-reboot", "-chardev", "stdio,id=console,signal=off"]
    # Console, result, and the exit status: the program's, twice, and one.
    command += ["-serial", "chardev:console", "-serial", f"file:{folder / 'result'}"]
    command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]
    command += ["-kernel", VMLINUX, "-initrd", folder / "initrd", "-append", KERNEL_OPTIONS]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment()
    )


def relay(qemu, deadline):
    """Passes on what the console says. Whether the machine ended in time; else it is ended."""
    with selectors.DefaultSelector() as selector:
        selector.register(qemu.stdout, selectors.EVENT_READ)
        try:
            while (left := deadline - time.monotonic()) > 0:
                if not selector.select(left):
                    break
                if not (said := os.read(qemu.stdout.fileno(), 1 << 16)):
                    qemu.wait()
                    return True
                sys.stdout.buffer.write(said.replace(b"\r", b""))
                sys.stdout.buffer.flush()
            return False
        finally:
            if qemu.poll() is None:
                qemu.kill()
                qemu.wait()


def status(qemu, said):
    """Both ways in which the guest tells its result have to agree."""
    line = re.search(r"^exit=(\d+)\r?$", said, re.MULTILINE)
    if line and qemu == int(line[1]) * 2 + 1 & 255:
        return int(line[1])
    say(f"no result: QEMU ended with {qemu}, the guest said {said.strip()!r}")
    return NO_RESULT


def timeout():
    return float(os.environ.get("FERROMQ_RDMA_VM_TIMEOUT", "300"))


def environment():
    return {**os.environ, "LD_LIBRARY_PATH": library_path()}
