use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::vec::Vec;

extern crate std;

const HOST: [u8; 16] = [7; 16];
const FABRIC: [u8; 16] = [0xFA; 16];
const AT: &str = "10.2.0.1:40000";
const PATIENCE: Duration = Duration::from_millis(200);

fn introduction(host: [u8; 16], fill: u8) -> Introduction {
    Introduction {
        host,
        fabric: [0; 16],
        label: [fill; 16],
        secret: [fill; SWITCH_PROOF],
    }
}

fn accepted() -> Switch {
    Switch::new(
        SwitchSide::Accepted,
        introduction(HOST, 0xA1),
        Features::SWITCH,
        PATIENCE,
    )
}

fn connected() -> Switch {
    Switch::new(
        SwitchSide::Connected,
        introduction(HOST, 0xC2),
        Features::SWITCH,
        PATIENCE,
    )
}

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

/// All frames that are due.
fn output(switch: &mut Switch) -> Vec<u8> {
    let mut all = Vec::new();
    let mut frame = [0; FRAME_MAX];
    loop {
        match switch.poll_output(&mut frame) {
            0 => return all,
            len => all.extend_from_slice(&frame[..len]),
        }
    }
}

/// Gives over everything that one has to say; what the other takes of it.
fn tell(from: &mut Switch, to: &mut Switch) {
    let said = output(from);
    let mut rest = &said[..];
    while !rest.is_empty() {
        let taken = to.handle_input(rest, at(0)).unwrap();
        assert!(taken > 0, "{rest:?} was left");
        rest = &rest[taken..];
    }
}

/// Both, with the place bound and the short path connected.
fn met() -> (Switch, Switch) {
    let (mut a, mut c) = (accepted(), connected());
    tell(&mut a, &mut c);
    tell(&mut c, &mut a);
    assert_eq!(a.poll_action(), Some(SwitchAction::Bind));
    assert_eq!(a.poll_action(), None);
    a.bound();
    tell(&mut a, &mut c);
    assert_eq!(c.poll_action(), Some(SwitchAction::Connect));
    c.connected();
    (a, c)
}

#[test]
fn both_go_once_each_has_proved_to_be_the_same() {
    let (mut a, mut c) = met();
    assert_eq!(a.place(), c.place());
    let place = a.place().unwrap();
    assert_eq!(&place[..2], b"a1");
    assert_eq!(&place[62..], b"c2");
    let proof = c.poll_proof().unwrap();
    assert_eq!(c.poll_proof(), None);
    c.proof_written();
    a.handle_proof(&proof);
    assert_eq!(output(&mut a), []);
    let proof = a.poll_proof().unwrap();
    a.proof_written();
    tell(&mut a, &mut c);
    assert_eq!(output(&mut c), []);
    c.handle_proof(&proof);
    assert_eq!(c.outcome(), SwitchOutcome::Undecided);
    tell(&mut c, &mut a);
    assert_eq!(a.outcome(), SwitchOutcome::Go);
    assert_eq!(c.outcome(), SwitchOutcome::Go);
}

#[test]
fn those_on_different_machines_go_on_at_once() {
    for (ours, theirs) in [(HOST, [8; 16]), (HOST, [0; 16]), ([0; 16], [0; 16])] {
        let side = |side, host, fill| {
            Switch::new(side, introduction(host, fill), Features::SWITCH, PATIENCE)
        };
        let mut a = side(SwitchSide::Accepted, ours, 1);
        let mut c = side(SwitchSide::Connected, theirs, 2);
        tell(&mut a, &mut c);
        tell(&mut c, &mut a);
        for mut one in [a, c] {
            assert_eq!(one.outcome(), SwitchOutcome::Apart);
            assert!(!one.is_peer_at([9; 16]));
            assert_eq!(one.place(), None);
            assert_eq!(one.poll_action(), None);
            assert_eq!(one.poll_timeout(), None);
            // What follows is traffic.
            assert_eq!(one.handle_input(&[0, 1, b'x'], at(0)), Ok(0));
        }
    }
}

#[test]
fn who_is_not_the_peer_is_left_alone() {
    for wrong in 0..SWITCH_PROOF {
        let (mut a, mut c) = met();
        let mut proof = c.poll_proof().unwrap();
        proof[wrong] ^= 1;
        a.handle_proof(&proof);
        assert_eq!(a.poll_proof(), None);
        tell(&mut a, &mut c);
        tell(&mut c, &mut a);
        let stay = SwitchOutcome::Stay(SwitchReason::WrongProof);
        assert_eq!((a.outcome(), c.outcome()), (stay, stay));
    }
    let (mut a, mut c) = met();
    let proof = c.poll_proof().unwrap();
    a.handle_proof(&proof);
    a.proof_written();
    tell(&mut a, &mut c);
    // An earlier connection's.
    c.handle_proof(&[0xC1; SWITCH_PROOF]);
    tell(&mut c, &mut a);
    let stay = SwitchOutcome::Stay(SwitchReason::WrongProof);
    assert_eq!((a.outcome(), c.outcome()), (stay, stay));
}

#[test]
fn who_only_says_what_we_say_is_not_met() {
    for mut switch in [accepted(), connected()] {
        let echo = output(&mut switch);
        assert!(!switch.is_peer_at(HOST));
        assert_eq!(switch.handle_input(&echo, at(0)), Ok(echo.len()));
        assert!(switch.is_peer_at(HOST));
        assert_eq!(switch.poll_action(), None);
        assert!(switch.is_over());
    }
}

#[test]
fn patience_ends_unless_the_last_word_is_said() {
    let (mut a, mut c) = met();
    assert_eq!(c.poll_timeout(), Some(at(200)));
    c.handle_timeout(at(199));
    assert!(!c.is_over());
    a.handle_proof(&c.poll_proof().unwrap());
    a.poll_proof().unwrap();
    a.proof_written();
    // It has said go: only the peer knows what becomes of it.
    assert_eq!(a.poll_timeout(), None);
    a.handle_timeout(at(1000));
    a.failed(SwitchReason::Broken);
    assert!(!a.is_over());
    c.handle_timeout(at(200));
    tell(&mut a, &mut c);
    assert_eq!(a.outcome(), SwitchOutcome::Undecided);
    tell(&mut c, &mut a);
    let stay = SwitchOutcome::Stay(SwitchReason::TimedOut);
    assert_eq!((a.outcome(), c.outcome()), (stay, stay));
}

#[test]
fn the_last_word_is_said_once() {
    let (mut a, mut c) = met();
    a.proof_written();
    assert_eq!(output(&mut a), [], "there was no proof");
    a.handle_proof(&c.poll_proof().unwrap());
    a.proof_written();
    let go = output(&mut a);
    assert_eq!(go.len(), 2 + 7 + 8);
    a.proof_written();
    assert_eq!(output(&mut a), []);
}

#[test]
fn who_cannot_do_its_part_says_so() {
    for side in [0, CONNECTED] {
        let mut pair = met();
        let one = if side == CONNECTED {
            &mut pair.1
        } else {
            &mut pair.0
        };
        one.failed(SwitchReason::Exhausted);
        assert!(one.is_over());
        let (mut a, mut c) = pair;
        tell(&mut a, &mut c);
        tell(&mut c, &mut a);
        tell(&mut a, &mut c);
        let stay = SwitchOutcome::Stay(SwitchReason::Exhausted);
        assert_eq!((a.outcome(), c.outcome()), (stay, stay));
    }
}

/// What a caller tells too early, too late, or on the wrong side.
#[test]
fn what_does_not_belong_here_changes_nothing() {
    let (mut a, mut c) = (accepted(), connected());
    let theirs = [output(&mut a), output(&mut c)];
    c.handle_input(&theirs[0], at(0)).unwrap();
    a.handle_input(&theirs[1], at(0)).unwrap();
    // Nobody is at the place: not yet, or not of ours.
    c.connected();
    assert_eq!(c.poll_proof(), None);
    c.bound();
    assert_eq!(output(&mut c), []);
    a.handle_proof(&[0xA1; SWITCH_PROOF]);
    a.proof_written();
    assert_eq!((a.poll_proof(), output(&mut a)), (None, Vec::new()));
    a.bound();
    a.connected();
    assert_eq!(a.poll_proof(), None);
    assert_eq!(output(&mut a).len(), 2 + 7 + 8, "that it is ready");
    a.bound();
    assert_eq!(output(&mut a), [], "once");
    // We stay where we are.
    a.failed(SwitchReason::Other);
    let stay = output(&mut a);
    assert_eq!(stay[9..11], [3, 0]);
    a.handle_proof(&[0xA1; SWITCH_PROOF]);
    assert_eq!((a.poll_proof(), output(&mut a)), (None, Vec::new()));
    let (mut late, mut gone) = (accepted(), connected());
    tell(&mut gone, &mut late);
    tell(&mut late, &mut gone);
    late.failed(SwitchReason::NoPlace);
    late.bound();
    assert_eq!(output(&mut late)[9..], [3, 1, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn nothing_is_decided_before_it_is_written() {
    let mut a = accepted();
    let elsewhere = introduction([8; 16], 9);
    let mut c = Switch::new(SwitchSide::Connected, elsewhere, Features::SWITCH, PATIENCE);
    a.handle_input(&output(&mut c), at(0)).unwrap();
    assert_eq!(a.outcome(), SwitchOutcome::Undecided);
    output(&mut a);
    assert_eq!(a.outcome(), SwitchOutcome::Apart);
}

#[test]
fn who_says_a_part_of_what_we_say_is_not_met() {
    let echo = introduction(HOST, 0xA1);
    let label = Introduction {
        secret: [9; SWITCH_PROOF],
        ..echo
    };
    let secret = Introduction {
        label: [9; 16],
        ..echo
    };
    for theirs in [label, secret] {
        let mut c = Switch::new(SwitchSide::Connected, theirs, Features::SWITCH, PATIENCE);
        let mut a = accepted();
        tell(&mut c, &mut a);
        assert!(a.is_over());
    }
}

#[test]
fn the_longest_frame_is_an_introduction_with_its_checksum() {
    let features = Features::SWITCH | Features::FABRIC | Features::CRC;
    let ours = introduction(HOST, 1);
    let mut a = Switch::new(SwitchSide::Accepted, ours, features, PATIENCE);
    assert_eq!(output(&mut a).len(), Switch::FRAME_MAX);
}

#[test]
fn words_out_of_turn_end_the_connection() {
    let frame = |word: Word| {
        let mut out = [0; FRAME_MAX];
        let len = word.encode(Features::SWITCH, &mut out);
        out[..len].to_vec()
    };
    let out_of_turn = Err(SwitchError::OutOfTurn);
    let hello = frame(Word::Introduction(introduction(HOST, 9)));
    for word in [Word::Ready(None), Word::Go, Word::Stay(SwitchReason::Other)] {
        assert_eq!(accepted().handle_input(&frame(word), at(0)), out_of_turn);
        assert_eq!(connected().handle_input(&frame(word), at(0)), out_of_turn);
    }
    for mut switch in [accepted(), connected()] {
        switch.handle_input(&hello, at(0)).unwrap();
        let mut twice = switch.clone();
        assert_eq!(twice.handle_input(&hello, at(0)), out_of_turn);
        let mut hasty = switch.clone();
        assert_eq!(hasty.handle_input(&frame(Word::Go), at(0)), out_of_turn);
    }
    let mut a = accepted();
    a.handle_input(&hello, at(0)).unwrap();
    assert_eq!(
        a.handle_input(&frame(Word::Ready(None)), at(0)),
        out_of_turn
    );
    let (_, mut c) = met();
    assert_eq!(
        c.handle_input(&frame(Word::Ready(None)), at(0)),
        out_of_turn
    );
    // Go, in answer to stay.
    let (mut a, _) = met();
    a.failed(SwitchReason::Other);
    assert_eq!(a.handle_input(&frame(Word::Go), at(0)), out_of_turn);
}

#[test]
fn other_frames_have_no_place_here() {
    let stray = |input: &[u8]| connected().handle_input(input, at(0)).unwrap_err();
    let message = SwitchError::Stray { flags: 0, len: 1 };
    assert_eq!(stray(&[0, 1, b'x']), message);
    let ping = b"\x04\x07\x04PING\0\0";
    assert_eq!(stray(ping), SwitchError::Stray { flags: 4, len: 7 });
    // Judged by the header: nothing of it is waited for.
    let long = [6, 0, 0, 0, 1, 0, 0, 0, 0];
    let len = 1 << 32;
    assert_eq!(stray(&long), SwitchError::Stray { flags: 6, len });
    assert!(matches!(stray(&[0xFF]), SwitchError::Frame(_)));
    // XFERRO of another version, of something else, too short, too long.
    let hello = output(&mut connected());
    for (index, value) in [(9, 0), (16, 1)] {
        let mut other = hello.clone();
        other[index] = value;
        other[10] = 9;
        assert!(matches!(stray(&other), SwitchError::Stray { .. }));
    }
    for len in [hello.len() - 3, hello.len() - 1] {
        let mut other = hello.clone();
        other.resize(len + 4, 0);
        other[1] = (len + 2) as u8;
        assert!(matches!(stray(&other), SwitchError::Stray { .. }));
    }
}

#[test]
fn frames_are_waited_for_and_their_checksums_seen() {
    let with_crc = |side, fill| {
        let features = Features::SWITCH | Features::CRC;
        Switch::new(side, introduction(HOST, fill), features, PATIENCE)
    };
    let mut a = with_crc(SwitchSide::Accepted, 1);
    let mut c = with_crc(SwitchSide::Connected, 2);
    let hello = output(&mut a);
    for end in 0..hello.len() {
        assert_eq!(c.handle_input(&hello[..end], at(0)), Ok(0));
    }
    for index in 2..hello.len() {
        let mut torn = hello.clone();
        torn[index] ^= 0x10;
        let verdict = c.clone().handle_input(&torn, at(0));
        assert!(matches!(verdict, Err(SwitchError::Frame(_))), "{index}");
    }
    assert_eq!(c.handle_input(&hello, at(0)), Ok(hello.len()));
}

#[test]
fn reasons_keep_their_numbers() {
    for code in 0..=7 {
        assert_eq!(SwitchReason::of(code).code(), code);
    }
    assert_eq!(SwitchReason::of(8), SwitchReason::Other);
}

/// One that may meet on a fabric, and on a machine too.
fn fabric(side: SwitchSide, host: [u8; 16], fabric: [u8; 16], fill: u8) -> Switch {
    let ours = Introduction {
        fabric,
        ..introduction(host, fill)
    };
    let features = Features::SWITCH | Features::FABRIC;
    Switch::new(side, ours, features, PATIENCE)
}

/// Both, who have told each other who they are.
fn introduced(grounds: [([u8; 16], [u8; 16]); 2]) -> [Switch; 2] {
    let [mut a, mut c] = [SwitchSide::Accepted, SwitchSide::Connected].map(|side| {
        let (index, fill) = match side {
            SwitchSide::Accepted => (0, 0xA1),
            SwitchSide::Connected => (1, 0xC2),
        };
        fabric(side, grounds[index].0, grounds[index].1, fill)
    });
    tell(&mut a, &mut c);
    tell(&mut c, &mut a);
    [a, c]
}

#[test]
fn a_machine_is_nearer_than_a_fabric() {
    let elsewhere = [8; 16];
    let none = [0; 16];
    let cases = [
        ((HOST, FABRIC), (HOST, FABRIC), Some(SwitchWay::Machine)),
        ((HOST, FABRIC), (elsewhere, FABRIC), Some(SwitchWay::Fabric)),
        ((none, FABRIC), (HOST, FABRIC), Some(SwitchWay::Fabric)),
        ((none, FABRIC), (none, elsewhere), None),
        ((none, none), (none, none), None),
        // Each the other one's number, by chance or on purpose.
        ((HOST, FABRIC), (FABRIC, HOST), None),
    ];
    for (a, c, way) in cases {
        for side in introduced([a, c]) {
            assert_eq!(side.way(), way);
            assert_eq!(side.place().is_some(), way == Some(SwitchWay::Machine));
            let apart = side.outcome() == SwitchOutcome::Apart;
            assert_eq!(apart, way.is_none());
        }
    }
}

#[test]
fn on_a_fabric_both_go_to_the_address_that_the_listener_tells() {
    for at in [AT, "[2001:db8::7]:1"] {
        let at = at.parse().unwrap();
        let [mut a, mut c] = introduced([([0; 16], FABRIC), ([9; 16], FABRIC)]);
        assert!(a.is_peer_at(FABRIC) && !a.is_peer_at(HOST));
        assert_eq!(a.poll_action(), Some(SwitchAction::Bind));
        // What belongs to a machine.
        a.bound();
        assert_eq!(output(&mut a), []);
        a.bound_at(at);
        assert_eq!(a.address(), Some(at));
        assert_eq!(c.address(), None);
        tell(&mut a, &mut c);
        assert_eq!(c.poll_action(), Some(SwitchAction::Connect));
        assert_eq!(c.address(), Some(at));
        // Once said, it stands.
        a.bound_at("10.9.9.9:9".parse().unwrap());
        assert_eq!(a.address(), Some(at));
        c.connected();
        a.handle_proof(&c.poll_proof().unwrap());
        let proof = a.poll_proof().unwrap();
        a.proof_written();
        c.handle_proof(&proof);
        tell(&mut a, &mut c);
        tell(&mut c, &mut a);
        let go = SwitchOutcome::Go;
        assert_eq!((a.outcome(), c.outcome()), (go, go));
    }
}

#[test]
fn an_address_where_nobody_can_wait_is_no_place() {
    for at in [
        "0.0.0.0:5",
        "[::]:5",
        "224.0.0.1:5",
        "[ff02::1]:5",
        "10.2.0.1:0",
    ] {
        let [mut a, mut c] = introduced([([0; 16], FABRIC), ([0; 16], FABRIC)]);
        a.bound_at(at.parse().unwrap());
        tell(&mut a, &mut c);
        assert_eq!((c.poll_action(), c.address()), (None, None));
        assert!(c.is_over());
        tell(&mut c, &mut a);
        tell(&mut a, &mut c);
        let stay = SwitchOutcome::Stay(SwitchReason::NoPlace);
        assert_eq!((a.outcome(), c.outcome()), (stay, stay), "{at}");
    }
}

#[test]
fn an_address_is_told_on_a_fabric_and_nowhere_else() {
    let frame = |word: Word, features| {
        let mut out = [0; FRAME_MAX];
        let len = word.encode(features, &mut out);
        out[..len].to_vec()
    };
    let features = Features::SWITCH | Features::FABRIC;
    let out_of_turn = Err(SwitchError::OutOfTurn);
    let [_, mut c] = introduced([([0; 16], FABRIC), ([0; 16], FABRIC)]);
    let bare = frame(Word::Ready(None), features);
    assert_eq!(c.handle_input(&bare, at(0)), out_of_turn);
    let [_, mut c] = introduced([(HOST, FABRIC), (HOST, FABRIC)]);
    let told = frame(Word::Ready(Some(AT.parse().unwrap())), features);
    assert_eq!(c.handle_input(&told, at(0)), out_of_turn);
    // Without FABRIC it is no word at all, nor is the other XFERRO; and the other way.
    for long in [
        told.clone(),
        frame(Word::Introduction(introduction(HOST, 9)), features),
    ] {
        let verdict = connected().handle_input(&long, at(0));
        assert!(matches!(verdict, Err(SwitchError::Stray { .. })));
    }
    let short = output(&mut connected());
    let verdict = fabric(SwitchSide::Accepted, HOST, FABRIC, 1).handle_input(&short, at(0));
    assert!(matches!(verdict, Err(SwitchError::Stray { .. })));
    // A step that has no address, with one.
    let mut wrong = told;
    wrong[9] = 2;
    let [_, mut c] = introduced([([0; 16], FABRIC), ([0; 16], FABRIC)]);
    let verdict = c.handle_input(&wrong, at(0));
    assert!(matches!(verdict, Err(SwitchError::Stray { .. })));
}

/// Two sides, the connection between them, and a short path that may fail.
struct Pair {
    sides: [Switch; 2],
    /// What each has written to the other, and has not been heard.
    old: [VecDeque<u8>; 2],
    proofs: [Option<[u8; SWITCH_PROOF]>; 2],
    bound: bool,
}

/// What happens next, to one of the sides.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write,
    /// So many bytes come through.
    Hear(usize),
    /// Whether what is asked for succeeds.
    Act(bool),
    Prove,
    /// Whether it is the right one.
    HearProof(bool),
    TimeOut,
    Fail,
}

const CONNECTED: usize = 1;

impl Pair {
    fn new() -> Self {
        Self {
            sides: [accepted(), connected()],
            old: Default::default(),
            proofs: [None; 2],
            bound: false,
        }
    }

    fn step(&mut self, side: usize, step: Step) {
        let one = &mut self.sides[side];
        match step {
            Step::Write => {
                let said = output(one);
                self.old[side].extend(said);
            }
            Step::Hear(len) => {
                let input = self.old[1 - side].make_contiguous();
                let len = len.min(input.len());
                let taken = one.handle_input(&input[..len], at(0)).unwrap();
                self.old[1 - side].drain(..taken);
            }
            Step::Act(succeeds) => match one.poll_action() {
                Some(SwitchAction::Bind) if succeeds => {
                    self.bound = true;
                    one.bound();
                }
                Some(SwitchAction::Connect) if succeeds && self.bound => one.connected(),
                Some(_) => one.failed(SwitchReason::Unreachable),
                None => {}
            },
            Step::Prove => {
                if let Some(proof) = one.poll_proof() {
                    self.proofs[side] = Some(proof);
                    one.proof_written();
                }
            }
            Step::HearProof(right) => {
                if let Some(mut proof) = self.proofs[1 - side].take() {
                    proof[31] ^= u8::from(!right);
                    one.handle_proof(&proof);
                }
            }
            Step::TimeOut => one.handle_timeout(at(1000)),
            Step::Fail => one.failed(SwitchReason::Broken),
        }
    }

    /// All that is under way arrives, and patience ends.
    fn finish(&mut self) -> [SwitchOutcome; 2] {
        for round in 0..20 {
            for side in [0, CONNECTED] {
                self.step(side, Step::Write);
                self.step(side, Step::Hear(usize::MAX));
                self.step(side, Step::Act(true));
                self.step(side, Step::Prove);
                self.step(side, Step::HearProof(true));
                if round > 10 {
                    self.step(side, Step::TimeOut);
                }
            }
        }
        [self.sides[0].outcome(), self.sides[1].outcome()]
    }
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        4 => Just(Step::Write),
        4 => (0usize..120).prop_map(Step::Hear),
        4 => prop::bool::weighted(0.9).prop_map(Step::Act),
        4 => Just(Step::Prove),
        4 => prop::bool::weighted(0.9).prop_map(Step::HearProof),
        1 => Just(Step::TimeOut),
        1 => Just(Step::Fail),
    ];
    prop::collection::vec((0usize..2, step), 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_fails_and_when_both_end_on_the_same_path(steps in steps()) {
        let mut pair = Pair::new();
        for (side, step) in steps {
            pair.step(side, step);
            // At no moment has one of them gone and the other one stayed.
            let [a, c] = [pair.sides[0].outcome(), pair.sides[1].outcome()];
            let goes = |it| it == SwitchOutcome::Go;
            let stays = |it| matches!(it, SwitchOutcome::Stay(_) | SwitchOutcome::Apart);
            prop_assert!(!(goes(a) && stays(c) || stays(a) && goes(c)), "{a:?} {c:?}");
        }
        let outcomes = pair.finish();
        let go = SwitchOutcome::Go;
        prop_assert!(!outcomes.contains(&SwitchOutcome::Undecided));
        prop_assert_eq!(outcomes[0] == go, outcomes[1] == go, "{:?}", outcomes);
        prop_assert!(pair.old.iter().all(VecDeque::is_empty));
    }

    #[test]
    fn no_input_panics_or_is_taken_beyond_its_end(
        input in prop::collection::vec(any::<u8>(), 0..200),
        hello in any::<bool>(),
    ) {
        for mut switch in [accepted(), connected()] {
            let mut bytes = Vec::new();
            if hello {
                let mut out = [0; FRAME_MAX];
                let word = Word::Introduction(introduction(HOST, 3));
                let len = word.encode(Features::SWITCH, &mut out);
                bytes.extend_from_slice(&out[..len]);
            }
            bytes.extend_from_slice(&input);
            let mut rest = &bytes[..];
            while let Ok(taken @ 1..) = switch.handle_input(rest, at(0)) {
                prop_assert!(taken <= rest.len());
                rest = &rest[taken..];
            }
        }
    }
}
