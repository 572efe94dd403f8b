//! Status is served to whom it may concern, told as it is, and nobody who asks
//! can do any harm.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use ferromq::status::{self, Client, Identity, Report, StatusError, StatusPlace};
use ferromq::{Context, Dealer, EventKind, Options, Pub, Pull, Push, Router, SocketType};
use tempfile::TempDir;

/// Longest wait for anything: only a hang lasts so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// `withdraw` is for the whole process: the others wait.
static PROCESS: Mutex<()> = Mutex::new(());

/// A place of a test's own.
struct Place {
    _directory: TempDir,
    path: PathBuf,
    place: StatusPlace,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("status");
        Self {
            place: path.display().to_string().parse().unwrap(),
            path,
            _directory: directory,
        }
    }

    fn context(&self) -> Context {
        Context::builder()
            .status(self.place.clone())
            .build()
            .unwrap()
    }

    fn client(&self) -> Client {
        Client::connect(&self.place.endpoint().unwrap()).unwrap()
    }

    fn report(&self) -> Report {
        self.client().report().unwrap()
    }

    /// Somebody who says whatever it likes.
    fn stranger(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

fn shared() -> impl Drop {
    /// Lets the next test go on.
    struct Turn(#[allow(dead_code, reason = "held")] std::sync::MutexGuard<'static, ()>);
    impl Drop for Turn {
        fn drop(&mut self) {}
    }
    Turn(
        PROCESS
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner()),
    )
}

#[test]
fn a_report_tells_sockets_endpoints_peers_and_drops() {
    let _turn = shared();
    let place = Place::new();
    let context = place.context();
    let options = Options::new().name("broker").receive_high_water_mark(7);
    let router = context.socket_with::<Router>(options).unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").unwrap().to_string();
    let options = Options::new().identity([0xff, 0x01]);
    let dealer = context.socket_with::<Dealer>(options).unwrap();
    dealer.connect(&endpoint).unwrap();
    dealer.send("12345").unwrap();
    router.recv().unwrap();
    let publisher = context.socket::<Pub>().unwrap();
    publisher.send("nobody hears this").unwrap();

    let report = place.report();
    assert_eq!((report.ferromq_status, report.pid), (1, std::process::id()));
    assert!(report.program.starts_with("status"), "{}", report.program);
    let of = |kind| {
        report
            .sockets
            .iter()
            .find(|s| s.socket_type == kind)
            .unwrap()
    };
    let (router, dealer, publisher) = (of("ROUTER"), of("DEALER"), of("PUB"));
    assert_eq!(report.sockets.len(), 3);
    assert_eq!(
        (&*router.name, router.receive_hwm, router.send_hwm),
        ("broker", 7, 1000)
    );
    assert_eq!((&*router.state, &*dealer.name), ("open", ""));
    assert_eq!(router.endpoints[0].endpoint, endpoint);
    assert_eq!(
        (&*router.endpoints[0].state, router.endpoints[0].connections),
        ("listening", 1)
    );
    assert_eq!(
        (&*dealer.endpoints[0].state, dealer.endpoints[0].connections),
        ("connected", 1)
    );
    let peer = &router.peers[0];
    assert_eq!(peer.identity, Some(Identity::Hex("ff01".into())));
    assert_eq!(&*peer.state, "connected");
    assert_ne!(peer.address.as_deref(), Some(&*endpoint));
    assert_eq!(
        (
            router.received.messages,
            dealer.sent.messages,
            dealer.sent.bytes
        ),
        (1, 1, 5)
    );
    assert_eq!((router.peers_total, router.peers_connected), (1, 1));
    assert_eq!(publisher.drops.get("no_peer"), Some(&1));
    assert_eq!((&publisher.drops.len(), dealer.drops.len()), (&1, 0));
}

#[test]
fn those_who_were_turned_away_are_told_by_cause() {
    let _turn = shared();
    let place = Place::new();
    let context = place.context();
    let pull = |options: Options| {
        let pull = context.any_socket(SocketType::Pull, options).unwrap();
        let monitor = pull.monitor();
        let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap().to_string();
        let push = context
            .any_socket(SocketType::Push, Options::new())
            .unwrap();
        push.connect(&endpoint).unwrap();
        let turned_away = |kind: &EventKind| {
            matches!(
                kind,
                EventKind::Refused { .. } | EventKind::HandshakeFailed { .. }
            )
        };
        while !turned_away(&monitor.recv_timeout(PATIENCE).unwrap().kind) {}
        (pull, push)
    };
    let here = || ["127.0.0.0/8".parse().unwrap()];
    let _elsewhere = pull(Options::new().name("elsewhere").deny_addresses(here()));
    // Nobody is there to decide.
    let _undecided = pull(Options::new().name("undecided").zap_domain("plant"));
    let report = place.report();
    let of = |name| report.sockets.iter().find(|s| s.name == name).unwrap();
    let (elsewhere, undecided) = (of("elsewhere"), of("undecided"));
    assert!(elsewhere.addresses_refused > 0);
    assert_eq!(elsewhere.handshakes_failed, 0);
    assert!(undecided.authentications_undecided > 0);
    assert!(undecided.authentications_failed >= undecided.authentications_undecided);
    assert!(undecided.handshakes_failed >= undecided.authentications_failed);
    assert_eq!(undecided.addresses_refused, 0);
}

#[test]
fn the_clock_of_reports_goes_on_and_gives_rates() {
    let _turn = shared();
    let place = Place::new();
    let context = place.context();
    let pull = context.socket::<Pull>().unwrap();
    let endpoint = pull.bind("ipc://*").unwrap().to_string();
    let push = context.socket::<Push>().unwrap();
    push.connect(&endpoint).unwrap();
    let mut client = place.client();
    let earlier = client.report().unwrap();
    for _ in 0..100 {
        push.send("12345678").unwrap();
        pull.recv().unwrap();
    }
    let mut report = client.report().unwrap();
    assert!(report.clock_us > earlier.clock_us);
    report.set_rates(&earlier);
    let pull = report
        .sockets
        .iter()
        .find(|s| s.socket_type == "PULL")
        .unwrap();
    let rates = pull.rates.unwrap();
    assert!(
        rates.received.messages > 0.0 && rates.sent.messages == 0.0,
        "{rates:?}"
    );
    assert!(
        (rates.received.bytes / rates.received.messages - 8.0).abs() < 1e-6,
        "{rates:?}"
    );
}

#[test]
fn the_file_is_its_users_alone_and_goes_with_the_context() {
    let _turn = shared();
    let place = Place::new();
    let context = place.context();
    let pull = context.socket::<Pull>().unwrap();
    let found = fs::symlink_metadata(&place.path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.mode() & 0o777, 0o600);
    drop(context);
    // The socket keeps the context.
    assert_eq!(place.report().sockets.len(), 1);
    drop(pull);
    assert!(!place.path.exists());
}

#[test]
fn contexts_of_one_process_are_told_together() {
    let _turn = shared();
    let place = Place::new();
    let (first, second) = (place.context(), place.context());
    // Asking twice changes nothing.
    first.serve_status(&place.place).unwrap();
    let _sockets = (
        first.socket::<Pull>().unwrap(),
        second.socket::<Push>().unwrap(),
    );
    let report = place.report();
    let mut contexts: Vec<_> = report.sockets.iter().map(|socket| socket.context).collect();
    contexts.sort_unstable();
    contexts.dedup();
    assert_eq!((report.sockets.len(), contexts.len()), (2, 2));
    drop((first, _sockets.0));
    assert_eq!(place.report().sockets.len(), 1);
    drop((second, _sockets.1));
    assert!(!place.path.exists());
    // The place is free for the next.
    let again = place.context();
    assert_eq!(place.report().sockets, []);
    drop(again);
}

#[test]
fn withdrawing_takes_the_file_away_at_once() {
    let _turn = shared();
    let place = Place::new();
    let context = place.context();
    let mut client = place.client();
    client.report().unwrap();
    status::withdraw();
    assert!(!place.path.exists());
    let ended = client.report().unwrap_err();
    assert!(matches!(ended, StatusError::Ended { .. }), "{ended}");
    drop(context);
}

#[test]
fn a_place_that_is_taken_is_an_error_that_names_it() {
    let _turn = shared();
    let place = Place::new();
    fs::write(&place.path, "a file").unwrap();
    let refused = Context::builder().status(place.place.clone()).build();
    let refused = refused.unwrap_err().to_string();
    let path = place.path.display().to_string();
    assert!(
        refused.starts_with("cannot serve status: ") && refused.contains(&path),
        "{refused}"
    );
    assert_eq!(fs::read(&place.path).unwrap(), b"a file");
    assert!(matches!(
        Context::new().unwrap().serve_status(&place.place),
        Err(StatusError::Transport(_))
    ));
}

#[test]
fn garbage_is_refused_and_hung_up_on() {
    let _turn = shared();
    let place = Place::new();
    let _context = place.context();
    let long = [b'x'; 1 << 20];
    let garbage: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\n",
        b"snapshot\r\n",
        b"\xff\xfe\0\0\n",
        b"snapshot snapshot snapshot snapshot snapshot snapshot snapshot snapshot",
        &long,
    ];
    for said in garbage {
        let mut stranger = place.stranger();
        // It may be hung up on in the middle.
        let _ = stranger.write_all(said);
        let mut answer = Vec::new();
        // A hang-up with bytes unread is a reset.
        let _ = stranger.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        assert!(
            answer.is_empty() || answer.contains("the only request is: snapshot"),
            "{answer}"
        );
        assert!(said.len() > 1000 || !answer.is_empty(), "{said:?}");
    }
    // Half a request, and gone.
    place.stranger().write_all(b"snap").unwrap();
    place.report();
}

#[test]
fn requests_may_come_in_pieces_and_together() {
    let _turn = shared();
    let place = Place::new();
    let _context = place.context();
    let mut stranger = place.stranger();
    for piece in [&b"snap"[..], b"shot", b"\nsnapshot\nsnapshot\nsn"] {
        stranger.write_all(piece).unwrap();
    }
    let mut answers = Vec::new();
    let mut space = [0; 4096];
    while answers.iter().filter(|&&byte| byte == b'\n').count() < 3 {
        let len = stranger.read(&mut space).unwrap();
        assert_ne!(len, 0);
        answers.extend_from_slice(&space[..len]);
    }
    for line in answers
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let report: Report = serde_json::from_slice(line).unwrap();
        assert_eq!(report.pid, std::process::id());
    }
}

#[test]
fn who_never_reads_stops_nobody_and_piles_up_nothing() {
    let _turn = shared();
    let place = Place::new();
    let context = place.context();
    // Enough that a report does not fit into the kernel's buffers.
    let sockets: Vec<_> = (0..100)
        .map(|_| {
            let options = Options::new().name("n".repeat(250));
            let socket = context.socket_with::<Pull>(options).unwrap();
            for _ in 0..20 {
                socket.bind("tcp://127.0.0.1:*").unwrap();
            }
            socket
        })
        .collect();
    let mut deaf = place.stranger();
    deaf.set_nonblocking(true).unwrap();
    let mut asked = 0;
    // It asks until the server takes no more: what it is owed bounds it.
    let mut client = place.client();
    loop {
        match deaf.write(b"snapshot\n") {
            Ok(9) => asked += 1,
            Ok(_) => break,
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => break,
            Err(cause) => panic!("{cause}"),
        }
        assert!(asked < 10_000_000, "the server takes requests without end");
    }
    for _ in 0..3 {
        assert_eq!(client.report().unwrap().sockets.len(), sockets.len());
    }
    // What it was owed is whole when it reads at last.
    deaf.set_nonblocking(false).unwrap();
    let mut heard = BufReader::new(deaf);
    for _ in 0..3 {
        let mut line = Vec::new();
        heard.read_until(b'\n', &mut line).unwrap();
        let report: Report = serde_json::from_slice(&line).unwrap();
        assert_eq!(report.sockets.len(), sockets.len());
    }
}

#[test]
fn the_quietest_client_gives_way() {
    let _turn = shared();
    let place = Place::new();
    let _context = place.context();
    let mut busy = place.client();
    let mut quiet: Vec<_> = (0..16).map(|_| place.stranger()).collect();
    // The seventeenth came: the quietest, which was the busy one, is gone.
    let gone = std::iter::repeat_with(|| busy.report()).find_map(Result::err);
    assert!(matches!(gone, Some(StatusError::Ended { .. })), "{gone:?}");
    for _ in 0..10 {
        place.report();
    }
    // Whoever made room was hung up on, and not left waiting.
    let mut end = Vec::new();
    quiet[0].read_to_end(&mut end).unwrap();
    assert_eq!(end, b"");
}

#[test]
fn another_users_process_gets_no_answer() {
    let _turn = shared();
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only the superuser can become somebody else");
        return;
    }
    let place = Place::new();
    let _context = place.context();
    // Even where the file lets it in.
    let everybody = |path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    everybody(place.path.parent().unwrap(), 0o755).unwrap();
    let asked = |mode| {
        everybody(&place.path, mode).unwrap();
        let script = "import socket,sys
s=socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1]); s.sendall(b'snapshot\\n'); print(len(s.recv(100)))
except OSError as e:
    print(e.errno)";
        let output = std::process::Command::new("setpriv")
            .args([
                "--reuid=65534",
                "--clear-groups",
                "/usr/bin/env",
                "python3",
                "-c",
                script,
            ])
            .arg(&place.path)
            .output();
        output
            .ok()
            .map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    };
    match asked(0o600).as_deref() {
        None | Some("") => println!("skipped: there is no setpriv or no python3 for others"),
        // EACCES; then hung up on: nothing read, EPIPE or ECONNRESET.
        Some(code) => {
            assert_eq!(code, "13");
            let answer = asked(0o666).unwrap();
            assert!(["0", "32", "104"].contains(&&*answer), "{answer}");
        }
    }
    place.report();
}
