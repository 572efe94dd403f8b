//! No descriptors: those who are connected are served, nobody spins, nobody is lost,
//! and all come in once there are descriptors again.
//!
//! For real where the process has its limit (EMFILE). Where the whole machine has none
//! left (ENFILE) a transport says so that does as it is told: the machine is others', too.

mod shortage;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ferromq::{AnySocket, Context, EventKind, Message, Monitor, Options, SocketType};

use self::shortage::Shortage;
use crate::child::{Peer, commands, say};
use crate::figures::{Figures, grouped};
use crate::meter::cpu_time;
use crate::{Failure, Outcome, PATIENCE, until};

/// How long there are none.
const SHORT: Duration = Duration::from_secs(3);
/// Those who want to come in, or be reached, meanwhile.
const WAITING: u64 = 40;
/// First and longest pause between attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(200));

pub(crate) fn check() -> Result<Outcome, Failure> {
    let mut figures = Figures::default();
    let mut busiest = Duration::ZERO;
    let mut failures = 0;
    for shortage in [Shortage::of_process(), Shortage::of_machine()] {
        for trial in [accepting, connecting] {
            let Trouble { worked, failed } = trial(&shortage)?;
            println!("descriptors: {shortage:?}: {failed} attempts, {worked:?} of work");
            busiest = busiest.max(worked);
            failures += failed;
        }
    }
    figures.add(
        "peers and sockets without a descriptor",
        grouped(4 * WAITING),
    );
    figures.add("attempts meanwhile", grouped(failures));
    figures.add("lost", 0);
    figures.add(
        "most work in 3 s without descriptors",
        format!("{} ms", busiest.as_millis()),
    );
    Ok(Outcome::Passed(figures))
}

/// What a shortage cost.
struct Trouble {
    worked: Duration,
    failed: u64,
}

/// Others come while there are no descriptors to take them in.
fn accepting(shortage: &Shortage) -> Result<Trouble, Failure> {
    let context = shortage.context()?;
    // Its descriptors are counted.
    let socket = context.any_socket(SocketType::Rep, Options::new().switch(false))?;
    let endpoint = socket.bind("tcp://127.0.0.1:*")?.to_string();
    let monitor = socket.monitor();
    let mut peer = Peer::start(&["asking", &endpoint, &WAITING.to_string()])?;
    // Number 0 is there before, and is served all the time.
    answer(&socket)?;
    peer.answer("served 0")?;
    let short = shortage.begin()?;
    peer.tell("others")?;
    let trouble = serve_meanwhile(&socket, &monitor, &mut peer)?;
    drop(short);
    let mut come = BTreeSet::new();
    while (come.len() as u64) < WAITING {
        if !come.insert(answer(&socket)?) {
            return Err("one asked twice".into());
        }
    }
    for _ in 0..WAITING {
        peer.answer("served")?;
    }
    Ok(trouble)
}

/// Serves the one who is there, for as long as the shortage lasts.
fn serve_meanwhile(
    socket: &AnySocket,
    monitor: &Monitor,
    peer: &mut Peer,
) -> Result<Trouble, Failure> {
    let over = Instant::now() + SHORT;
    let worked = cpu_time();
    while Instant::now() < over {
        peer.tell("again")?;
        if answer(socket)? != 0 {
            return Err("somebody came in without a descriptor".into());
        }
        peer.answer("served 0")?;
        std::thread::sleep(Duration::from_millis(100));
    }
    let worked = cpu_time() - worked;
    let failed = drain(monitor, |kind| {
        matches!(kind, EventKind::AcceptFailed { .. })
    });
    check_effort(Trouble { worked, failed }, 1)
}

/// Nobody gives up, and nobody tries all the time.
fn check_effort(trouble: Trouble, who: u64) -> Result<Trouble, Failure> {
    let Trouble { worked, failed } = trouble;
    // The shortest pause of all is 25 ms.
    let most = who * SHORT.as_millis() as u64 / 20;
    if failed < 3 * who || failed > most {
        return Err(format!("{failed} attempts of {who} in {SHORT:?}").into());
    }
    match worked < SHORT / 5 {
        true => Ok(trouble),
        false => Err(format!("{worked:?} of work in {SHORT:?}").into()),
    }
}

/// We want to reach others while there are no descriptors for it.
fn connecting(shortage: &Shortage) -> Result<Trouble, Failure> {
    let mut peer = Peer::start(&["taking"])?;
    let endpoint = peer.answer("bound")?;
    let context = shortage.context()?;
    let options = Options::new().reconnect_interval(PAUSES.0, PAUSES.1);
    let new = |_| {
        let socket = context.any_socket(SocketType::Push, options.clone())?;
        let monitor = socket.monitor();
        Ok((socket, monitor))
    };
    let sockets: Vec<_> = (0..WAITING).map(new).collect::<Result<_, Failure>>()?;
    let short = shortage.begin()?;
    let worked = cpu_time();
    for (number, (socket, _)) in (0_u64..).zip(&sockets) {
        socket.connect(&endpoint)?;
        socket.try_send(Message::from(&number.to_be_bytes()[..]))?;
    }
    std::thread::sleep(SHORT);
    let worked = cpu_time() - worked;
    let retried = |kind: &EventKind| matches!(kind, EventKind::ConnectRetried { .. });
    let failed = sockets
        .iter()
        .map(|(_, monitor)| drain(monitor, retried))
        .sum();
    let trouble = check_effort(Trouble { worked, failed }, WAITING)?;
    drop(short);
    peer.tell(&WAITING.to_string())?;
    peer.answer("complete")?;
    let all = |sockets: &[(AnySocket, Monitor)]| {
        let connected = |(socket, _): &(AnySocket, Monitor)| socket.statistics().connected() == 1;
        sockets.iter().all(connected)
    };
    until("all of them are connected", || Ok(all(&sockets)))?;
    Ok(trouble)
}

fn drain(monitor: &Monitor, wanted: impl Fn(&EventKind) -> bool) -> u64 {
    let events = std::iter::from_fn(|| monitor.try_next());
    events.filter(|event| wanted(&event.kind)).count() as u64
}

/// Answers a request: who asked.
fn answer(socket: &AnySocket) -> Result<u64, Failure> {
    let request = socket.recv_timeout(PATIENCE)?;
    let number = request.frame(0).ok_or("an empty request")?.to_vec();
    socket.send(request)?;
    Ok(u64::from_be_bytes(number.as_slice().try_into()?))
}

/// A REQ that asks when it is told to, and others that come later.
pub(crate) fn asking(endpoint: &str, others: u64) -> Result<(), Failure> {
    let commands = commands();
    let context = Context::new()?;
    let ask = |socket: &AnySocket, number: u64| -> Result<(), Failure> {
        socket.send(Message::from(&number.to_be_bytes()[..]))?;
        let reply = socket.recv_timeout(PATIENCE)?;
        if reply
            .frame(0)
            .is_none_or(|frame| **frame != number.to_be_bytes())
        {
            return Err("another's reply".into());
        }
        say(&format!("served {number}"))
    };
    let asker = || -> Result<AnySocket, Failure> {
        let socket = context.any_socket(SocketType::Req, Options::new())?;
        socket.connect(endpoint)?;
        Ok(socket)
    };
    let first = asker()?;
    ask(&first, 0)?;
    std::thread::scope(|scope| {
        while let Ok(command) = commands.recv() {
            match &*command {
                "again" => ask(&first, 0)?,
                _ => {
                    for number in 1..=others {
                        let (asker, ask) = (asker()?, &ask);
                        scope.spawn(move || match ask(&asker, number) {
                            Ok(()) => {}
                            Err(error) => eprintln!("peer {number}: {error}"),
                        });
                    }
                }
            }
        }
        Ok(())
    })
}

/// A PULL that takes as many messages as it is told, each once.
pub(crate) fn taking() -> Result<(), Failure> {
    let commands = commands();
    let context = Context::new()?;
    let socket = context.any_socket(SocketType::Pull, Options::new().switch(false))?;
    let endpoint = socket.bind("tcp://127.0.0.1:*")?;
    say(&format!("bound {endpoint}"))?;
    let count: usize = commands.recv()?.parse()?;
    let mut taken = BTreeSet::new();
    for _ in 0..count {
        taken.insert(socket.recv_timeout(PATIENCE)?.parts()[0].to_vec());
    }
    if taken.len() < count {
        return Err(format!("{} of {count} came", taken.len()).into());
    }
    say("complete")?;
    let _ = commands.recv();
    Ok(())
}
