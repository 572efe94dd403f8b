use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn filled(loan: &mut Loan, with: u8) {
    loan.as_mut().fill(with);
}

fn made(arena: &Arena) -> usize {
    arena.regions().bytes
}

#[test]
fn classes_hold_what_they_are_for_and_waste_less_than_a_quarter() {
    for len in (1..70_000).chain([1 << 20, (1 << 20) + 1, 10 << 20, (1 << 30) + 1]) {
        let class = class_of(len).unwrap();
        assert!(class >= len && class.is_multiple_of(4096), "{len}: {class}");
        assert!(
            class - len < 4096 || (class - len) * 4 < len,
            "{len}: {class}"
        );
        // Whoever asks for all of it gets no more.
        assert_eq!(class_of(class), Some(class));
    }
    assert_eq!(class_of(usize::MAX), None);
}

#[test]
fn what_comes_back_is_lent_again_first() {
    let arena = Arena::new(1 << 20);
    let mut loan = arena.loan(5000).unwrap();
    let address = loan.as_ref().as_ptr();
    filled(&mut loan, 7);
    drop(loan);
    let again = arena.loan(6000).unwrap();
    assert_eq!(again.as_ref().as_ptr(), address);
    assert_eq!(again.as_ref()[..5000], [7; 5000]);
}

#[test]
fn what_the_caches_have_lost_is_filled_past_them() {
    let arena = Arena::new(64 << 20);
    let is_cold = |loan: Loan| loan.downcast::<Away>().unwrap().cold;
    let mib = |count: usize| arena.loan(count << 20).unwrap();
    assert!(!is_cold(mib(10)), "its zeros are just written");
    assert!(!is_cold(mib(10)), "it is the only one");
    let (mut one, mut other) = (mib(10), mib(10));
    for _ in 0..3 {
        drop((other, one));
        (one, other) = (mib(10), mib(10));
    }
    assert!(is_cold(one), "20 MiB since it was lent");
    assert!(is_cold(other), "20 MiB since it was lent");
    assert!(!is_cold(mib(10)), "it came back last");
    assert!(is_cold(mib(16)), "longer than caches");
    // Whichever way they are filled.
    for len in [1, 4097, (10 << 20) + 1, (20 << 20) + 63] {
        let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let mut loan = arena.loan(len).unwrap();
        loan.copy_from_slice(&bytes);
        assert!(loan.as_ref() == bytes, "{len}");
    }
}

#[test]
fn beyond_the_limit_there_is_an_error_with_the_numbers_and_idle_regions_give_way() {
    let arena = Arena::new(4 << 20);
    let long = arena.loan(3 << 20).unwrap();
    let none = arena.loan(2 << 20).unwrap_err();
    let (wanted, lent, limit) = (2 << 20, 3 << 20, 4 << 20);
    assert_eq!(
        none,
        NoMemory::Limit {
            wanted,
            lent,
            limit
        }
    );
    assert_eq!(arena.ended(), 0);
    drop(long);
    // Idle, and not of the class that is wanted now.
    let _other = arena.loan(2 << 20).unwrap();
    assert_eq!((arena.ended(), made(&arena)), (1, 2 << 20));
    for len in [(4 << 20) + 1, isize::MAX as usize, usize::MAX] {
        assert!(Arena::new(4 << 20).loan(len).is_err());
    }
}

#[test]
fn what_was_abandoned_is_never_lent_again_and_its_region_ends_with_the_rest() {
    let arena = Arena::new(1 << 30);
    let [one, two] = [(); 2].map(|()| arena.loan(300 << 10).unwrap());
    let bytes = made(&arena);
    assert!(arena.lends(one.as_ref()));
    arena.abandon(one.as_ref());
    assert!(!arena.lends(one.as_ref()) && !arena.lends(two.as_ref()));
    let start = arena.regions().around(one.as_ref()).unwrap().0;
    drop(one);
    let others: Vec<_> = (0..8).map(|_| arena.loan(300 << 10).unwrap()).collect();
    for other in &others {
        let address = other.as_ref().as_ptr().addr();
        assert!(!(start..start + bytes).contains(&address));
    }
    let before = made(&arena);
    drop(two);
    assert_eq!(made(&arena), before - bytes);
    // What is of nobody is nothing.
    arena.abandon(&[1, 2, 3]);
    assert!(!arena.lends(&[1, 2, 3]));
}

#[test]
fn a_loan_outlives_its_arena() {
    let arena = Arena::new(1 << 20);
    let mut loan = arena.loan(100).unwrap();
    drop(arena);
    filled(&mut loan, 3);
    assert_eq!(loan.as_ref(), [3; 100]);
}

#[derive(Debug, Clone)]
enum Step {
    Lend(usize),
    Drop(prop::sample::Index),
    Abandon(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![
        1..20_000usize,
        60_000..200_000usize,
        900_000..1_500_000usize
    ];
    prop_oneof![
        4 => len.prop_map(Step::Lend),
        3 => any::<prop::sample::Index>().prop_map(Step::Drop),
        1 => any::<prop::sample::Index>().prop_map(Step::Abandon),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Against the simplest model: each loan keeps its own bytes, nothing abandoned
    /// comes again, the limit holds, and in the end all of it comes back.
    #[test]
    fn loans_never_meet(steps in vec(step(), 1..120)) {
        const LIMIT: usize = 12 << 20;
        let arena = Arena::new(LIMIT);
        let mut lent: Vec<(u8, Loan)> = Vec::new();
        let mut gone: Vec<(usize, usize)> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            let number = number as u8;
            match step {
                Step::Lend(len) => {
                    let Ok(mut loan) = arena.loan(len) else { continue };
                    prop_assert_eq!(loan.as_ref().len(), len);
                    let start = loan.as_ref().as_ptr().addr();
                    // Memory that was unmapped may be mapped anew: only what is
                    // still away cannot.
                    prop_assert!(gone.iter().all(|(from, to)| start + len <= *from || start >= *to));
                    filled(&mut loan, number);
                    lent.push((number, loan));
                }
                Step::Drop(which) if !lent.is_empty() => {
                    let (number, loan) = lent.swap_remove(which.index(lent.len()));
                    let start = loan.as_ref().as_ptr().addr();
                    gone.retain(|(from, _)| *from != start);
                    prop_assert!(loan.as_ref().iter().all(|byte| *byte == number));
                }
                Step::Abandon(which) if !lent.is_empty() => {
                    let loan = lent[which.index(lent.len())].1.as_ref();
                    arena.abandon(loan);
                    let start = loan.as_ptr().addr();
                    gone.push((start, start + loan.len()));
                }
                _ => {}
            }
            prop_assert!(made(&arena) <= LIMIT);
            for (number, loan) in &lent {
                prop_assert!([loan.as_ref().first(), loan.as_ref().last()] == [Some(number); 2]);
            }
        }
        lent.clear();
        let regions = arena.regions();
        prop_assert!(regions.all.values().all(|region| region.away == 0 && !region.abandoned));
        prop_assert_eq!(regions.bytes, regions.all.values().map(|region| region.len).sum::<usize>());
    }
}
