//! Those who die: this program again, as one test that only runs when it is told to.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use ferromq::{AnySocket, Context, Options, SocketType};
use ferromq_tests::{PATIENCE, until};
use ferromq_transport::{Link, LinkOptions, Transport};
use ferromq_transport_shm::{KILL_AT, KillPoint, Shm};

use crate::message::{message, read};

/// What a child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A socket that connects.
    Connects,
    /// A socket that is bound.
    Listens,
    /// A link without a socket, to a listener that answers nobody.
    IsEarly,
    /// A link without a socket, with payloads that are read where they are.
    Lends,
    /// A socket that connects, with payloads that are read where they are.
    RefersConnected,
    /// The same of one that is bound.
    RefersBound,
    /// A socket that connects over tcp, and whose connection moves to shared memory.
    MovesConnected,
    /// The same of one that is bound.
    MovesBound,
}

impl Role {
    pub(crate) const ALL: [Self; 8] = [
        Self::Connects,
        Self::Listens,
        Self::IsEarly,
        Self::Lends,
        Self::RefersConnected,
        Self::RefersBound,
        Self::MovesConnected,
        Self::MovesBound,
    ];

    /// Whether it is a socket that others connect to.
    pub(crate) fn is_bound(self) -> bool {
        matches!(self, Self::Listens | Self::RefersBound | Self::MovesBound)
    }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It did all it had to.
    Well,
    /// At the point that it was sent to.
    Killed,
}

/// Messages of a life, and how many of them are under way at once: many that fill rings
/// several times over, then one by one, for each of which both sides sleep.
const MANY: u64 = 150;
const ONE_BY_ONE: u64 = 150;
const WINDOW: u64 = 8;
/// Bytes of each side's ring, the least there are.
pub(crate) const RING: usize = 4 << 10;

/// A process that does what a role does.
pub(crate) struct Child(std::process::Child);

impl Child {
    pub(crate) fn start(
        role: Role,
        endpoint: &str,
        life: u64,
        dies: Option<(KillPoint, u64)>,
    ) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command
            .args(["--exact", "child::child", "--nocapture"])
            .env(ROLE, format!("{role:?}"))
            .env(ENDPOINT, endpoint)
            .env(LIFE, life.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if let Some((point, passing)) = dies {
            command.env(KILL_AT, format!("{}:{passing}", point.label()));
        }
        Self(command.spawn().expect("a child"))
    }

    /// How it ended, if it has.
    pub(crate) fn has_ended(&mut self) -> Option<Ended> {
        self.0.try_wait().expect("a child of ours").map(verdict)
    }

    pub(crate) fn wait(mut self) -> Ended {
        verdict(self.0.wait().expect("a child of ours"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Fails harmlessly when it has ended, as it should.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn verdict(status: ExitStatus) -> Ended {
    match (status.signal(), status.success()) {
        (Some(libc::SIGKILL), _) => Ended::Killed,
        (_, true) => Ended::Well,
        _ => panic!("the child failed: {status}"),
    }
}

const ROLE: &str = "FERROMQ_CHILD_ROLE";
const ENDPOINT: &str = "FERROMQ_CHILD_ENDPOINT";
const LIFE: &str = "FERROMQ_CHILD_LIFE";

/// The process that dies.
#[test]
fn child() {
    // Only the processes that the other tests start have work to do.
    let Ok(role) = env::var(ROLE) else {
        return;
    };
    let endpoint = env::var(ENDPOINT).expect("an endpoint");
    let life = env::var(LIFE).expect("a life").parse().expect("a number");
    let role = Role::ALL.iter().find(|it| format!("{it:?}") == role);
    match *role.expect("a role") {
        Role::IsEarly => talk_to_nobody(&endpoint, life),
        Role::Lends => crate::lends::talk(&endpoint, life),
        role @ (Role::Connects | Role::Listens) => {
            talk(&Context::new().unwrap(), role, &endpoint, life);
        }
        role @ (Role::MovesConnected | Role::MovesBound) => {
            talk(&crate::moves::context(), role, &endpoint, life);
        }
        role @ (Role::RefersConnected | Role::RefersBound) => {
            crate::refers::talk(role, &endpoint, life);
        }
    }
}

/// Options of both sides: rings that are full all the time, and back at once.
pub(crate) fn options() -> Options {
    let mut link = LinkOptions::default();
    link.send_buffer = Some(RING);
    let (soon, later) = (Duration::from_millis(1), Duration::from_millis(5));
    Options::new().link(link).reconnect_interval(soon, later)
}

/// A child's socket, which is bound, or connects.
pub(crate) fn socket(context: &Context, role: Role, endpoint: &str) -> AnySocket {
    let socket = context.any_socket(SocketType::Dealer, options()).unwrap();
    match role.is_bound() {
        true => drop(socket.bind(endpoint).unwrap()),
        false => socket.connect(endpoint).unwrap(),
    }
    socket
}

fn talk(context: &Context, role: Role, endpoint: &str, life: u64) {
    let socket = socket(context, role, endpoint);
    exchange(&socket, life, 0..MANY, WINDOW, |number| {
        16 + (number * 613 % 6000) as usize
    });
    exchange(&socket, life, MANY..MANY + ONE_BY_ONE, 1, |_| 64);
}

/// Sends messages, up to `window` of which may be under way, and waits for the echo of
/// each.
fn exchange(
    socket: &AnySocket,
    life: u64,
    numbers: std::ops::Range<u64>,
    window: u64,
    len: impl Fn(u64) -> usize,
) {
    for number in numbers.start..numbers.end + window {
        if number < numbers.end {
            socket.send(message(life, number, len(number))).unwrap();
        }
        if number >= numbers.start + window {
            let expected = number - window;
            assert_eq!(next_echo(socket, life), expected, "an echo is missing");
        }
    }
}

/// The next echo of this life's; others are of lives that ended before they had theirs.
pub(crate) fn next_echo(socket: &AnySocket, life: u64) -> u64 {
    loop {
        let echo = socket.recv_timeout(PATIENCE).expect("an echo");
        let (of, number) = read(echo.frame(0).expect("a frame"));
        if of == life {
            return number;
        }
        assert!(of < life, "an echo of nobody's");
    }
}

/// A link that is connected, and not greeted yet.
pub(crate) fn link_to(shm: &Shm, endpoint: &str) -> Box<dyn Link> {
    let mut options = LinkOptions::default();
    options.send_buffer = Some(RING);
    let route = shm.resolve(&endpoint.parse().unwrap()).unwrap();
    let mut connecting = shm.connect(&route, &options).unwrap();
    until("it is connected", || connecting.poll_connected().unwrap())
}

/// Connects, writes and closes, before anybody answers.
fn talk_to_nobody(endpoint: &str, life: u64) {
    let mut link = link_to(&Shm::new(), endpoint);
    let early = message(life, 0, crate::early::LEN);
    assert_eq!(link.write(&early).unwrap(), early.len());
}
