//! Callers ask the I/O thread.
//!
//! The I/O thread's epoll and waker are a mutex and a condition variable, and
//! time is this: a thread that is parked sleeps until it is woken,
//! one that is coarse too, but for a tick or none at any time, and all that it needs
//! when every caller has ended. So deferred output never has to wait for a tick;
//! that a caller is away is found out by ticks.

use crate::hand_over::{Attendance, Flags, Mode, Presence, level};
use crate::sync::faults::explore;
use crate::sync::{Arc, Condvar, Fault, Mutex, planted, thread};

/// A context with its I/O thread's poll.
struct World {
    mode: Mode,
    bell: Mutex<Bell>,
    rung: Condvar,
    sockets: Vec<Socket>,
}

#[derive(Default)]
struct Bell {
    ringing: bool,
    /// Every caller has ended: time passes.
    ended: bool,
}

#[derive(Default)]
struct Socket {
    flags: Flags,
    /// Deferred messages, under the lock.
    output: Mutex<u32>,
    /// The I/O thread waits for the socket's events.
    nested: Mutex<bool>,
}

/// Why the I/O thread wakes.
#[derive(PartialEq, Eq)]
enum Woken {
    Rung,
    Tick,
    Ended,
}

impl World {
    fn new(sockets: usize) -> Arc<Self> {
        Arc::new(Self {
            mode: Mode::new(),
            bell: Mutex::default(),
            rung: Condvar::new(),
            sockets: (0..sockets).map(|_| Socket::default()).collect(),
        })
    }

    fn wake(&self) {
        self.bell.lock().unwrap().ringing = true;
        self.rung.notify_one();
    }

    fn end(&self) {
        self.bell.lock().unwrap().ended = true;
        self.rung.notify_one();
    }

    fn sleep(&self) -> Woken {
        let mut bell = self.bell.lock().unwrap();
        loop {
            if std::mem::take(&mut bell.ringing) {
                return Woken::Rung;
            }
            if bell.ended {
                return Woken::Ended;
            }
            bell = self.rung.wait(bell).unwrap();
        }
    }

    /// A call of the application, which defers a message or not.
    fn call(&self, socket: usize, defers: bool) {
        let socket = &self.sockets[socket];
        let mut output = socket.output.lock().unwrap();
        socket.flags.call_made(&self.mode, || self.wake());
        if !defers {
            return;
        }
        // Beside what is deferred already, a message needs no asking.
        let asks = *output == 0;
        let early = planted(Fault::CallerAsksFirst);
        if asks && early {
            self.mode.deferred(|| self.wake());
        }
        *output += 1;
        socket.flags.set_deferred(true);
        drop(output);
        if asks && !early {
            self.mode.deferred(|| self.wake());
        }
    }

    /// Takes the socket back and waits in vain, as a receive or a poller does.
    fn wait(&self, key: usize) {
        let socket = &self.sockets[key];
        if socket.flags.take_back() {
            *socket.nested.lock().unwrap() = false;
        }
        socket.flags.wait_begins();
        thread::yield_now();
        socket.flags.wait_ends();
        if planted(Fault::WaitEndsSilently) {
            self.mode.call_made(|| self.wake());
        } else {
            self.call(key, false);
        }
    }
}

/// The I/O thread: `Reactor::run` without what is no hand-over.
struct Reactor {
    world: Arc<World>,
    presences: Vec<Presence>,
    mode: u8,
    /// Ticks that may still pass while callers are about.
    ticks: u32,
}

impl Reactor {
    fn new(world: &Arc<World>, ticks: u32) -> Self {
        let sockets = world.sockets.iter();
        Self {
            presences: sockets.map(|socket| Presence::new(&socket.flags)).collect(),
            world: world.clone(),
            mode: level::PARKED,
            ticks,
        }
    }

    fn take(&mut self, key: usize) {
        let socket = &self.world.sockets[key];
        self.presences[key].take(&socket.flags);
        *socket.nested.lock().unwrap() = true;
    }

    /// A caller that was not seen for one look is away; one quiet look parks.
    fn look_around(&mut self) {
        let (mut active, mut deferred) = (false, false);
        for key in 0..self.presences.len() {
            let world = self.world.clone();
            let socket = &world.sockets[key];
            let attendance = self.presences[key].look(&socket.flags);
            active |= attendance != Attendance::Attended;
            if socket.flags.deferred() {
                let mut output = socket.output.lock().unwrap();
                *output = 0;
                socket.flags.set_deferred(false);
                drop(output);
                deferred |= socket.flags.deferred();
            }
            if attendance == Attendance::Alone {
                self.take(key);
            }
        }
        let next = match (deferred, active) {
            (true, _) => level::FINE,
            (false, true) => level::COARSE,
            (false, false) => level::PARKED,
        };
        let sockets = self.world.sockets.iter().map(|socket| &socket.flags);
        self.mode = self
            .world
            .mode
            .set(next, self.presences.iter().zip(sockets));
    }

    /// Looks and sleeps until all callers have ended and nothing is due.
    fn run(mut self) {
        self.look_around();
        loop {
            let woken = match self.mode {
                level::FINE => Woken::Tick,
                level::COARSE if self.ticks > 0 => {
                    self.ticks -= 1;
                    Woken::Tick
                }
                _ => self.world.sleep(),
            };
            if woken == Woken::Ended {
                self.check_output();
            }
            let ticked =
                woken == Woken::Tick || (self.mode == level::COARSE && woken == Woken::Ended);
            if ticked || self.world.mode.was_raised(self.mode) {
                self.look_around();
            } else if woken == Woken::Ended {
                return self.check();
            }
        }
    }

    /// All callers have gone, and none will wake us.
    fn check_output(&self) {
        for socket in &self.world.sockets {
            assert_eq!(*socket.output.lock().unwrap(), 0, "output stays deferred");
        }
    }

    /// Parked.
    fn check(&self) {
        for socket in &self.world.sockets {
            assert!(socket.flags.is_taken(), "a socket is left alone");
            assert!(*socket.nested.lock().unwrap(), "events would wake nobody");
        }
    }
}

type Caller = fn(&World);

/// Runs callers beside the I/O thread, whose sockets are all taken at first and
/// to which so many ticks happen while it has callers.
fn run(sockets: usize, ticks: u32, callers: &[Caller]) {
    let world = World::new(sockets);
    let mut reactor = Reactor::new(&world, ticks);
    (0..sockets).for_each(|key| reactor.take(key));
    let io = thread::spawn(move || reactor.run());
    let others: Vec<_> = callers[1..]
        .iter()
        .map(|&caller| {
            let world = world.clone();
            thread::spawn(move || caller(&world))
        })
        .collect();
    callers[0](&world);
    for caller in others {
        caller.join().unwrap();
    }
    world.end();
    io.join().unwrap();
}

/// A caller defers output twice and goes away.
fn a_tail() {
    let caller = |world: &World| {
        world.call(0, true);
        world.call(0, true);
    };
    run(1, 0, &[caller]);
}

/// A caller begins a burst on a socket while another calls on his own.
fn a_tail_beside_a_call() {
    run(
        2,
        0,
        &[|world| world.call(0, true), |world| world.call(1, false)],
    );
}

/// A caller takes the socket back, waits, calls, waits again and goes away.
fn a_poller() {
    let caller = |world: &World| {
        world.wait(0);
        world.call(0, false);
        world.wait(0);
    };
    run(1, 1, &[caller]);
}

/// A poller on a socket that somebody else sends on.
fn a_poller_beside_a_tail() {
    run(1, 1, &[|world| world.wait(0), |world| world.call(0, true)]);
}

/// Two callers take the same socket back.
fn two_take_back() {
    let world = World::new(1);
    Reactor::new(&world, 0).take(0);
    let take_back = |world: &World| u32::from(world.sockets[0].flags.take_back());
    let other = {
        let world = world.clone();
        thread::spawn(move || take_back(&world))
    };
    assert_eq!(take_back(&world) + other.join().unwrap(), 1);
}

#[test]
fn no_output_stays_deferred() {
    let n = explore(None, Some(3), a_tail);
    println!("a_tail: {n} executions");
    assert!(n > 100, "{n} executions");
}

#[test]
fn no_output_stays_deferred_beside_another_caller() {
    let n = explore(None, Some(2), a_tail_beside_a_call);
    println!("a_tail_beside_a_call: {n} executions");
    assert!(n > 1000, "{n} executions");
}

#[test]
fn no_socket_is_left_alone() {
    let n = explore(None, Some(3), a_poller);
    println!("a_poller: {n} executions");
    assert!(n > 100, "{n} executions");
}

#[test]
fn no_socket_is_left_alone_when_callers_share_it() {
    let n = explore(None, Some(2), a_poller_beside_a_tail);
    println!("a_poller_beside_a_tail: {n} executions");
    assert!(n > 1000, "{n} executions");
}

#[test]
fn one_caller_takes_a_socket_back() {
    let n = explore(None, None, two_take_back);
    println!("two_take_back: {n} executions");
    assert!(n > 5, "{n} executions");
}

#[test]
fn planted_bugs_are_found() {
    for fault in [
        Fault::CallerSkipsBarrier,
        Fault::CallerAsksFirst,
        Fault::ThreadSkipsBarrier,
        Fault::ThreadSkipsRecheck,
        Fault::RecheckOverwrites,
    ] {
        explore(Some(fault), Some(2), a_tail);
    }
    explore(Some(Fault::RaiseOverwrites), Some(2), a_tail_beside_a_call);
    explore(Some(Fault::TakesBackTwice), None, two_take_back);
    explore(Some(Fault::WaitEndsSilently), Some(2), a_poller);
}
