//! libzmq as its packagers could build it: -O3, link-time optimisation, hidden
//! symbols and every feature of a CMake build on Linux.
//!
//! A plain -O2 build takes almost twice the CPU, and would flatter us.
//!
//! `zeromq-src` ends the process when the compiler fails, so the build happens
//! in a child: this very build script, started again. Its failure is a warning
//! here and a line in the benchmark's output, and the rest is still measured.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Set in the child, to the flags it compiles with.
const CHILD: &str = "FERROMQ_BENCH_BUILD_LIBZMQ";

const OPTIMISED: &str = "-O3 -g0 -DNDEBUG -fvisibility=hidden -fvisibility-inlines-hidden";
const LTO: &str = "-flto=2 -fno-fat-lto-objects";

/// What libzmq's own CMake build finds on Linux, and `zeromq-src` leaves out.
const FEATURES: &[&str] = &[
    "HAVE_ACCEPT4",
    "HAVE_CLOCK_GETTIME",
    "HAVE_FORK",
    "HAVE_IF_NAMETOINDEX",
    "HAVE_MKDTEMP",
    "HAVE_POSIX_MEMALIGN=1",
    "ZMQ_CACHELINE_SIZE=64",
    "ZMQ_HAVE_BUSY_POLL",
    "ZMQ_HAVE_EVENTFD",
    "ZMQ_HAVE_EVENTFD_CLOEXEC",
    "ZMQ_HAVE_IFADDRS",
    "ZMQ_HAVE_NOEXCEPT",
    "ZMQ_HAVE_O_CLOEXEC",
    "ZMQ_HAVE_PPOLL",
    "ZMQ_HAVE_PTHREAD_SETNAME_2",
    "ZMQ_HAVE_PTHREAD_SET_AFFINITY",
    "ZMQ_HAVE_SOCK_CLOEXEC",
    "ZMQ_HAVE_SO_BINDTODEVICE",
    "ZMQ_HAVE_SO_KEEPALIVE",
    "ZMQ_HAVE_SO_PEERCRED",
    "ZMQ_HAVE_SO_PRIORITY",
    "ZMQ_HAVE_TCP_KEEPCNT",
    "ZMQ_HAVE_TCP_KEEPIDLE",
    "ZMQ_HAVE_TCP_KEEPINTVL",
    "ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC",
];

/// Builds and links libzmq, or leaves a warning and no `cfg(have_libzmq)`.
pub(crate) fn build() {
    if env::var_os(CHILD).is_some() {
        zeromq_src::Build::new().with_libsodium(sodium()).build();
        return;
    }
    println!("cargo::rerun-if-changed={SODIUM_HEADER}");
    println!("cargo::rerun-if-env-changed=CXX");
    match compile_the_best_way() {
        Ok((output, how)) => announce(&output, how),
        Err(reason) => {
            println!("cargo::warning=libzmq is left out: {reason}");
            println!("cargo::rustc-env=BENCH_LIBZMQ={reason}");
        }
    }
}

/// What CURVE takes: Debian's libsodium-dev. Without it libzmq has no CURVE, and
/// the rows that would measure it say so.
const SODIUM_HEADER: &str = "/usr/include/sodium.h";

fn sodium() -> Option<zeromq_src::LibLocation> {
    let archives = Command::new(cxx())
        .arg("-print-file-name=libsodium.a")
        .output();
    let archive = PathBuf::from(String::from_utf8(archives.ok()?.stdout).ok()?.trim());
    let header = Path::new(SODIUM_HEADER);
    // GCC answers with the bare name where there is no such file.
    (archive.is_absolute() && header.exists())
        .then(|| zeromq_src::LibLocation::new(archive.parent().unwrap_or(&archive), "/usr/include"))
}

type Built = (Output, &'static str);

fn compile_the_best_way() -> Result<Built, String> {
    let version = Command::new(cxx()).arg("--version").output();
    let version = version.map_err(|error| format!("no C++ compiler {}: {error}", cxx()))?;
    let is_gcc = String::from_utf8_lossy(&version.stdout).contains("Free Software");
    let linux = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    let built = if linux && is_gcc {
        build_with_lto()
    } else {
        None
    };
    built.map_or_else(build_without_lto, Ok)
}

/// GCC's link-time optimisation.
///
/// The linker that rustc brings cannot read GCC's intermediate code, so that
/// GCC makes one ordinary object of all of it here.
fn build_with_lto() -> Option<Built> {
    let output = compile(&format!("{OPTIMISED} {LTO}")).ok()?;
    let lib_dir = PathBuf::from(env::var_os("OUT_DIR")?).join("lib");
    let archive = lib_dir.join("libzmq.a");
    let merged = lib_dir.join("zmq_merged.o");
    let mut link = Command::new(cxx());
    // One partition: GCC 12 cannot split a relocatable link.
    link.args(["-r", "-nostdlib", "-flinker-output=nolto-rel"])
        .args(["-flto-partition=none", "-fuse-ld=bfd"])
        .args(OPTIMISED.split(' '))
        .args(LTO.split(' '))
        .args(["-Wl,--whole-archive".as_ref(), archive.as_os_str()])
        .args([
            "-Wl,--no-whole-archive".as_ref(),
            "-o".as_ref(),
            merged.as_os_str(),
        ]);
    succeeds(&mut link)?;
    std::fs::remove_file(&archive).ok()?;
    succeeds(Command::new("gcc-ar").arg("crs").arg(&archive).arg(&merged))?;
    Some((output, "-O3, LTO"))
}

fn build_without_lto() -> Result<Built, String> {
    Ok((compile(OPTIMISED)?, "-O3, no LTO"))
}

/// Runs this build script again, to compile libzmq with `flags`.
fn compile(flags: &str) -> Result<Output, String> {
    let defines: String = FEATURES
        .iter()
        .map(|feature| format!(" -D{feature}"))
        .collect();
    let this = env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(this);
    child
        .env(CHILD, "1")
        .env("CXXFLAGS", format!("{flags}{defines}"))
        .env("CFLAGS", flags);
    if flags.contains("-flto") {
        child.env("AR", "gcc-ar").env("RANLIB", "gcc-ranlib");
    }
    let output = child.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(output);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let cause = stderr.lines().find(|line| line.contains("error"));
    Err(format!(
        "it did not compile: {}",
        cause.unwrap_or("see the build script's log").trim()
    ))
}

/// Passes on what the child told Cargo: where the library is, what to link.
fn announce(output: &Output, how: &str) {
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if line.starts_with("cargo:rustc-link") {
            println!("{line}");
        }
    }
    println!("cargo::rustc-cfg=have_libzmq");
    println!("cargo::rustc-env=BENCH_LIBZMQ={how}");
}

/// `None` when the command fails; its messages go to the build's log.
fn succeeds(command: &mut Command) -> Option<()> {
    let status = command.stdout(Stdio::null()).status().ok()?;
    status.success().then_some(())
}

fn cxx() -> String {
    env::var("CXX").unwrap_or_else(|_| "g++".to_owned())
}
