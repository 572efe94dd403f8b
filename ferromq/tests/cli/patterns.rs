//! The program does what its help says: messages from lines to lines, through
//! every pattern.

use std::fs::File;
use std::process::Stdio;

use crate::program::Program;

#[test]
fn pushed_lines_are_pulled_in_order() {
    let (pull, endpoint) = Program::bind("pull --bind tcp://127.0.0.1:* --count 3");
    let mut push = Program::start(&format!("push --connect {endpoint}"));
    push.say("one\ntwo\tframes\n\\x00\\\\\n");
    push.end().well();
    assert_eq!(pull.end().well(), ["one", "two\tframes", "\\x00\\\\"]);
}

#[test]
fn a_line_appears_while_both_sides_go_on() {
    let (mut pull, endpoint) = Program::bind("pull --bind tcp://127.0.0.1:*");
    let mut push = Program::start(&format!("push --connect {endpoint}"));
    for word in ["first", "second", "third"] {
        push.say(&format!("{word}\n"));
        assert_eq!(pull.line(), word);
    }
}

#[test]
fn many_lines_arrive_all() {
    let (pull, endpoint) = Program::bind("pull --bind tcp://127.0.0.1:* --count 50000");
    let mut push = Program::start(&format!("push --connect {endpoint}"));
    let lines: Vec<String> = (0..50_000).map(|number| number.to_string()).collect();
    push.say(&(lines.join("\n") + "\n"));
    push.end().well();
    assert_eq!(pull.end().well(), lines);
}

#[test]
fn a_file_is_one_message_and_arrives_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let content: Vec<u8> = (0..3_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8)
        .collect();
    std::fs::write(path("sent"), &content).unwrap();
    let endpoint = format!("ipc://{}", path("socket"));

    let received = Stdio::from(File::create(path("received")).unwrap());
    let pull = [
        "pull", "--bind", &endpoint, "--format", "raw", "--count", "1",
    ];
    let pull = Program::spawn(&pull, received);
    // Who connects first is told so, which is not what is tested here. The
    // program's own watchdog ends a pull that never binds.
    while !std::path::Path::new(&path("socket")).exists() {
        std::thread::yield_now();
    }
    Program::start_with(&["push", "--connect", &endpoint, "--file", &path("sent")])
        .end()
        .well();
    pull.end().well();

    assert!(
        std::fs::read(path("received")).unwrap() == content,
        "the file changed"
    );
    assert!(
        !std::fs::exists(path("socket")).unwrap(),
        "the endpoint's file was left behind"
    );
}

#[test]
fn generated_messages_have_their_size_and_number() {
    let (pull, endpoint) = Program::bind("pull --bind tcp://127.0.0.1:* --count 3");
    let args = format!("push --connect {endpoint} --size 1K --repeat 3");
    Program::start(&args).end().well();
    let lines = pull.end().well();
    assert_eq!(lines.len(), 3);
    assert!(
        lines
            .iter()
            .all(|line| line.len() == 1024 && line.starts_with("abcdefgh"))
    );
}

#[test]
fn subscribers_get_their_topics_only() {
    let args = "pub --bind tcp://127.0.0.1:* --wait-subscribers 2";
    let (mut publisher, endpoint) = Program::bind(args);
    let args = format!("sub --connect {endpoint} --topic time --topic date --count 3");
    let sub = Program::start(&args);
    publisher.say("time\tnoon\nweather\tsun\ndate\ttoday\ntimely\n");
    publisher.end().well();
    assert_eq!(sub.end().well(), ["time\tnoon", "date\ttoday", "timely"]);
}

#[test]
fn a_topic_is_a_frame_of_its_own() {
    let (mut sub, endpoint) = Program::bind("sub --bind tcp://127.0.0.1:* --format json");
    let args = [
        "pub",
        "--connect",
        &endpoint,
        "--topic",
        "a topic",
        "--wait-subscribers",
        "1",
    ];
    let mut publisher = Program::start_with(&args);
    publisher.say("text\\xff\n");
    publisher.end().well();
    let expected = r#"{"frames":[{"text":"a topic"},{"hex":"74657874ff"}]}"#;
    assert_eq!(sub.line(), expected);
}

#[test]
fn publishing_to_nobody_is_told() {
    let (mut publisher, _) = Program::bind("pub --bind tcp://127.0.0.1:*");
    publisher.say("unheard\n");
    publisher.end().with(
        0,
        "ferromq: no subscriber is connected; --wait-subscribers 1 waits for the first",
    );
}

#[test]
fn requests_are_echoed() {
    let (_rep, endpoint) = Program::bind("rep --bind tcp://127.0.0.1:* --echo");
    let mut req = Program::start(&format!("req --connect {endpoint}"));
    req.say("hello\n");
    assert_eq!(req.line(), "hello");
    req.say("two\tframes\n");
    assert_eq!(req.line(), "two\tframes");
    req.end().well();
}

#[test]
fn a_command_replies() {
    let args = [
        "rep",
        "--bind",
        "tcp://127.0.0.1:*",
        "--exec",
        "tr a-z A-Z",
        "--count",
        "2",
    ];
    let mut rep = Program::start_with(&args);
    let told = rep.error_line();
    let endpoint = told.strip_prefix("ferromq: listening on ").unwrap();
    let mut req = Program::start(&format!("req --connect {endpoint}"));
    req.say("hello\n");
    assert_eq!(req.line(), "HELLO");
    // The frames one after the other; the reply is one frame, with its newline.
    req.say("two\tframes\\n\n");
    assert_eq!(req.line(), "TWOFRAMES\\n");
    req.end().well();
    rep.end().well();
}

#[test]
fn lines_reply() {
    let (mut rep, endpoint) = Program::bind("rep --bind tcp://127.0.0.1:* --count 2");
    let mut req = Program::start(&format!("req --connect {endpoint}"));
    for (question, answer) in [("how are you", "fine"), ("and now", "still")] {
        req.say(&format!("{question}\n"));
        assert_eq!(rep.line(), question);
        rep.say(&format!("{answer}\n"));
        assert_eq!(req.line(), answer);
    }
    req.end().well();
    rep.end().well();
}

#[test]
fn a_router_names_its_dealers_and_reaches_them() {
    let (mut router, endpoint) = Program::bind("router --bind tcp://127.0.0.1:*");
    let dealer = |name| Program::start(&format!("dealer --connect {endpoint} --identity {name}"));
    let (mut ann, mut bob) = (dealer("ann"), dealer("bob"));
    ann.say("hello\tfrom ann\n");
    assert_eq!(router.line(), "616e6e\thello\tfrom ann");
    bob.say("hello\n");
    assert_eq!(router.line(), "626f62\thello");
    router.say("626f62\tfor bob\n616e6e\tfor\tann\n");
    assert_eq!(bob.line(), "for bob");
    assert_eq!(ann.line(), "for\tann");
    // A slip is told and does not end the program.
    router.say("ffff\tfor nobody\n626f62\tagain\n");
    assert_eq!(
        router.error_line(),
        "ferromq: no peer has the identity ffff"
    );
    assert_eq!(bob.line(), "again");
}

#[test]
fn a_dealer_ends_after_its_replies() {
    let (_rep, endpoint) = Program::bind("rep --bind tcp://127.0.0.1:* --echo");
    let mut dealer = Program::start(&format!("dealer --connect {endpoint} --count 3"));
    dealer.say("\t1\n\t2\n\t3\n");
    assert_eq!(dealer.end().well(), ["\t1", "\t2", "\t3"]);
}

#[test]
fn an_xpub_sees_who_subscribes_and_an_xsub_what_is_published() {
    let (mut xpub, endpoint) = Program::bind("xpub --bind tcp://127.0.0.1:*");
    let mut xsub = Program::start(&format!("xsub --connect {endpoint} --topic time"));
    assert_eq!(xpub.line(), "\\x01time");
    xpub.say("weather\ntime\tnoon\n");
    assert_eq!(xsub.line(), "time\tnoon");
    xsub.say("\\x01weather\n");
    assert_eq!(xpub.line(), "\\x01weather");
    xpub.say("weather\n");
    assert_eq!(xsub.line(), "weather");
    xsub.say("\\x00time\n");
    assert_eq!(xpub.line(), "\\x00time");
}

#[test]
fn a_pair_talks_both_ways() {
    let (mut one, endpoint) = Program::bind("pair --bind tcp://127.0.0.1:*");
    let mut other = Program::start(&format!("pair --connect {endpoint}"));
    other.say("hello\n");
    assert_eq!(one.line(), "hello");
    one.say("hello yourself\n");
    assert_eq!(other.line(), "hello yourself");
}

#[test]
fn a_count_of_zero_only_sends() {
    let (mut one, endpoint) = Program::bind("pair --bind tcp://127.0.0.1:*");
    let mut other = Program::start(&format!("pair --connect {endpoint} --count 0"));
    other.say("a\nb\n");
    other.end().well();
    assert_eq!([one.line(), one.line()], ["a", "b"]);
}

#[test]
fn every_event_is_told_on_request() {
    let (mut pull, endpoint) = Program::bind("pull --bind tcp://127.0.0.1:* --count 1");
    let mut push = Program::start(&format!("push --connect {endpoint} --verbose"));
    assert_eq!(push.error_line(), format!("ferromq: {endpoint}: connected"));
    assert_eq!(
        push.error_line(),
        format!("ferromq: {endpoint}: ready to carry messages")
    );
    push.say("x\n");
    assert_eq!(pull.line(), "x");
}
