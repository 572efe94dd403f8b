//! Row 58: the wall clock jumps, and nothing waits for it.
//!
//! The clock of this program is ours: what the system's library is asked for
//! goes through [`clock_gettime`], which shifts the time of day.

use std::mem::transmute;
use std::sync::atomic::{AtomicI64, AtomicPtr, Ordering};
use std::time::{Duration, Instant, SystemTime};

use ferromq::{Error, EventKind, Options};
use ferromq_tests::{Greeting, Nobody};
use libc::{c_int, c_void, clockid_t, timespec};

use crate::arena::{Arena, Kind};
use crate::greeting::DEADLINE;
use crate::memory::alone;

/// Seconds between the system's time of day and ours.
static SHIFT: AtomicI64 = AtomicI64::new(0);
/// The system's own function, once it was asked for.
static SYSTEM: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// The system's function, found before ours by everything in this program.
///
/// # Safety
/// `out` is where a time may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, out: *mut timespec) -> c_int {
    let mut system = SYSTEM.load(Ordering::Relaxed);
    if system.is_null() {
        // SAFETY: a name with a zero at its end.
        system = unsafe { libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr()) };
        SYSTEM.store(system, Ordering::Relaxed);
    }
    // SAFETY: that symbol is this function, and every libc has it.
    let system = unsafe {
        transmute::<*mut c_void, unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int>(system)
    };
    // SAFETY: the caller's promise is ours.
    let status = unsafe { system(clock, out) };
    if status == 0 && clock == libc::CLOCK_REALTIME {
        // SAFETY: a time was written there.
        let time = unsafe { &mut *out };
        time.tv_sec += SHIFT.load(Ordering::Relaxed);
    }
    status
}

/// Moves the time of day by so many years.
fn jump(years: i64) {
    let before = SystemTime::now();
    SHIFT.fetch_add(years * 365 * 24 * 3600, Ordering::Relaxed);
    let now = SystemTime::now();
    assert_eq!(now > before, years > 0, "the clock is ours");
}

#[test]
fn row_58_a_jump_of_the_clock_moves_no_deadline() {
    alone(|| {
        let nobody = Nobody::listens();
        let mut arenas = Kind::ALL.map(|kind| {
            let options = Options::new().handshake_timeout(DEADLINE);
            let often = Duration::from_millis(20);
            Arena::with(kind, options.reconnect_interval(often, often))
        });
        for years in [10, -20, 10] {
            let started = Instant::now();
            let strangers = arenas.each_mut().map(|arena| {
                let mut stranger = arena.stranger();
                stranger.send(&Greeting::default().bytes()[..20]);
                arena.serves();
                stranger
            });
            jump(years);
            // Not at once, and not in twenty years.
            for (arena, stranger) in arenas.iter_mut().zip(strangers) {
                arena.turned_away(stranger, "timed out");
                assert!(started.elapsed() >= DEADLINE, "{years} years later");
            }
        }
        for arena in &mut arenas {
            arena
                .ours
                .connect(nobody.endpoint())
                .expect("it will be tried");
            for years in [10, -20, 10] {
                jump(years);
                let retried = |kind: &EventKind| matches!(kind, EventKind::ConnectRetried { .. });
                arena.ours.await_event("another attempt", retried);
                if arena.kind.receives() {
                    let soon = arena.ours.recv_timeout(Duration::from_millis(5));
                    assert!(matches!(soon, Err(Error::TimedOut)), "{soon:?}");
                }
                arena.serves();
            }
        }
    });
}
