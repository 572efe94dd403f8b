//! Contexts that require authentication, and the warning of those that do not.

use std::cell::Cell;

use ferromq::{Context, Error, EventKind, Options, SocketType};
use ferromq_tests::{Ours, Via};

fn refused(result: Result<impl Sized, Error>) -> bool {
    match result {
        Ok(_) => false,
        Err(Error::Unauthenticated { .. }) => true,
        Err(other) => panic!("{other}"),
    }
}

fn socket(context: &Context, options: Options) -> ferromq::AnySocket {
    context
        .any_socket(SocketType::Pair, options)
        .expect("a socket")
}

#[test]
fn d_a_context_that_requires_authentication_opens_nothing_without() {
    let context = Context::new().expect("a context");
    let before = socket(&context, Options::new());
    before
        .bind("tcp://127.0.0.1:*")
        .expect("nothing is required yet");
    context.require_authentication();
    let null = socket(&context, Options::new());
    assert!(refused(null.bind("tcp://127.0.0.1:*")));
    assert!(refused(null.connect("tcp://127.0.0.1:9")));
    assert!(!refused(null.bind("inproc://here")));
    assert!(!refused(null.bind("ipc://*")));
    let asking = socket(&context, Options::new().zap_domain("plant"));
    assert!(!refused(asking.bind("tcp://127.0.0.1:*")));
    let client = socket(&context, Options::new().plain_client("ann", "secret"));
    assert!(!refused(client.connect("tcp://127.0.0.1:9")));
    // What a socket is changed to counts, too.
    client
        .set_options(|_| Options::new())
        .expect("options change");
    assert!(refused(client.bind("tcp://127.0.0.1:*")));
}

#[test]
fn d_the_refusal_names_the_endpoint_and_what_is_missing() {
    let context = Context::new().expect("a context");
    context.require_authentication();
    let error = socket(&context, Options::new())
        .bind("tcp://127.0.0.1:5555")
        .expect_err("it is refused")
        .to_string();
    assert!(error.contains("tcp://127.0.0.1:5555"), "{error}");
    assert!(error.contains("NULL"), "{error}");
}

#[test]
fn d_an_endpoint_for_everybody_is_warned_of_once() {
    let asking = Options::new().zap_domain("plant");
    for (endpoint, options, warned) in [
        ("tcp://*:*", Options::new(), true),
        ("tcp://127.0.0.1:*", Options::new(), false),
        ("tcp://*:*", asking, false),
    ] {
        let mut ours = Ours::new(SocketType::Pull, options);
        ours.bind_to(endpoint);
        let warnings = Cell::new(0);
        ours.await_event("it listens", |kind| {
            warnings.set(warnings.get() + u32::from(*kind == EventKind::Exposed));
            *kind == EventKind::Listening
        });
        assert_eq!(warnings.get(), u32::from(warned), "{endpoint}");
    }
}

#[test]
fn d_ipc_peers_are_vouched_for_by_the_kernel() {
    let ours = Ours::bound(SocketType::Pull, Options::new(), Via::Ipc);
    ours.context().require_authentication();
    let push = ours
        .context()
        .any_socket(SocketType::Push, Options::new())
        .expect("a socket");
    push.connect(ours.endpoint()).expect("connect");
    push.send("hello").expect("send");
    assert_eq!(ours.recv_parts(), [b"hello"]);
}
