//! Who owns the lock, and that it excludes.

use super::policy::{Policy, Verdict};
use super::{BiasedLock, FOREIGN_ENTRIES, LONG_RUN, SLOTS};
use crate::sync::ThreadId;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;

/// Numbers for threads that exist in the policy only.
fn threads<const N: usize>() -> [ThreadId; N] {
    std::array::from_fn(|_| {
        std::thread::spawn(ThreadId::current)
            .join()
            .expect("a thread that only gets a number")
    })
}

fn enter(policy: &mut Policy, thread: ThreadId, times: u32) {
    for _ in 0..times {
        policy.user_entered(thread);
    }
}

fn owns(policy: &Policy, thread: ThreadId) -> bool {
    policy.bias().belongs_to(thread)
}

#[test]
fn the_first_user_thread_becomes_the_owner() {
    let [a, b] = threads();
    let mut policy = Policy::new();
    assert!(matches!(policy.user_entered(a), Verdict::Owner(_)));
    assert!(owns(&policy, a) && !owns(&policy, b));
}

#[test]
fn a_few_foreign_entries_drop_the_bias() {
    let [a, b] = threads();
    let mut policy = Policy::new();
    enter(&mut policy, a, 1);
    enter(&mut policy, b, FOREIGN_ENTRIES - 1);
    assert!(owns(&policy, a));
    // The owner is still to be displaced at the entry that ends its bias.
    assert!(matches!(policy.user_entered(b), Verdict::Displace(bias) if bias.belongs_to(a)));
    assert!(!owns(&policy, a) && !owns(&policy, b));
    assert!(matches!(policy.user_entered(b), Verdict::Unbiased));
}

#[test]
fn the_io_thread_neither_owns_nor_counts() {
    let [io, a] = threads();
    let mut policy = Policy::new();
    assert!(matches!(policy.foreign_entered(io), Verdict::Unbiased));
    enter(&mut policy, a, 1);
    for _ in 0..10 * FOREIGN_ENTRIES {
        assert!(matches!(policy.foreign_entered(io), Verdict::Displace(_)));
    }
    assert!(owns(&policy, a));
    assert!(matches!(policy.foreign_entered(a), Verdict::Owner(_)));
}

#[test]
fn a_long_run_earns_the_bias_and_each_loss_doubles_it() {
    let [a, b] = threads();
    let mut policy = Policy::new();
    enter(&mut policy, a, 1);
    let mut run = LONG_RUN;
    for (gains, loses) in [(b, a), (a, b), (b, a)] {
        enter(&mut policy, gains, FOREIGN_ENTRIES + run - 1);
        assert!(!owns(&policy, gains) && !owns(&policy, loses));
        // Another's entry starts the run over.
        enter(&mut policy, loses, 1);
        enter(&mut policy, gains, run - 1);
        assert!(!owns(&policy, gains));
        enter(&mut policy, gains, 1);
        assert!(owns(&policy, gains));
        run *= 2;
    }
}

#[test]
fn an_earlier_owner_gets_its_own_slot_again_and_a_fifth_thread_none() {
    let all: [ThreadId; SLOTS + 1] = threads();
    let mut policy = Policy::new();
    let mut slots = Vec::new();
    for _ in 0..2 {
        for &thread in &all[..SLOTS] {
            enter(&mut policy, thread, FOREIGN_ENTRIES + 300_000);
            assert!(owns(&policy, thread));
            slots.push(policy.bias().slot());
        }
    }
    assert_eq!(slots, [0, 1, 2, 3, 0, 1, 2, 3]);
    enter(&mut policy, all[SLOTS], 3_000_000);
    assert!(!owns(&policy, all[SLOTS]));
}

#[test]
fn users_and_the_io_thread_exclude_each_other() {
    const ENTRIES: u64 = 20_000;
    let lock = BiasedLock::new((0_u64, 0_u64));
    let start = Barrier::new(4);
    let work = |foreign: bool, entries: u64| {
        start.wait();
        for _ in 0..entries {
            let mut guard = if foreign {
                lock.lock_foreign()
            } else {
                lock.lock()
            };
            guard.0 += 1;
            guard.1 += 1;
            assert_eq!(guard.0, guard.1);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(false, 10 * ENTRIES));
        scope.spawn(|| work(false, ENTRIES));
        scope.spawn(|| work(false, ENTRIES / 100));
        scope.spawn(|| work(true, ENTRIES / 10));
    });
    let expected = 11 * ENTRIES + ENTRIES / 100 + ENTRIES / 10;
    assert_eq!(*lock.lock(), (expected, expected));
}

#[test]
fn entering_twice_panics_whichever_way() {
    let lock = BiasedLock::new(());
    let twice =
        |second: fn(&BiasedLock<()>)| catch_unwind(AssertUnwindSafe(|| second(&lock))).is_err();
    {
        let _owner = lock.lock();
        assert!(twice(|lock| drop(lock.lock())));
        assert!(twice(|lock| drop(lock.lock_foreign())));
    }
    std::thread::scope(|scope| {
        let foreign = scope.spawn(|| {
            let _foreign = lock.lock_foreign();
            assert!(twice(|lock| drop(lock.lock())));
            assert!(twice(|lock| drop(lock.lock_foreign())));
        });
        foreign.join().expect("its assertions hold");
    });
    drop(lock.lock());
}

#[test]
fn a_panic_inside_leaves_the_lock_usable() {
    let lock = BiasedLock::new(1);
    let panics = |foreign: bool| {
        let inside = AssertUnwindSafe(|| {
            let _guard = if foreign {
                lock.lock_foreign()
            } else {
                lock.lock()
            };
            panic!("inside, on purpose");
        });
        assert!(catch_unwind(inside).is_err());
    };
    panics(false);
    std::thread::scope(|scope| {
        scope.spawn(|| panics(true)).join().expect("caught");
        scope
            .spawn(|| *lock.lock() += 1)
            .join()
            .expect("free again");
    });
    assert_eq!(*lock.lock(), 2);
}
