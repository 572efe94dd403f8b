"""What the machine boots: a kernel, its modules, and an initial root in memory."""

import lzma
import os
import pathlib
import re
import shutil
import stat
import struct
import subprocess
import tempfile

from store import CACHE, ROOT, Trouble, find, library_path

HERE = pathlib.Path(__file__).parent
KERNEL = CACHE / "kernel"
# In this order, each after what it depends on. rdma_rxe wants a crc32, and does not say so.
MODULES = ["crc32_generic", "rdma_rxe", "rdma_ucm", "dummy", "veth", "sch_netem"]
FOLDERS = "bin dev etc/libibverbs.d lib/x86_64-linux-gnu lib64 modules proc root run sys test tmp"
PROVIDERS = "usr/lib/x86_64-linux-gnu/libibverbs"


def make_base(path):
    """Writes the part of the initial root that every program shares."""
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary)
        for folder in FOLDERS.split():
            (root / folder).mkdir(parents=True)
        (root / "sbin").symlink_to("bin")
        add_programs(root)
        add_modules(root / "modules")
        shutil.copytree(ROOT / PROVIDERS, root / PROVIDERS, ignore=other_providers)
        shutil.copy(ROOT / "etc/libibverbs.d/rxe.driver", root / "etc/libibverbs.d")
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        for script, place in (("init", "init"), ("pair", "bin/pair")):
            shutil.copy(HERE / script, root / place)
            (root / place).chmod(0o755)
        path.write_bytes(archive(root))


def other_providers(_, names):
    return [name for name in names if not name.startswith("librxe")]


def add_programs(root):
    busybox = find("bin/busybox", "usr/bin/busybox")
    shutil.copy(busybox, root / "bin/busybox")
    ours = {
        "ip": find("bin/ip", "usr/bin/ip"),
        "tc": find("sbin/tc", "usr/sbin/tc"),
        "rdma": find("bin/rdma", "sbin/rdma", "usr/bin/rdma", "usr/sbin/rdma"),
    }
    for applet in subprocess.check_output([busybox, "--list"], text=True).split():
        if applet not in ours and applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    for name, program in ours.items():
        shutil.copy(program, root / "bin" / name)
        add_libraries(program, root)
    for provider in (ROOT / PROVIDERS).glob("librxe*"):
        add_libraries(provider, root)


def add_libraries(program, root):
    """Copies the shared libraries of a program, those of the cache first."""
    environment = {**os.environ, "LD_LIBRARY_PATH": library_path()}
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, env=environment)
    for line in listed.stdout.splitlines():
        if "not found" in line:
            raise Trouble(f"{program} needs {line.split()[0]}, which nobody has")
        for path in re.findall(r"(/\S+) \(0x", line):
            library = pathlib.Path(path)
            loader = library.name.startswith("ld-linux")
            folder = root / ("lib64" if loader else "lib/x86_64-linux-gnu")
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / library.name).exists():
                shutil.copy(library, folder / library.name)


def add_modules(folder):
    """Copies the modules, and their order into a file."""
    files, builtin = {}, set()
    for path in KERNEL.rglob("*.ko*"):
        files[module_name(path)] = path
    for path in KERNEL.rglob("modules.builtin"):
        builtin |= {module_name(pathlib.Path(line)) for line in path.read_text().split()}
    order = {}

    def add(name):
        if name in order or name in builtin:
            return
        if name not in files:
            raise Trouble(f"Debian's kernel has no module {name}")
        content = decompressed(files[name])
        for needed in re.search(rb"\0depends=([^\0]*)\0", content)[1].decode().split(","):
            if needed:
                add(needed.replace("-", "_"))
        order[name] = content

    for name in MODULES:
        add(name)
    for name, content in order.items():
        (folder / f"{name}.ko").write_bytes(content)
    (folder / "order").write_text("".join(f"{name}.ko\n" for name in order))


def module_name(path):
    return path.name.split(".ko")[0].replace("-", "_")


def decompressed(path):
    content = path.read_bytes()
    return lzma.decompress(content) if path.suffix == ".xz" else content


def make_kernel(path):
    """Writes the kernel as QEMU starts it at once.

    What Debian ships unpacks itself first, which takes seconds in emulation; what it
    would unpack is an ELF that can be started instead. If it is packed in another way
    than by xz, it has to.
    """
    image = find("boot/vmlinuz-*", below=KERNEL).read_bytes()
    # Linux's boot protocol: sectors of the loader, the payload's place behind them.
    start = (image[0x1F1] + 1) * 512
    offset, length = struct.unpack_from("<II", image, 0x248)
    packed = image[start + offset : start + offset + length]
    if packed.startswith(b"\xfd7zXZ\0"):
        # Four bytes follow, which say how long it will be.
        image = lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(packed)
    path.write_bytes(image)


def archive(root):
    """A folder as a cpio archive (newc), which is what an initial root is."""
    entries = [entry(str(path.relative_to(root)), path) for path in sorted(root.rglob("*"))]
    entries.append(header("TRAILER!!!", 0, 0))
    return b"".join(entries)


def entry(name, path):
    status = path.lstat()
    content = b""
    if stat.S_ISLNK(status.st_mode):
        content = os.readlink(path).encode()
    elif stat.S_ISREG(status.st_mode):
        content = path.read_bytes()
    return header(name, status.st_mode, len(content)) + padded(content)


def header(name, mode, length):
    # inode, mode, uid, gid, links, time, length, device twice, name's length, checksum
    fields = [0, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, len(name) + 1, 0]
    digits = "".join(f"{field:08X}" for field in fields)
    return padded(f"070701{digits}{name}\0".encode())


def padded(content):
    return content + bytes(-len(content) % 4)
