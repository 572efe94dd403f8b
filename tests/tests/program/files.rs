//! `ferromq receive` takes files from whoever speaks its protocol: a few lines
//! of Python over a pyzmq DEALER.

use std::path::Path;
use std::process::{Command, Output};

use ferromq_tests::{Program, Via, ZmqPeer, payload};

/// Runs `peers/send_file.py`.
fn send(endpoint: &str, file: &Path) -> Output {
    let python = std::env::var_os("FERROMQ_PYTHON").expect("checked before");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/send_file.py");
    let mut command = Command::new(python);
    command.arg(script).arg(endpoint).arg(file);
    command.output().expect("the interpreter runs")
}

#[test]
fn a_plain_dealer_sends_files() {
    let (Some(_), Some(_)) = (ZmqPeer::start(), Program::path()) else {
        return;
    };
    for via in [Via::Tcp, Via::Ipc] {
        let directory = tempfile::TempDir::new().expect("a directory");
        let inbox = directory.path().join("inbox");
        std::fs::create_dir(&inbox).expect("the disk has room");
        let place = via.place();
        let into = inbox.to_str().expect("a readable path");
        let arguments = ["--into", into, "--count", "4"];
        let receive = [&["receive", "--at", place.endpoint()], &arguments[..]].concat();
        let mut program = Program::start(&receive);
        let endpoint = match via {
            Via::Tcp => program.listening_on(),
            Via::Ipc => place.endpoint().to_owned(),
        };
        for (name, len) in [("large", 40_000_001), ("one", 1), ("empty", 0)] {
            let content = payload(len, 3);
            let file = directory.path().join(name);
            std::fs::write(&file, &content).expect("the disk has room");
            let sent = send(&endpoint, &file);
            let told = String::from_utf8_lossy(&sent.stderr);
            assert!(sent.status.success(), "{name} over {via:?}: {told}");
            let received = std::fs::read(inbox.join(name)).expect("it is there");
            assert!(received == content, "{name} over {via:?} differs");
        }
        // Something else of a name that is taken.
        let other = directory.path().join("one");
        std::fs::write(&other, "x").expect("the disk has room");
        let refused = send(&endpoint, &other);
        assert_eq!(refused.stderr, b"there is another file of this name\n");
        // The same once more is proved, not sent.
        assert!(
            send(&endpoint, &directory.path().join("large"))
                .status
                .success()
        );
        let told = String::from_utf8(program.output()).expect("text");
        assert!(
            told.lines()
                .last()
                .expect("a line")
                .starts_with("large: 38.15 MiB, there already, "),
            "{told}"
        );
    }
}
