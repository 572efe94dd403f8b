//! Counts the system calls of a program, threads included, as strace does.
//!
//! A parent may trace its own children: no tool and no privilege is needed.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use libc::{c_int, c_long, c_void, pid_t};

/// What [`count_system_calls`] saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traced {
    /// System calls that the program and its threads made.
    pub(crate) system_calls: u64,
    /// How the program ended, as its parent's exit code should be.
    pub(crate) exit_code: i32,
}

/// Runs `command` to its end and counts its system calls.
///
/// Each call stops the program twice, which takes it about ten microseconds.
pub(crate) fn count_system_calls(command: &mut Command) -> io::Result<Traced> {
    // SAFETY: between fork and exec the closure makes one system call, which
    // is async-signal-safe, and builds an error without allocating.
    unsafe { command.pre_exec(|| check(request(libc::PTRACE_TRACEME, 0, 0)).map(drop)) };
    let child = command.spawn()?;
    let program = child.id() as pid_t;
    let mut stops = 0_u64;
    let mut started = false;
    loop {
        let (thread, status) = wait_for_any()?;
        if !libc::WIFSTOPPED(status) {
            if thread == program {
                return Ok(Traced {
                    system_calls: stops / 2,
                    exit_code: exit_code(status),
                });
            }
            continue;
        }
        if !started {
            // Stopped by its exec. The options hold for its threads as well.
            started = true;
            set_options(program)?;
        }
        let signal = match libc::WSTOPSIG(status) {
            SYSTEM_CALL_STOP => {
                stops += 1;
                0
            }
            // An event, or the first stop of a new thread: not for the program.
            libc::SIGTRAP | libc::SIGSTOP => 0,
            signal => signal,
        };
        // A thread that was killed meanwhile is reported by the next wait.
        request(libc::PTRACE_SYSCALL, thread, signal.into());
    }
}

/// PTRACE_O_TRACESYSGOOD marks stops at system calls with the bit 0x80.
const SYSTEM_CALL_STOP: c_int = libc::SIGTRAP | 0x80;

fn set_options(program: pid_t) -> io::Result<()> {
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_EXITKILL;
    check(request(libc::PTRACE_SETOPTIONS, program, options.into())).map(drop)
}

fn wait_for_any() -> io::Result<(pid_t, c_int)> {
    let mut status = 0;
    // Only this thread's children: another thread may trace a program, too.
    let options = libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: the pointer is to a live integer.
    let thread = unsafe { libc::waitpid(-1, &mut status, options) };
    check(thread.into())?;
    Ok((thread, status))
}

/// One of the requests that take a number, and no address, as their data.
fn request(request: libc::c_uint, thread: pid_t, data: c_long) -> c_long {
    let address = ptr::null_mut::<c_void>();
    let data = ptr::without_provenance_mut::<c_void>(data as usize);
    // SAFETY: the requests used here (TRACEME, SETOPTIONS, SYSCALL) access no
    // memory of this process: address is ignored, and data is a number.
    unsafe { libc::ptrace(request, thread, address, data) }
}

fn exit_code(status: c_int) -> i32 {
    if libc::WIFEXITED(status) {
        return libc::WEXITSTATUS(status);
    }
    128 + libc::WTERMSIG(status)
}

fn check(result: c_long) -> io::Result<c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_more_makes_more_calls() {
        let calls_of = |bytes: &str| {
            let mut dd = Command::new("dd");
            dd.args(["if=/dev/zero", "of=/dev/null", "bs=1", "status=none"]);
            count_system_calls(dd.arg(format!("count={bytes}"))).unwrap()
        };
        let (little, much) = (calls_of("1000"), calls_of("3000"));
        assert_eq!((little.exit_code, much.exit_code), (0, 0));
        // A read and a write a byte; all the rest is the same in both.
        assert_eq!(much.system_calls - little.system_calls, 4000);
    }

    #[test]
    fn the_programs_exit_code_is_passed_on() {
        let traced = count_system_calls(&mut Command::new("false")).unwrap();
        assert_eq!(traced.exit_code, 1);
    }
}
