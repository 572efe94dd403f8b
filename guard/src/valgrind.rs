//! What a program may ask of the valgrind that runs it.
//!
//! A request is a few instructions that do nothing on a processor and that no
//! compiler emits; valgrind knows them when it sees them, and reads the request
//! from the array that one register points to.

use std::ffi::CStr;

/// Callgrind's requests are numbered from the letters C and T.
const CALLGRIND: usize = 0x4354_0000;
const ZERO: usize = CALLGRIND + 1;
const TOGGLE: usize = CALLGRIND + 2;
const DUMP_AT: usize = CALLGRIND + 3;
const START: usize = CALLGRIND + 4;
const STOP: usize = CALLGRIND + 5;

/// From here on callgrind sees every instruction, at its price in time.
pub(crate) fn start_instrumentation() {
    request(START, 0);
}

/// From here on the program runs as fast as valgrind lets it.
pub(crate) fn stop_instrumentation() {
    request(STOP, 0);
}

/// Begins to count this thread's instructions, or ends that.
#[inline(always)]
pub(crate) fn toggle_collect() {
    request(TOGGLE, 0);
}

/// Forgets what was counted.
pub(crate) fn zero() {
    request(ZERO, 0);
}

/// Writes what was counted to a file, with `name` in it, and forgets it.
pub(crate) fn dump(name: &CStr) {
    request(DUMP_AT, name.as_ptr() as usize);
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn request(code: usize, argument: usize) -> usize {
    let words = [code, argument, 0, 0, 0, 0];
    let mut answer = 0;
    // SAFETY: outside valgrind this rotates RDI by 128 bits in all, which leaves
    // it as it was, exchanges RBX with itself, and changes nothing but the flags.
    // Valgrind reads the six words at RAX, which live until after this, and, for
    // a dump, the string that the second points to, which its caller borrows;
    // it writes RDX, which is declared.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") words.as_ptr(),
            inout("rdx") answer,
            options(nostack),
        );
    }
    answer
}

/// On other processors nobody answers.
#[cfg(not(target_arch = "x86_64"))]
fn request(_code: usize, _argument: usize) -> usize {
    0
}

#[cfg(test)]
mod tests {
    /// Asks whether valgrind runs this program.
    const RUNNING_ON_VALGRIND: usize = 0x1001;

    #[test]
    fn a_processor_answers_no_request() {
        assert_eq!(super::request(RUNNING_ON_VALGRIND, 0), 0);
    }
}
