//! The verbs of the draft socket types.

use crate::program::Program;

#[test]
fn a_server_names_its_clients_and_reaches_them() {
    let (mut server, endpoint) = Program::bind("server --bind tcp://127.0.0.1:*");
    let mut ann = Program::start(&format!("client --connect {endpoint}"));
    let mut bob = Program::start(&format!("client --connect {endpoint}"));
    let mut hear = |client: &mut Program, words: &str| {
        client.say(&format!("{words}\n"));
        let line = server.line();
        let (routing_id, body) = line.split_once('\t').expect("two fields");
        assert_eq!((routing_id.len(), body), (8, words));
        routing_id.to_owned()
    };
    let (ann_id, bob_id) = (hear(&mut ann, "I am Ann"), hear(&mut bob, "I am Bob"));
    server.say(&format!("{bob_id}\tfor bob\n{ann_id}\tfor ann\n"));
    assert_eq!(bob.line(), "for bob");
    assert_eq!(ann.line(), "for ann");
    // Slips are told and do not end the program.
    server.say(&format!("00000000\tfor nobody\n{ann_id}\ttwo\tframes\n"));
    assert_eq!(
        server.error_line(),
        "ferromq: no peer has the identity 00000000"
    );
    assert_eq!(
        server.error_line(),
        "ferromq: a message of 3 frames is refused: a SERVER socket sends 2"
    );
    server.say(&format!("{bob_id}\tagain\n"));
    assert_eq!(bob.line(), "again");
}

#[test]
fn a_peer_is_told_whom_it_connects_to() {
    let (mut one, endpoint) = Program::bind("peer --bind tcp://127.0.0.1:*");
    let mut other = Program::start(&format!("peer --connect {endpoint}"));
    let told = other.error_line();
    let prefix = format!("ferromq: {endpoint}: is peer ");
    let routing_id = told.strip_prefix(&prefix).expect(&told).to_owned();
    other.say(&format!("{routing_id}\thello\n"));
    let line = one.line();
    let (caller, body) = line.split_once('\t').expect("two fields");
    assert_eq!(body, "hello");
    one.say(&format!("{caller}\thello yourself\n"));
    assert_eq!(other.line(), format!("{routing_id}\thello yourself"));
}

#[test]
fn scattered_lines_are_gathered_in_order() {
    let (gather, endpoint) = Program::bind("gather --bind tcp://127.0.0.1:* --count 3");
    let mut scatter = Program::start(&format!("scatter --connect {endpoint}"));
    scatter.say("one\ntwo\n\\x00three\n");
    scatter.end().well();
    assert_eq!(gather.end().well(), ["one", "two", "\\x00three"]);
}

#[test]
fn a_line_of_two_frames_is_refused_and_what_was_sent_before_arrives() {
    let (mut gather, endpoint) = Program::bind("gather --bind tcp://127.0.0.1:*");
    let mut scatter = Program::start(&format!("scatter --connect {endpoint}"));
    scatter.say("one\ntwo\tframes\n");
    scatter.end().with(
        1,
        "ferromq: a message of 2 frames is refused: a SCATTER socket sends 1",
    );
    assert_eq!(gather.line(), "one");
}

#[test]
fn dishes_get_what_is_sent_to_their_groups() {
    let (mut radio, endpoint) = Program::bind("radio --bind tcp://127.0.0.1:* --wait-member");
    let mut dish = Program::start(&format!(
        "dish --connect {endpoint} --group date --group time"
    ));
    radio.say("time\tnoon\ntim\tno\ntimes\tno\ndate\ttoday\n");
    assert_eq!([dish.line(), dish.line()], ["time\tnoon", "date\ttoday"]);
    radio.end().well();
}

#[test]
fn a_group_of_all_messages_is_no_part_of_the_lines() {
    let (mut dish, endpoint) = Program::bind("dish --bind tcp://127.0.0.1:* --group g\\xff");
    let args = format!("radio --connect {endpoint} --group g\\xff --wait-member");
    let mut radio = Program::start(&args);
    radio.say("a tab \\t in it\n");
    assert_eq!(dish.line(), "g\\xff\ta tab \\t in it");
    radio.end().well();
}

#[test]
fn a_radio_that_nobody_hears_says_so() {
    let (mut radio, _) = Program::bind("radio --bind tcp://127.0.0.1:* --group g");
    radio.say("unheard\n");
    radio.end().with(
        0,
        "ferromq: no dish is connected; --wait-member waits for the first",
    );
    let waits = "radio --bind tcp://127.0.0.1:* --group g --wait-member --timeout 0.2";
    let (mut radio, endpoint) = Program::bind(waits);
    radio.say("unheard\n");
    let told = format!("ferromq: no member of the group came within 0.2 s on {endpoint}");
    let wildcard = told.replace(&endpoint, "tcp://127.0.0.1:*");
    radio.end().with(1, &wildcard);
}

#[test]
fn a_channel_talks_both_ways() {
    let (mut one, endpoint) = Program::bind("channel --bind tcp://127.0.0.1:*");
    let mut other = Program::start(&format!("channel --connect {endpoint}"));
    other.say("hello\n");
    assert_eq!(one.line(), "hello");
    one.say("hello yourself\n");
    assert_eq!(other.line(), "hello yourself");
}
