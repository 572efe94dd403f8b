//! One program looks into another.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Program, WATCHDOG};

/// A user's directory for what runs, of a test's own.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferromq"));
        command.args(line.split_whitespace());
        command.env("XDG_RUNTIME_DIR", self.0.path());
        command.stdout(Stdio::piped());
        command
    }

    fn start(&self, line: &str) -> Program {
        Program::of(&mut self.command(line))
    }

    /// Starts a program that says nothing, and waits until it shows its status.
    fn serve(&self, line: &str) -> Program {
        let program = self.start(&format!("{line} --status"));
        let inspect = format!("inspect {} --once --interval 0.05", program.id());
        let shown = |_| self.start(&inspect).end().code == Some(0);
        assert!((0..1000).any(shown), "{line}: no status");
        program
    }

    /// Starts, and gives the endpoint that it tells.
    fn bind(&self, line: &str) -> (Program, String) {
        let mut program = self.start(line);
        let told = program.error_line();
        let endpoint = told.strip_prefix("ferromq: listening on ").unwrap();
        (program, endpoint.to_owned())
    }

    fn file(&self, pid: u32) -> PathBuf {
        self.0.path().join(format!("ferromq/{pid}.sock"))
    }

    /// The only socket of a process.
    fn socket(&self, pid: u32) -> Value {
        let inspect = format!("inspect {pid} --json --count 1 --interval 0.05");
        let lines = self.start(&inspect).end().well();
        let mut report: Value = serde_json::from_str(&lines[0]).unwrap();
        report["sockets"][0].take()
    }

    /// Looks again until there is an answer. The program's own watchdog ends
    /// what does not come.
    fn until<T>(&self, pid: u32, wanted: impl Fn(&Value) -> Option<T>) -> T {
        for _ in 0..1000 {
            let socket = self.socket(pid);
            if let Some(answer) = wanted(&socket) {
                return answer;
            }
        }
        panic!("looked 1000 times in vain: {}", self.socket(pid));
    }
}

/// Who has printed a message may yet have to ask for the next one.
fn waiting(socket: &Value) -> Option<()> {
    (socket["caller"] == "waiting").then_some(())
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no count"))
}

#[test]
fn json_lines_show_peers_queues_and_rates() {
    let home = Home::new();
    let (mut pull, endpoint) = home.bind("pull --bind tcp://127.0.0.1:* --status");
    let mut push = home.start(&format!("push --connect {endpoint} --status"));
    push.say("12345678\n");
    assert_eq!(pull.line(), "12345678");
    home.until(pull.id(), waiting);

    let inspect = format!("inspect {} --json --count 2 --interval 0.1", pull.id());
    let lines = home.start(&inspect).end().well();
    assert_eq!(lines.len(), 2);
    let reports: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(reports[0]["clock_us"].as_u64() < reports[1]["clock_us"].as_u64());
    for report in &reports {
        assert_eq!(report["ferromq_status"], 1);
        assert_eq!(report["pid"], pull.id());
        assert_eq!(report["program"], "ferromq");
        let socket = &report["sockets"][0];
        assert_eq!(
            (&socket["type"], &socket["state"]),
            (&"PULL".into(), &"open".into())
        );
        assert_eq!(socket["caller"], "waiting");
        assert_eq!(socket["endpoints"][0]["endpoint"], *endpoint);
        assert_eq!(socket["endpoints"][0]["state"], "listening");
        assert_eq!(
            socket["received"],
            serde_json::json!({"messages": 1, "bytes": 8})
        );
        let peer = &socket["peers"][0];
        assert_eq!(peer["state"], "connected");
        assert!(
            peer["address"]
                .as_str()
                .unwrap()
                .starts_with("tcp://127.0.0.1:")
        );
        for rates in [&socket["rates"], &peer["rates"]] {
            assert_eq!(rates["received"]["messages"], 0.0);
            assert_eq!(rates["sent"]["bytes"], 0.0);
        }
    }
    let socket = home.socket(push.id());
    assert_eq!(socket["endpoints"][0]["state"], "connected");
    assert_eq!(
        socket["sent"],
        serde_json::json!({"messages": 1, "bytes": 8})
    );
    push.end().well();
}

#[test]
fn a_rate_is_what_passes() {
    let home = Home::new();
    let (pull, endpoint) = home.bind("pull --bind tcp://127.0.0.1:* --status --format raw");
    let push = format!("push --connect {endpoint} --size 100 --repeat 100000000 --linger 0");
    let _push = home.start(&push);
    let received = |socket: &Value| socket["rates"]["received"].clone();
    let rates = home.until(pull.id(), |socket| {
        let rates = received(socket);
        (rates["messages"].as_f64().unwrap() > 100.0).then_some(rates)
    });
    let bytes_each = rates["bytes"].as_f64().unwrap() / rates["messages"].as_f64().unwrap();
    assert!((bytes_each - 100.0).abs() < 1e-6, "{rates}");
}

#[test]
fn a_full_queue_shows_its_drops_and_their_cause() {
    let home = Home::new();
    let args = "pub --bind tcp://127.0.0.1:* --hwm 5 --wait-subscribers 1 --status";
    let (mut publisher, endpoint) = home.bind(args);
    let subscriber = home.start(&format!("sub --connect {endpoint} --identity slow"));
    publisher.say("first\n");
    let subscribed = |socket: &Value| (number(&socket["sent"]["messages"]) == 1).then_some(());
    home.until(publisher.id(), subscribed);
    subscriber.signal("STOP");
    // More than the transport's buffers and the mark take.
    let line = "x".repeat(100_000) + "\n";
    let pid = publisher.id();
    let dropped = std::thread::scope(|scope| {
        scope.spawn(|| (0..500).for_each(|_| publisher.say(&line)));
        home.until(pid, |socket| {
            let drops = &socket["drops"];
            (drops["subscriber_full"].as_u64() > Some(10)).then(|| socket.clone())
        })
    });
    assert_eq!(dropped["drops"].as_object().unwrap().len(), 1, "{dropped}");
    let peer = &dropped["peers"][0];
    assert_eq!(peer["drops"], dropped["drops"]);
    assert!(number(&peer["queue_out"]["messages"]) > 0, "{peer}");
    assert!(number(&peer["queue_out"]["bytes"]) > 100_000, "{peer}");
    assert_eq!(dropped["queue_out"], peer["queue_out"]);
    assert_eq!(dropped["send_hwm"], 5);
    subscriber.signal("CONT");
}

#[test]
fn a_lost_peer_is_retried_and_its_return_counts() {
    let home = Home::new();
    let (pull, endpoint) = home.bind("pull --bind tcp://127.0.0.1:*");
    let push = home.serve(&format!("push --connect {endpoint}"));
    let connected =
        |socket: &Value| (socket["endpoints"][0]["state"] == "connected").then(|| socket.clone());
    assert_eq!(home.until(push.id(), connected)["reconnects"], 0);
    pull.signal("KILL");
    pull.end();
    let retried = home.until(push.id(), |socket| {
        socket["endpoints"][0]["failure"]
            .is_string()
            .then(|| socket.clone())
    });
    let at = &retried["endpoints"][0];
    let failure = at["failure"].as_str().unwrap();
    let cause = format!("cannot connect {endpoint}: nothing accepts connections there");
    assert!(failure.starts_with(&cause), "{failure}");
    let peer = &retried["peers"][0];
    assert_eq!(
        (&peer["state"], &peer["address"]),
        (&"unconnected".into(), &Value::Null)
    );
    let _pull = home.start(&format!("pull --bind {endpoint}"));
    let back = home.until(push.id(), connected);
    assert_eq!(
        (&back["reconnects"], &back["peers"][0]["reconnects"]),
        (&1.into(), &1.into())
    );
    assert_eq!(back["endpoints"][0]["failure"], Value::Null);
}

#[test]
fn the_file_is_private_and_goes_with_the_program_however_that_ends() {
    let home = Home::new();
    let (pull, _) = home.bind("pull --bind tcp://127.0.0.1:* --status");
    let file = home.file(pull.id());
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().mode() & 0o777;
    assert!(fs::symlink_metadata(&file).unwrap().file_type().is_socket());
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    pull.signal("INT");
    assert_eq!(pull.end().code, Some(130));
    assert!(!file.exists());

    // Done; and given up.
    let (pull, endpoint) = home.bind("pull --bind tcp://127.0.0.1:* --count 1 --status");
    let mut push = home.start(&format!("push --connect {endpoint} --status"));
    push.say("x\n");
    push.end().well();
    pull.end().well();
    let endpoint = format!("ipc://{}", home.0.path().join("endpoint").display());
    let waits = home.start(&format!("pull --bind {endpoint} --timeout 0.05 --status"));
    assert_eq!(waits.end().code, Some(1));
    let left: Vec<_> = fs::read_dir(file.parent().unwrap()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_a_killed_program_leaves_is_removed_by_the_next_look() {
    let home = Home::new();
    let (pull, _) = home.bind("pull --bind tcp://127.0.0.1:* --status");
    let (pid, file) = (pull.id(), home.file(pull.id()));
    pull.signal("KILL");
    pull.end();
    assert!(file.exists());
    home.start(&format!("inspect {pid}"))
        .end()
        .with(1, &format!("ferromq: no process has the id {pid}"));
    assert!(!file.exists());
}

#[test]
fn a_path_that_a_killed_program_leaves_is_taken_over() {
    let home = Home::new();
    let path = home.0.path().join("here").display().to_string();
    let args = format!("pull --bind tcp://127.0.0.1:* --status={path}");
    let (pull, _) = home.bind(&args);
    pull.signal("KILL");
    pull.end();
    let refused = home.start(&format!("inspect {path} --once")).end();
    assert_eq!(refused.code, Some(1));
    let expected =
        format!("ferromq: cannot connect ipc://{path}: nothing accepts connections there");
    assert!(
        refused.stderr[0].starts_with(&expected),
        "{:?}",
        refused.stderr
    );
    let (_pull, _) = home.bind(&args);
    for target in [path.clone(), format!("ipc://{path}")] {
        let table = home
            .start(&format!("inspect {target} --once --interval 0.05"))
            .end()
            .well();
        assert!(table[0].contains("(ferromq): 1 socket"), "{table:?}");
    }
}

#[test]
fn a_program_that_shows_nothing_says_how_it_could() {
    let home = Home::new();
    let (pull, _) = home.bind("pull --bind tcp://127.0.0.1:*");
    let pid = pull.id();
    home.start(&format!("inspect {pid}")).end().with(
        1,
        &format!(
            "ferromq: process {pid} does not show its status: start it with FERROMQ_STATUS=1 \
             in its environment, or with --status"
        ),
    );
    home.start("inspect").end().with(
        1,
        "ferromq: no process of yours shows its status: start one with FERROMQ_STATUS=1 in its \
         environment",
    );
    let none = i32::MAX;
    home.start(&format!("inspect {none}"))
        .end()
        .with(1, &format!("ferromq: no process has the id {none}"));
}

#[test]
fn the_environment_asks_for_status_too() {
    let home = Home::new();
    let mut command = home.command("rep --bind tcp://127.0.0.1:* --echo");
    let mut rep = Program::of(command.env("FERROMQ_STATUS", "1"));
    rep.error_line();
    let list = home.start("inspect").end().well();
    assert_eq!(list.len(), 2, "{list:?}");
    let cells: Vec<_> = list[1].split_whitespace().collect();
    let endpoint = format!("ipc://{}", home.file(rep.id()).display());
    assert_eq!(cells, [&*rep.id().to_string(), "ferromq", "1", &*endpoint]);

    // What cannot be served is told, and stops nothing.
    let mut command = home.command("rep --bind tcp://127.0.0.1:* --echo");
    let mut rep = Program::of(command.env("FERROMQ_STATUS", "yes"));
    assert_eq!(
        rep.error_line(),
        "ferromq: FERROMQ_STATUS: \"yes\" is no place for status: 1, a path with a slash, or \
         ipc://path"
    );
    assert!(rep.error_line().starts_with("ferromq: listening on "));
}

#[test]
fn a_table_shows_everything_once() {
    let home = Home::new();
    let (mut router, endpoint) = home.bind("router --bind tcp://127.0.0.1:* --status");
    let mut dealer = home.start(&format!(
        r"dealer --connect {endpoint} --identity a\xff\x1b"
    ));
    dealer.say("hello\n");
    assert_eq!(router.line(), "61ff1b\thello");
    home.until(router.id(), waiting);
    let table = home
        .start(&format!("inspect {} --interval 0.05", router.id()))
        .end()
        .well();
    let text = table.join("\n");
    assert_eq!(
        table[0],
        format!("process {} (ferromq): 1 socket", router.id())
    );
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(&table[2])[..4], ["SOCKET", "TYPE", "STATE", "CALLER"]);
    assert_eq!(words(&table[3])[1..5], ["ROUTER", "open", "waiting", "1/1"]);
    assert!(
        text.contains(&format!("listening {endpoint}, 1 accepted")),
        "{text}"
    );
    assert!(
        text.contains("dropped: none; reconnects: 0; handshakes failed: 0"),
        "{text}"
    );
    // What a terminal would obey is escaped.
    assert!(text.contains(r" a\xff\x1b "), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    let twice = format!("inspect {} --interval 0.05 --count 2", router.id());
    let tables = home.start(&twice).end().well();
    assert_eq!(
        tables
            .iter()
            .filter(|line| line.starts_with("process "))
            .count(),
        2
    );
}

#[test]
fn the_end_of_the_process_ends_the_lines() {
    let home = Home::new();
    let (pull, _) = home.bind("pull --bind tcp://127.0.0.1:* --status");
    let mut inspect = home.start(&format!("inspect {} --json --interval 0.05", pull.id()));
    inspect.line();
    let endpoint = format!("ipc://{}", home.file(pull.id()).display());
    pull.signal("INT");
    pull.end();
    let ended = inspect.end();
    let told = format!("ferromq: {endpoint} is gone: the process has ended");
    assert_eq!((ended.code, ended.stderr), (Some(1), vec![told]));
}

#[test]
fn a_signal_ends_the_lines() {
    let home = Home::new();
    let (pull, _) = home.bind("pull --bind tcp://127.0.0.1:* --status");
    let mut inspect = home.start(&format!("inspect {} --json --interval 0.05", pull.id()));
    inspect.line();
    inspect.signal("INT");
    let ended = inspect.end();
    assert_eq!((ended.code, ended.stderr), (Some(130), vec![]));
}

/// A terminal of that size: our side, and the program's.
fn terminal(columns: u16, rows: u16) -> (fs::File, fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let size = rustix::termios::Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&ours, size).unwrap();
    let theirs = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(name)
        .unwrap();
    (ours.into(), theirs)
}

#[test]
fn a_terminal_shows_the_live_view_until_q() {
    let home = Home::new();
    let (pull, endpoint) = home.bind("pull --bind tcp://127.0.0.1:* --status");
    let (ours, theirs) = terminal(80, 24);
    let mut command = home.command(&format!("inspect {} --interval 0.05", pull.id()));
    command
        .stdin(theirs.try_clone().unwrap())
        .stdout(theirs)
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Closes the program's side here, so that its end can be seen.
    drop(command);

    let (told, screen) = std::sync::mpsc::channel();
    let mut reading = ours.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut space = [0; 4096];
        // At the end of the other side Linux answers EIO.
        while let Ok(len @ 1..) = reading.read(&mut space) {
            if told.send(space[..len].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut shown = Vec::new();
    let mut keys = ours;
    let mut pressed = false;
    while let Ok(more) = screen.recv_timeout(WATCHDOG) {
        shown.extend(more);
        let text = String::from_utf8_lossy(&shown);
        // Cells that stay blank are not written: no words with spaces.
        if !pressed && text.contains("PULL") && text.contains(&*format!("{endpoint},")) {
            keys.write_all(b"q").unwrap();
            pressed = true;
        }
    }
    let text = String::from_utf8_lossy(&shown);
    if !pressed {
        let _ = child.kill();
        panic!("the view does not come: {text:?}");
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // The terminal is as it was: the other screen was left.
    let (entered, left) = (text.find("\x1b[?1049h"), text.rfind("\x1b[?1049l"));
    assert!(entered.is_some() && entered < left, "{text:?}");
}

#[test]
fn wrong_usage_of_inspect_ends_with_2() {
    let home = Home::new();
    for line in [
        "inspect name",
        "inspect tcp://127.0.0.1:1",
        "inspect 1 --once --json",
        "inspect 1 --once --count 2",
        "inspect 1 --interval soon",
        "pull --bind ipc://@a --status=nowhere",
    ] {
        assert_eq!(home.start(line).end().code, Some(2), "{line}");
    }
}
