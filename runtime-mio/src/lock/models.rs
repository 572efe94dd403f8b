//! The lock under loom, whose barriers are two sequentially consistent fences.
//!
//! The thresholds are 1 in models: the first foreign user entry drops the bias,
//! the next user entry earns it.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p ferromq-mio --release --lib models
//! ```

use super::{BiasedLock, Role};
use crate::sync::{Arc, Fault, ThreadId, faults, thread};
use loom::cell::UnsafeCell;

/// The guarded value: loom reports two threads inside, or one that does not see
/// what the one before it did.
type Watched = Arc<BiasedLock<UnsafeCell<u32>>>;

fn enter(lock: &Watched, thread: u64, role: Role) {
    let guard = lock.lock_as(ThreadId::modelled(thread), role);
    // SAFETY: loom checks that this access is alone.
    guard.with_mut(|count| unsafe { *count += 1 });
}

fn entries(lock: &Watched) -> u32 {
    let guard = lock.lock_as(ThreadId::modelled(99), Role::Foreign);
    // SAFETY: loom checks that no write is going on.
    guard.with(|count| unsafe { *count })
}

/// Runs a model with a bug planted, or none, and returns its executions.
fn explore(fault: Option<Fault>, model: impl Fn() + Send + Sync + 'static) -> usize {
    faults::explore(fault, Some(3), model)
}

/// An owner enters twice while the I/O thread enters once.
fn owner_and_io_thread() {
    let lock = Watched::new(BiasedLock::new(UnsafeCell::new(0)));
    enter(&lock, 1, Role::User);
    let io = {
        let lock = Watched::clone(&lock);
        thread::spawn(move || enter(&lock, 2, Role::Foreign))
    };
    enter(&lock, 1, Role::User);
    enter(&lock, 1, Role::User);
    io.join().unwrap();
    assert_eq!(entries(&lock), 4);
}

/// The bias moves from one thread to another while the first keeps entering.
fn bias_moves() {
    let lock = Watched::new(BiasedLock::new(UnsafeCell::new(0)));
    enter(&lock, 1, Role::User);
    let other = {
        let lock = Watched::clone(&lock);
        thread::spawn(move || {
            enter(&lock, 2, Role::User);
            enter(&lock, 2, Role::User);
            enter(&lock, 2, Role::User);
        })
    };
    enter(&lock, 1, Role::User);
    other.join().unwrap();
    assert_eq!(entries(&lock), 5);
}

/// As above, with the I/O thread displacing whoever owns.
fn bias_moves_under_io_thread() {
    let lock = Watched::new(BiasedLock::new(UnsafeCell::new(0)));
    enter(&lock, 1, Role::User);
    let spawn = |thread_id, role, times| {
        let lock = Watched::clone(&lock);
        thread::spawn(move || (0..times).for_each(|_| enter(&lock, thread_id, role)))
    };
    let other = spawn(2, Role::User, 2);
    let io = spawn(3, Role::Foreign, 1);
    enter(&lock, 1, Role::User);
    other.join().unwrap();
    io.join().unwrap();
    assert_eq!(entries(&lock), 5);
}

#[test]
fn the_owner_and_the_io_thread_exclude_each_other() {
    let n = explore(None, owner_and_io_thread);
    println!("owner_and_io_thread: {n} executions");
    assert!(n > 100, "{n} executions");
}

#[test]
fn two_users_exclude_each_other_while_the_bias_moves() {
    let n = explore(None, bias_moves);
    println!("bias_moves: {n} executions");
    assert!(n > 100, "{n} executions");
}

#[test]
fn all_exclude_each_other() {
    let n = explore(None, bias_moves_under_io_thread);
    println!("bias_moves_under_io_thread: {n} executions");
    assert!(n > 1000, "{n} executions");
}

#[test]
fn planted_bugs_are_found() {
    for fault in [
        Fault::OwnerSkipsRecheck,
        Fault::OwnerSkipsBarrier,
        Fault::ForeignSkipsBarrier,
        Fault::OwnerLeavesRelaxed,
    ] {
        explore(Some(fault), owner_and_io_thread);
    }
}
