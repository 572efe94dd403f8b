//! Payloads over `shm://` are read where they lie, by everybody who gets them, and
//! whoever keeps them keeps only their sender back.

use std::sync::mpsc;
use std::time::Duration;

use ferromq::{Context, Error, Frame, Message, Options, Pub, Pull, Push, Rep, Req, Router, Sub};
use ferromq::{CurveClients, CurveKeys, Dealer, Kind, Proxy, Socket};
use ferromq_tests::{PATIENCE, Watchdog};

const LONG: usize = 1 << 20;

/// A socket in a context of its own, as in a process of its own.
fn socket<K: Kind>(options: Options) -> (Context, Socket<K>) {
    let context = Context::new().unwrap();
    let options = options.linger(Some(Duration::ZERO));
    let socket = context.socket_with(options).unwrap();
    (context, socket)
}

struct Pair<A: Kind, B: Kind> {
    a: Socket<A>,
    b: Socket<B>,
    endpoint: String,
    sender: Context,
    _contexts: Context,
    _watchdog: Watchdog,
}

/// `a` connected to `b`, which is bound.
fn pair<A: Kind, B: Kind>(a: Options, b: Options) -> Pair<A, B> {
    let watchdog = Watchdog::start();
    let ((sender, a), (receiver, b)) = (socket::<A>(a), socket::<B>(b));
    let endpoint = b.bind("shm://*").unwrap().to_string();
    a.connect(&endpoint).unwrap();
    assert!(a.wait_for_peers(1, PATIENCE).unwrap());
    Pair {
        a,
        b,
        endpoint,
        sender,
        _contexts: receiver,
        _watchdog: watchdog,
    }
}

/// A frame of a message.
fn part(message: &Message, index: usize) -> &[u8] {
    message.frame(index).unwrap()
}

/// Waits until it is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    ferromq_tests::until(what, || so().then_some(()));
}

fn content(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8 ^ seed).collect()
}

/// The file that is mapped where these bytes lie, by its inode.
fn file_of(bytes: &[u8]) -> Option<u64> {
    let address = bytes.as_ptr() as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| {
        let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [from, to] = [from, to].map(|end| usize::from_str_radix(end, 16).unwrap());
        (from..to).contains(&address)
    })?;
    let shared = line.contains("memfd:ferromq-shm");
    shared.then(|| line.split_whitespace().nth(4).unwrap().parse().unwrap())
}

/// Payloads that a context's sockets have sent by reference, and could not.
fn sent(context: &Context) -> (u64, u64) {
    let sockets = context.sockets();
    let of = |socket: &ferromq::SocketSnapshot| {
        let traffic = socket.statistics.traffic;
        (traffic.references_sent, traffic.references_refused)
    };
    let sum = |(a, b): (u64, u64), (c, d): (u64, u64)| (a + c, b + d);
    sockets.iter().map(of).fold((0, 0), sum)
}

#[test]
fn the_first_payload_of_many_mib_makes_no_memory_for_a_second_one() {
    const HUGE: usize = 64 << 20;
    let it = pair::<Push, Pull>(Options::new(), Options::new());
    let body = content(HUGE, 3);
    for (by_reference, round) in [false, true, true].into_iter().zip(1..) {
        it.a.send(&body[..]).unwrap();
        let message = it.b.recv().unwrap();
        assert!(part(&message, 0) == &body[..], "round {round}");
        let lies_there = file_of(part(&message, 0)).is_some();
        assert_eq!(lies_there, by_reference, "round {round}");
    }
    // It was not for want of memory.
    assert_eq!(sent(&it.sender), (2, 0));
}

#[test]
fn the_first_payload_of_many_mib_is_written_from_its_senders_memory_behind_other_parts() {
    let it = pair::<Push, Pull>(Options::new(), Options::new());
    let (head, body) = (content(500, 1), content(64 << 20, 3));
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            for _ in 0..2 {
                it.a.send_parts(&[&head, &body]).unwrap();
            }
            it.a.send_bytes(&head).unwrap();
        });
        for by_reference in [false, true] {
            let message = it.b.recv().unwrap();
            assert!(part(&message, 0) == head && part(&message, 1) == body);
            assert_eq!(file_of(part(&message, 1)).is_some(), by_reference);
        }
        assert_eq!(part(&it.b.recv().unwrap(), 0), head);
        sender.join().unwrap();
    });
    assert_eq!(sent(&it.sender), (1, 0));
}

#[test]
fn a_long_payload_is_read_where_its_sender_put_it() {
    let it = pair::<Push, Pull>(Options::new(), Options::new());
    for (seed, len) in [LONG, 64 << 10, 10 << 20, 3, 70_001]
        .into_iter()
        .enumerate()
    {
        let body = content(len, seed as u8);
        it.a.send(&body[..]).unwrap();
        it.a.send(body.clone()).unwrap();
        for _ in 0..2 {
            let message = it.b.recv().unwrap();
            assert_eq!(part(&message, 0), body);
            assert_eq!(
                file_of(part(&message, 0)).is_some(),
                len >= 64 << 10,
                "{len}"
            );
        }
    }
    assert_eq!(sent(&it.sender), (8, 0));
}

#[test]
fn a_loan_is_sent_without_a_copy_and_comes_back() {
    let one = Options::new().send_bytes_limit(1);
    let it = pair::<Push, Pull>(one, Options::new());
    for len in [4 << 10, LONG, 5 << 20] {
        let mut loan = it.a.loan(len).unwrap();
        assert!(loan.is_shared());
        loan.fill(7);
        let (address, file) = (loan.as_ptr(), file_of(&loan));
        assert!(file.is_some());
        it.a.send(loan).unwrap();
        let message = it.b.recv().unwrap();
        let body = part(&message, 0);
        assert_eq!((body.len(), file_of(body)), (len, file));
        assert!(body.iter().all(|byte| *byte == 7));
        assert!(it.a.try_send("?").is_err());
        drop(message);
        // It comes back by itself: the receiver makes no further call.
        until("there is room", || it.a.try_send("!").is_ok());
        assert_eq!(part(&it.b.recv().unwrap(), 0), b"!");
        assert_eq!(it.a.loan(len).unwrap().as_ptr(), address);
    }
}

#[test]
fn a_short_loan_and_a_part_of_one_are_as_good_as_any_frame() {
    let it = pair::<Push, Pull>(Options::new(), Options::new());
    let mut loan = it.a.loan(LONG).unwrap();
    loan.copy_from_slice(&content(LONG, 1));
    let frame = Frame::from(loan);
    it.a.send(frame.slice(..100)).unwrap();
    it.a.send(frame.slice(5000..20_000)).unwrap();
    it.a.send(it.a.loan(0).unwrap()).unwrap();
    assert_eq!(part(&it.b.recv().unwrap(), 0), &content(LONG, 1)[..100]);
    assert_eq!(
        part(&it.b.recv().unwrap(), 0),
        &content(LONG, 1)[5000..20_000]
    );
    assert_eq!(part(&it.b.recv().unwrap(), 0), b"");
    assert_eq!(sent(&it.sender), (1, 0));
}

#[test]
fn subscribers_share_one_copy() {
    let _watchdog = Watchdog::start();
    let (publishing, publisher) = socket::<Pub>(Options::new());
    let endpoint = publisher.bind("shm://*").unwrap().to_string();
    let subscribers: Vec<_> = (0..4)
        .map(|_| {
            let (context, subscriber) = socket::<Sub>(Options::new());
            subscriber.connect(&endpoint).unwrap();
            subscriber.subscribe("").unwrap();
            (context, subscriber)
        })
        .collect();
    until("all are subscribed", || {
        publisher.send("?").unwrap();
        let got = |(_, it): &(Context, Socket<Sub>)| it.try_recv().is_ok();
        subscribers.iter().filter(|it| got(it)).count() == subscribers.len()
    });
    let body = content(LONG, 9);
    publisher.send([b"topic", &body[..]]).unwrap();
    let mut files = Vec::new();
    let mut kept = Vec::new();
    for (_, subscriber) in &subscribers {
        let message = loop {
            let message = subscriber.recv().unwrap();
            if message.len() == 2 {
                break message;
            }
        };
        assert_eq!(
            (part(&message, 0), part(&message, 1)),
            (&b"topic"[..], &body[..])
        );
        files.push(file_of(part(&message, 1)).unwrap());
        kept.push(message);
    }
    files.dedup();
    assert_eq!(files.len(), 1, "each has a copy of its own");
    assert_eq!(sent(&publishing), (4, 0));
}

#[test]
fn who_keeps_what_it_got_is_a_full_peer_until_it_lets_go() {
    let options = Options::new().send_bytes_limit(10 * LONG);
    let it = pair::<Push, Pull>(options, Options::new());
    let mut kept = Vec::new();
    for number in 0.. {
        match it.a.try_send(content(LONG, number)) {
            Ok(()) => kept.push(it.b.recv().unwrap()),
            Err(refused) => {
                assert!(matches!(refused.error, Error::WouldBlock), "{refused}");
                break;
            }
        }
    }
    assert_eq!(kept.len(), 10);
    // Short ones are no exception.
    assert!(it.a.try_send("x").is_err());
    kept.truncate(5);
    until("half of it is enough", || it.a.try_send("x").is_ok());
    for (number, message) in kept.iter().enumerate() {
        assert_eq!(part(message, 0), content(LONG, number as u8));
    }
}

#[test]
fn bytes_that_are_kept_count_like_bytes_that_wait() {
    let options = Options::new().send_high_water_mark(0);
    let it = pair::<Push, Pull>(options, Options::new());
    let mut kept = 0;
    let mut held = Vec::new();
    while it.a.try_send(content(10 << 20, 1)).is_ok() {
        held.push(it.b.recv().unwrap());
        kept += 10 << 20;
    }
    // The limit is 32 MiB.
    assert!((32 << 20..=48 << 20).contains(&kept), "{kept}");
}

#[test]
fn a_sender_that_waits_is_woken_by_a_payload_that_is_dropped_elsewhere() {
    let options = Options::new().send_bytes_limit(2 * LONG);
    let it = pair::<Push, Pull>(options, Options::new());
    let (kept, held) = mpsc::channel::<Message>();
    let (go, wait) = mpsc::channel::<()>();
    // Its frames are dropped on a thread that makes no calls, while the one that does
    // is asleep in another call, or gone.
    let dropper = std::thread::spawn(move || {
        let held: Vec<_> = held.iter().take(2).collect();
        wait.recv().unwrap();
        drop(held);
    });
    for number in 0..2 {
        it.a.send(content(LONG, number)).unwrap();
        kept.send(it.b.recv().unwrap()).unwrap();
    }
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| it.a.send(content(LONG, 2)).unwrap());
        assert!(!sender.is_finished());
        go.send(()).unwrap();
        sender.join().unwrap();
    });
    dropper.join().unwrap();
    assert_eq!(part(&it.b.recv().unwrap(), 0), content(LONG, 2));
}

#[test]
fn what_was_received_outlives_its_sender() {
    let it = pair::<Push, Pull>(Options::new(), Options::new());
    it.a.send(content(LONG, 5)).unwrap();
    it.a.send(content(LONG, 6)).unwrap();
    let first = it.b.recv().unwrap();
    let Pair { a, b, sender, .. } = it;
    drop((a, sender));
    // The second one was on its way.
    let second = b.recv().unwrap();
    assert_eq!(
        (part(&first, 0), part(&second, 0)),
        (&content(LONG, 5)[..], &content(LONG, 6)[..])
    );
    assert!(file_of(part(&second, 0)).is_some());
}

#[test]
fn memory_that_a_lost_peer_may_look_at_is_not_lent_again() {
    let it = pair::<Push, Pull>(Options::new(), Options::new());
    it.a.send(content(LONG, 5)).unwrap();
    let kept = it.b.recv().unwrap();
    let (_context, other) = socket::<Pull>(Options::new());
    // The receiver lives, but its connection does not.
    let Pair { a, b, endpoint, .. } = it;
    drop(b);
    until("the endpoint is free", || other.bind(&endpoint).is_ok());
    for number in 0..50 {
        a.send(content(LONG, number)).unwrap();
        assert_eq!(part(&other.recv().unwrap(), 0), content(LONG, number));
        assert_eq!(part(&kept, 0), content(LONG, 5));
    }
}

#[test]
fn requests_and_replies_go_by_reference_too() {
    let it = pair::<Req, Rep>(Options::new(), Options::new());
    for number in 0..20 {
        let body = content(LONG + usize::from(number), number);
        it.a.send(Message::from_iter([
            Frame::from("head"),
            body.clone().into(),
        ]))
        .unwrap();
        let request = it.b.recv().unwrap();
        assert_eq!(part(&request, 1), body);
        // What was received goes on: a copy, for it is not ours to lend.
        it.b.send(request).unwrap();
        let reply = it.a.recv().unwrap();
        assert_eq!(
            (part(&reply, 0), part(&reply, 1)),
            (&b"head"[..], &body[..])
        );
    }
    assert_eq!(sent(&it.sender), (20, 0));
}

#[test]
fn a_proxy_passes_payloads_on() {
    let _watchdog = Watchdog::start();
    let (_in_between, frontend) = socket::<Router>(Options::new());
    let (_behind, backend) = socket::<Dealer>(Options::new());
    let asked = frontend.bind("shm://*").unwrap();
    let answered = backend.bind("shm://*").unwrap();
    let mut proxy = Proxy::builder(frontend, backend).build().unwrap();
    let handle = proxy.handle();
    let proxy = std::thread::spawn(move || proxy.run());
    let (_asking, req) = socket::<Req>(Options::new());
    req.connect(&asked.to_string()).unwrap();
    let (_answering, rep) = socket::<Rep>(Options::new());
    rep.connect(&answered.to_string()).unwrap();
    for number in 0..10 {
        req.send(content(LONG, number)).unwrap();
        let request = rep.recv().unwrap();
        assert!(file_of(part(&request, 0)).is_some());
        rep.send(request).unwrap();
        assert_eq!(part(&req.recv().unwrap(), 0), content(LONG, number));
    }
    handle.stop();
    proxy.join().unwrap().unwrap();
}

/// More than a sender lends at a time, one way: what the proxy is done with goes back though
/// nothing more comes, and it sends nothing else there.
#[test]
fn a_proxy_of_one_direction_gives_payloads_back() {
    const COUNT: u8 = 100;
    let _watchdog = Watchdog::start();
    let (_in_between, frontend) = socket::<Pull>(Options::new());
    // Room for all that the feeder lends, and more.
    let roomy = Options::new().send_bytes_limit(1 << 30).switch(false);
    let (_behind, backend) = socket::<Push>(roomy);
    let fed = frontend.bind("shm://*").unwrap();
    let taken = backend.bind("tcp://127.0.0.1:*").unwrap();
    let mut proxy = Proxy::builder(frontend, backend).build().unwrap();
    let handle = proxy.handle();
    let proxy = std::thread::spawn(move || proxy.run());
    let (_feeding, push) = socket::<Push>(Options::new());
    push.connect(&fed.to_string()).unwrap();
    let feeder = std::thread::spawn(move || {
        (0..COUNT).for_each(|number| push.send(content(LONG, number)).unwrap());
        push
    });
    let slow = Options::new().receive_high_water_mark(1).switch(false);
    let (_taking, pull) = socket::<Pull>(slow);
    pull.connect(&taken.to_string()).unwrap();
    // The proxy has all that is lent at a time, and the feeder waits.
    let mut before = u64::MAX;
    until("nothing moves", || {
        std::thread::sleep(Duration::from_millis(500));
        let moved = handle.statistics().frontend.messages_received;
        std::mem::replace(&mut before, moved) == moved
    });
    assert!(before < u64::from(COUNT));
    for number in 0..COUNT {
        assert_eq!(
            part(&pull.recv_timeout(PATIENCE).unwrap(), 0),
            content(LONG, number)
        );
    }
    drop(feeder.join().unwrap());
    handle.stop();
    proxy.join().unwrap().unwrap();
}

#[test]
fn beside_checksums_and_under_curve_payloads_stay_in_the_stream() {
    // HOSTILE 77
    let keys = CurveKeys::generate();
    let server = Options::new().curve_server(keys.clone(), CurveClients::Any);
    let client = Options::new().curve_client(keys.public, CurveKeys::generate());
    let plain = Options::new;
    let cases = [
        (client, server),
        (plain().crc(true), plain().crc(true)),
        (plain().by_reference(false), plain()),
        (plain(), plain().by_reference(false)),
        (plain().extensions(false), plain()),
    ];
    for (a, b) in cases {
        let it = pair::<Push, Pull>(a, b);
        it.a.send(content(LONG, 1)).unwrap();
        it.a.send(it.a.loan(LONG).unwrap()).unwrap();
        let message = it.b.recv().unwrap();
        assert_eq!(part(&message, 0), content(LONG, 1));
        assert_eq!(file_of(part(&message, 0)), None);
        assert_eq!(part(&it.b.recv().unwrap(), 0).len(), LONG);
        assert_eq!(sent(&it.sender), (0, 0));
    }
}

/// Many lengths both ways, kept for a while and dropped anywhere, with other messages
/// between.
#[test]
fn much_of_it_arrives_as_it_was_sent() {
    const ROUNDS: u32 = 400;
    let it = pair::<Dealer, Dealer>(Options::new(), Options::new());
    let talk = |ours: &Socket<Dealer>, seed: u32| {
        let mut random = seed;
        let mut next = move || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random >> 8
        };
        let lens = [3, 5_000, 70_000, 300_000, 1 << 20];
        let (drops, dropped) = mpsc::channel::<Message>();
        let dropper = std::thread::spawn(move || dropped.iter().for_each(drop));
        let mut kept = std::collections::VecDeque::new();
        for number in 0..ROUNDS {
            let len = lens[next() as usize % lens.len()] + next() as usize % 999;
            let body = match next() % 2 {
                0 => content(len, number as u8).into(),
                _ => {
                    let mut loan = ours.loan(len).unwrap();
                    loan.copy_from_slice(&content(len, number as u8));
                    Frame::from(loan)
                }
            };
            let head = number.to_le_bytes().to_vec();
            ours.send(Message::from_iter([Frame::from(head), body]))
                .unwrap();
            let message = ours.recv().unwrap();
            assert_eq!(part(&message, 0), number.to_le_bytes());
            assert_eq!(
                part(&message, 1),
                content(part(&message, 1).len(), number as u8)
            );
            kept.push_back(message);
            if kept.len() > 7 {
                drops.send(kept.pop_front().unwrap()).unwrap();
            }
        }
        drop(drops);
        dropper.join().unwrap();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| talk(&it.a, 1));
        scope.spawn(|| talk(&it.b, 2));
    });
}
