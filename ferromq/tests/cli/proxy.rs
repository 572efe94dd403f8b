//! `ferromq proxy` between programs, alone and in a chain.

use crate::program::Program;

/// A running proxy, and where each of its sockets listens on tcp.
struct Proxy {
    program: Program,
    endpoints: Vec<(String, String)>,
}

impl Proxy {
    /// Starts with arguments that bind `count` tcp wildcards.
    fn start(args: &str, count: usize) -> Self {
        let mut program = Program::start(&format!("proxy {args}"));
        let endpoints = (0..count).map(|_| {
            let told = program.error_line();
            let told = told.strip_prefix("ferromq: ").expect("a line of ours");
            let (name, endpoint) = told.split_once(" listening on ").expect("an endpoint");
            (name.to_owned(), endpoint.to_owned())
        });
        let endpoints = endpoints.collect();
        Self { program, endpoints }
    }

    fn at(&self, name: &str) -> &str {
        let found = self.endpoints.iter().find(|(known, _)| known == name);
        &found.expect("it listens").1
    }
}

const BOTH: &str = "--frontend-bind tcp://127.0.0.1:* --backend-bind tcp://127.0.0.1:*";

#[test]
fn a_broker_serves_until_it_is_interrupted_and_says_how_much() {
    let proxy = Proxy::start(BOTH, 2);
    let _rep = Program::start(&format!("rep --connect {} --echo", proxy.at("backend")));
    let mut req = Program::start(&format!("req --connect {}", proxy.at("frontend")));
    req.say("hello\ntwo\tframes\n");
    assert_eq!(req.end().well(), ["hello", "two\tframes"]);
    proxy.program.signal("INT");
    let ended = proxy.program.end();
    assert_eq!((ended.code, ended.stderr), (Some(130), vec![]));
    // Identities of five bytes are part of what passes.
    assert_eq!(
        ended.stdout,
        [
            "frontend to backend: 2 messages, 24 bytes",
            "backend to frontend: 2 messages, 24 bytes"
        ]
    );
}

#[test]
fn two_brokers_in_a_chain_bring_replies_back() {
    let near = Proxy::start(BOTH, 2);
    let far = Proxy::start(
        &format!(
            "--type queue --frontend-connect {} --backend-bind tcp://127.0.0.1:*",
            near.at("backend")
        ),
        1,
    );
    let _rep = Program::start(&format!("rep --connect {} --echo", far.at("backend")));
    let mut req = Program::start(&format!("req --connect {}", near.at("frontend")));
    for word in ["there", "and back", "again"] {
        req.say(&format!("{word}\n"));
        assert_eq!(req.line(), word);
    }
    req.end().well();
}

#[test]
fn two_forwarders_in_a_chain_bring_subscriptions_to_the_origin() {
    let near = Proxy::start(&format!("--type forwarder {BOTH}"), 2);
    let far = Proxy::start(
        &format!(
            "--frontend xsub --backend xpub --frontend-connect {} --backend-bind tcp://127.0.0.1:*",
            near.at("backend")
        ),
        1,
    );
    let mut sub = Program::start(&format!("sub --connect {} --topic time", far.at("backend")));
    let mut xpub = Program::start(&format!("xpub --connect {}", near.at("frontend")));
    assert_eq!(xpub.line(), "\\x01time");
    xpub.say("weather\tsun\ntime\tnoon\n");
    assert_eq!(sub.line(), "time\tnoon");
    drop(sub);
    assert_eq!(xpub.line(), "\\x00time");
}

#[test]
fn a_streamer_passes_every_line_on() {
    let proxy = Proxy::start(&format!("--type streamer {BOTH}"), 2);
    let pull = Program::start(&format!(
        "pull --connect {} --count 20000",
        proxy.at("backend")
    ));
    let mut push = Program::start(&format!("push --connect {}", proxy.at("frontend")));
    let lines: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
    push.say(&(lines.join("\n") + "\n"));
    push.end().well();
    assert_eq!(pull.end().well(), lines);
    proxy.program.signal("TERM");
    let ended = proxy.program.end();
    assert_eq!(ended.code, Some(143));
    assert_eq!(
        ended.stdout[0],
        "frontend to backend: 20000 messages, 88890 bytes"
    );
}

#[test]
fn a_proxy_is_steered_and_overheard() {
    let mut seen = Program::start("pull --bind tcp://127.0.0.1:*");
    let told = seen.error_line();
    let capture = told.rsplit(' ').next().expect("an endpoint");
    // The proxy connects, so that a copy waits for whoever listens in.
    let args = format!(
        "--type streamer --capture-connect {capture} --capture push \
         --control-bind tcp://127.0.0.1:*"
    );
    let proxy = Proxy::start(&format!("{args} {BOTH}"), 3);
    let mut pull = Program::start(&format!("pull --connect {}", proxy.at("backend")));
    let mut push = Program::start(&format!("push --connect {}", proxy.at("frontend")));
    let mut words = Program::start(&format!(
        "req --connect {} --format hex",
        proxy.at("control")
    ));
    let mut ask = |word: &str| {
        words.say(&format!("{word}\n"));
        words.line()
    };
    push.say("first\n");
    assert_eq!(pull.line(), "first");
    assert_eq!(ask("PAUSE"), "");
    push.say("second\n");
    let number = |field: &str| {
        let bytes: Vec<u8> = (0..8)
            .map(|at| u8::from_str_radix(&field[2 * at..2 * at + 2], 16).expect("hexadecimal"))
            .collect();
        u64::from_ne_bytes(bytes.try_into().expect("eight of them"))
    };
    let counted: Vec<u64> = ask("STATISTICS").split('\t').map(number).collect();
    assert_eq!(counted, [1, 5, 0, 0, 0, 0, 1, 5]);
    assert_eq!(ask("RESUME"), "");
    assert_eq!(pull.line(), "second");
    assert_eq!(ask("TERMINATE"), "");
    let ended = proxy.program.end();
    assert_eq!((ended.code, ended.stderr), (Some(0), vec![]));
    assert_eq!(ended.stdout[0], "frontend to backend: 2 messages, 11 bytes");
    assert_eq!(ended.stdout[2], "captured: 2 messages, 0 missed");
    assert_eq!([seen.line(), seen.line()], ["first", "second"]);
}

#[test]
fn an_interrupted_proxy_leaves_no_endpoint_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let proxy = Program::start(&format!(
        "proxy --frontend-bind ipc://{} --backend-bind ipc://{}",
        path("front"),
        path("back")
    ));
    let _rep = Program::start(&format!("rep --connect ipc://{} --echo", path("back")));
    let mut req = Program::start(&format!("req --connect ipc://{}", path("front")));
    req.say("there\n");
    assert_eq!(req.line(), "there");
    proxy.signal("INT");
    assert_eq!(proxy.end().code, Some(130));
    assert!(!std::fs::exists(path("front")).unwrap());
    assert!(!std::fs::exists(path("back")).unwrap());
}

#[test]
fn nothing_is_taken_that_cannot_be_passed_on() {
    let proxy = Proxy::start(&format!("--type streamer --linger 0 {BOTH}"), 2);
    let args = format!("push --connect {} --linger 0.5", proxy.at("frontend"));
    let mut push = Program::start(&args);
    push.say("for nobody\n");
    push.end();
    // It waits in the frontend, or with who sent it.
    proxy.program.signal("INT");
    let ended = proxy.program.end();
    assert_eq!((ended.code, ended.stderr), (Some(130), vec![]));
    assert_eq!(ended.stdout[0], "frontend to backend: 0 messages, 0 bytes");
}

#[test]
fn wrong_sides_and_taken_ports_are_named() {
    let ended = Program::start(&format!("proxy --frontend pull --backend sub {BOTH}")).end();
    assert_eq!(ended.code, Some(2));
    let told = ended.stderr.join("\n");
    let cause = "nothing passes between a PULL frontend and a SUB backend";
    assert!(told.contains(cause), "{told}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", taken.local_addr().unwrap());
    let args = format!("proxy --frontend-bind {endpoint} --backend-bind ipc://*");
    let ended = Program::start(&args).end();
    assert_eq!((ended.code, ended.stdout), (Some(1), vec![]));
    let told = format!("ferromq: cannot bind {endpoint}: the address is in use");
    assert_eq!(ended.stderr.last(), Some(&told));
}
