//! What a program needs that has no operating system below its language: the
//! entry, the end, static memory, and the four functions that the compiler
//! itself calls. The only unsafe code of the program.

use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

/// Static memory for one value that is made at run time.
pub(crate) struct Place<T> {
    taken: AtomicBool,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: the value is reachable through `fill` only, which hands it out once,
// to one thread.
unsafe impl<T: Send> Sync for Place<T> {}

impl<T> Place<T> {
    pub(crate) const fn new() -> Self {
        Self {
            taken: AtomicBool::new(false),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Puts a value here for the rest of the program; `None` the second time.
    #[expect(
        clippy::mut_from_ref,
        reason = "only the first call gets the reference"
    )]
    pub(crate) fn fill(&'static self, value: T) -> Option<&'static mut T> {
        if self.taken.swap(true, Ordering::Relaxed) {
            return None;
        }
        // SAFETY: `taken` was false, so this is the only call that gets here and
        // the only reference to the value that is ever made.
        let place = unsafe { &mut *self.value.get() };
        Some(place.write(value))
    }
}

// The kernel enters with an aligned stack and no return address on it; a call
// makes it what a function expects.
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "call {entry}", "ud2", entry = sym entry);

extern "C" fn entry() -> ! {
    exit(match crate::run() {
        Ok(()) => 0,
        Err(step) => step as u8,
    })
}

/// Ends the process: the system call `exit_group` of x86_64 Linux.
fn exit(code: u8) -> ! {
    // SAFETY: the call takes no pointers and does not return.
    unsafe { asm!("syscall", in("rax") 231, in("rdi") u64::from(code), options(noreturn)) }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(101)
}

/// Copies `len` bytes upwards.
///
/// # Safety
///
/// As for C's `memcpy`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller vouches for both areas; the direction flag is clear in
    // every function of the ABI.
    unsafe {
        asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    to
}

/// Copies `len` bytes between areas that may overlap.
///
/// # Safety
///
/// As for C's `memmove`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= len {
        // SAFETY: `to` is outside of what follows `from`, so that copying
        // upwards reads each byte before it is overwritten.
        return unsafe { memcpy(to, from, len) };
    }
    let last_to = to.wrapping_add(len).wrapping_sub(1);
    let last_from = from.wrapping_add(len).wrapping_sub(1);
    // SAFETY: the same bytes from the last to the first; the flag is cleared
    // again before anything else runs.
    unsafe {
        asm!("std", "rep movsb", "cld", inout("rcx") len => _, inout("rdi") last_to => _,
            inout("rsi") last_from => _, options(nostack));
    }
    to
}

/// Sets `len` bytes.
///
/// # Safety
///
/// As for C's `memset`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    // SAFETY: the caller vouches for the area; the direction flag is clear.
    unsafe {
        asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("eax") byte,
            options(nostack, preserves_flags));
    }
    to
}

/// Compares `len` bytes.
///
/// # Safety
///
/// As for C's `memcmp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    for offset in 0..len {
        // SAFETY: the caller vouches for `len` bytes at `a`. A volatile read
        // keeps the compiler from making this loop a call to memcmp.
        let of_a = unsafe { a.add(offset).read_volatile() };
        // SAFETY: and at `b`.
        let of_b = unsafe { b.add(offset).read_volatile() };
        if of_a != of_b {
            return i32::from(of_a) - i32::from(of_b);
        }
    }
    0
}

/// Whether `len` bytes differ.
///
/// # Safety
///
/// As for BSD's `bcmp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(a, b, len) }
}
