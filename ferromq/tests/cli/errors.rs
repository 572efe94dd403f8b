//! The program says in one line what failed and where, and ends with the right
//! code: 0, 1, 2 for wrong usage, 128 and the number of a signal.

use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;

use socket2::{Domain, Socket, Type};

use crate::program::Program;

/// An endpoint where nothing listens, and nothing can while the socket lives.
fn nowhere() -> (Socket, String) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, format!("tcp://{address}"))
}

/// An endpoint that no other test and no other run of the tests has.
fn private(name: &str) -> String {
    format!("ipc://@ferromq-test-{}-{name}", std::process::id())
}

#[test]
fn wrong_usage_ends_with_2() {
    for (args, cause) in [
        ("pull", "required arguments were not provided"),
        (
            "pull --bind 127.0.0.1:1",
            "the scheme is missing, as in tcp://host:port",
        ),
        (
            "push --connect tcp://127.0.0.1:x",
            "the port is neither * nor a number up to 65535",
        ),
        ("pull --bind ipc://@a --count many", "invalid digit"),
        (
            "push --connect ipc://@a --file a --size 1",
            "cannot be used with",
        ),
        (
            "push --connect ipc://@a --repeat 2",
            "--file <FILE>|--size <BYTES>",
        ),
        (
            "rep --bind tcp://*:1 --exec cat",
            "--exec serves this machine only, and tcp://*:1 is",
        ),
        ("nothing", "unrecognized subcommand"),
    ] {
        let ended = Program::start(args).end();
        assert_eq!(ended.code, Some(2), "{args}");
        let told = ended.stderr.join("\n");
        assert!(told.contains(cause), "{args}: {told}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", taken.local_addr().unwrap());
    Program::start(&format!("pull --bind {endpoint}"))
        .end()
        .with(
            1,
            &format!("ferromq: cannot bind {endpoint}: the address is in use"),
        );
}

#[test]
fn a_scheme_that_nobody_serves_is_named() {
    let ended = Program::start("pull --bind pigeon://loft").end();
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr.len(), 1, "{:?}", ended.stderr);
    let told = "ferromq: no transport for pigeon://loft: this context knows ";
    assert!(ended.stderr[0].starts_with(told), "{:?}", ended.stderr);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    Program::start("push --connect ipc://@a --file /no/such/file")
        .end()
        .with(
            1,
            "ferromq: cannot read /no/such/file: No such file or directory (os error 2)",
        );
}

#[test]
fn no_message_in_time_is_an_error() {
    let endpoint = private("no-message");
    Program::start(&format!("pull --bind {endpoint} --timeout 0.05"))
        .end()
        .with(
            1,
            &format!("ferromq: no message came within 0.05 s on {endpoint}"),
        );
}

#[test]
fn no_reply_in_time_is_an_error() {
    let (_pull, endpoint) = Program::bind("rep --bind tcp://127.0.0.1:*");
    let mut req = Program::start(&format!("req --connect {endpoint} --timeout 0.3"));
    req.say("anybody there\n");
    req.end().with(
        1,
        &format!("ferromq: no reply came within 0.3 s on {endpoint}"),
    );
}

#[test]
fn no_peer_in_time_is_an_error() {
    let endpoint = private("no-peer");
    let mut push = Program::start(&format!("push --bind {endpoint} --timeout 0.05"));
    push.say("for nobody\n");
    push.end().with(
        1,
        &format!("ferromq: no peer took the message within 0.05 s on {endpoint}"),
    );
}

#[test]
fn no_subscriber_in_time_is_an_error() {
    let endpoint = private("no-subscriber");
    let args = format!("pub --bind {endpoint} --wait-subscribers 1 --timeout 0.05");
    Program::start(&args).end().with(
        1,
        &format!("ferromq: not enough subscribers came within 0.05 s on {endpoint}"),
    );
}

#[test]
fn what_lingers_in_vain_is_counted() {
    let (_nobody, endpoint) = nowhere();
    let mut push = Program::start(&format!("push --connect {endpoint} --linger 0.05"));
    push.say("a\nb\n");
    let ended = push.end();
    assert_eq!(ended.code, Some(1));
    let last = ended.stderr.last().map(String::as_str);
    let told = format!("ferromq: 2 messages were not delivered to {endpoint} and are discarded");
    assert_eq!(last, Some(&*told));
}

#[test]
fn a_refused_connection_is_told_once() {
    let (_nobody, endpoint) = nowhere();
    let mut push = Program::start(&format!("push --connect {endpoint} --linger 1"));
    push.say("a\n");
    let ended = push.end();
    // Several attempts fit into the second.
    assert_eq!(ended.stderr.len(), 2, "{:?}", ended.stderr);
    let told = format!("ferromq: cannot connect {endpoint}: nothing accepts connections there");
    assert!(ended.stderr[0].starts_with(&told), "{:?}", ended.stderr);
    assert!(
        ended.stderr[0].ends_with(", trying again"),
        "{:?}",
        ended.stderr
    );
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    let mut sub = Program::start("sub --connect tcp://no-such-host.invalid:1");
    let told = sub.error_line();
    assert!(told.starts_with("ferromq: cannot "), "{told}");
    assert!(
        told.contains("tcp://no-such-host.invalid:1: the name cannot be resolved"),
        "{told}"
    );
}

#[test]
fn a_handshake_that_fails_is_told() {
    let (_sub, endpoint) = Program::bind("sub --bind tcp://127.0.0.1:*");
    let mut push = Program::start(&format!("push --connect {endpoint}"));
    let told = push.error_line();
    let beginning = format!("ferromq: {endpoint}: the handshake failed: ");
    assert!(
        told.starts_with(&beginning) && told.len() > beginning.len(),
        "{told}"
    );
}

#[test]
fn a_malformed_line_is_located_and_what_came_before_arrives() {
    let (mut pull, endpoint) = Program::bind("pull --bind tcp://127.0.0.1:*");
    let mut push = Program::start(&format!("push --connect {endpoint}"));
    push.say("good\nC:\\dir\nnever sent\n");
    push.end().with(
        1,
        "ferromq: standard input, line 2: column 3: \\d is no escape; \\t \\n \\r \\\\ and \\xHH are",
    );
    assert_eq!(pull.line(), "good");
}

#[test]
fn a_router_needs_identities() {
    let mut router = Program::start(&format!("router --bind {}", private("identities")));
    router.say("not hexadecimal\tbody\n");
    let told = "ferromq: standard input, line 1: the first field is no identity in hexadecimal";
    router.end().with(1, told);
}

#[test]
fn a_request_without_a_line_to_answer_it_is_an_error() {
    let (mut rep, endpoint) = Program::bind("rep --bind tcp://127.0.0.1:*");
    let mut req = Program::start(&format!("req --connect {endpoint}"));
    req.say("question\n");
    assert_eq!(rep.line(), "question");
    rep.end().with(
        1,
        "ferromq: standard input ended: the last request stays without a reply",
    );
}

#[test]
fn a_command_that_fails_is_told_and_replies_all_the_same() {
    let args = [
        "rep",
        "--bind",
        "tcp://127.0.0.1:*",
        "--exec",
        "printf half; exit 3",
    ];
    let mut rep = Program::start_with(&args);
    let told = rep.error_line();
    let endpoint = told.strip_prefix("ferromq: listening on ").unwrap();
    let mut req = Program::start(&format!("req --connect {endpoint}"));
    req.say("x\n");
    assert_eq!(req.line(), "half");
    assert_eq!(
        rep.error_line(),
        "ferromq: sh -c \"printf half; exit 3\": exit status: 3"
    );
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_program_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    let endpoint = private("closed-pipe");
    let pull = Program::spawn(&["pull", "--bind", &endpoint], Stdio::from(writer));
    drop(reader);
    let mut push = Program::start(&format!("push --connect {endpoint}"));
    push.say("anything\n");
    pull.end().well();
}

#[test]
fn signals_end_with_their_number() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (pull, _) = Program::bind("pull --bind tcp://127.0.0.1:*");
        pull.signal(signal);
        let ended = pull.end();
        assert_eq!((ended.code, ended.stderr), (Some(code), vec![]));
    }
}

#[test]
fn an_endless_linger_ends_by_a_signal() {
    let (_nobody, endpoint) = nowhere();
    let mut push = Program::start(&format!("push --connect {endpoint}"));
    push.say("for nobody\n");
    push.hush();
    assert!(
        push.error_line()
            .contains("nothing accepts connections there")
    );
    push.signal("INT");
    assert_eq!(push.end().code, Some(130));
}

#[test]
fn an_interrupted_program_leaves_no_endpoint_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket").display().to_string();
    let (mut pull, mut push) = (
        Program::start(&format!("pull --bind ipc://{path}")),
        Program::start(&format!("push --connect ipc://{path}")),
    );
    push.say("there\n");
    assert_eq!(pull.line(), "there");
    assert!(std::fs::exists(&path).unwrap());
    pull.signal("INT");
    assert_eq!(pull.end().code, Some(130));
    assert!(!std::fs::exists(&path).unwrap());
}
