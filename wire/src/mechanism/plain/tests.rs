extern crate std;
use super::*;
use crate::mechanism::Null;
use crate::scratch::Output;
use std::vec::Vec as Heap;

const METADATA: &[u8] = b"our metadata";
const COMMANDS: [&[u8]; 6] = [
    b"HELLO",
    b"WELCOME",
    b"INITIATE",
    b"READY",
    b"ERRO",
    b"hello",
];

/// Calls `mechanism` with an outbox, and says what it answered and queued.
fn call<M, T>(
    mechanism: &mut M,
    event: impl FnOnce(&mut M, &mut Outbox<'_>) -> T,
) -> (T, Heap<u8>) {
    let mut output = Output::default();
    let answer = event(mechanism, &mut Outbox::new(&mut output, METADATA));
    (answer, output.pending().to_vec())
}

fn command<M: Mechanism>(
    mechanism: &mut M,
    name: &[u8],
    data: &[u8],
) -> (Result<Step, HandshakeError>, Heap<u8>) {
    let mut data = data.to_vec();
    call(mechanism, |m, out| m.handle_command(name, &mut data, out))
}

fn client(state: ClientState) -> PlainClient {
    let mut client = PlainClient::new(b"admin", b"secret").unwrap();
    client.state = state;
    client
}

fn server(state: ServerState) -> PlainServer {
    let mut server = PlainServer::new();
    server.state = state;
    server
}

#[test]
fn client_follows_the_rfc_s_table_over_all_states_and_commands() {
    // D33
    use ClientState as S;
    for state in [S::Start, S::AwaitingWelcome, S::AwaitingReady, S::Complete] {
        for name in COMMANDS {
            let mut client = client(state);
            let (answer, output) = command(&mut client, name, b"");
            match (state, name) {
                (S::AwaitingWelcome, b"WELCOME") => {
                    assert_eq!(answer, Ok(Step::Continue));
                    assert_eq!(output, b"\x04\x15\x08INITIATEour metadata");
                    assert_eq!(client.state, S::AwaitingReady);
                }
                (S::AwaitingReady, b"READY") => {
                    assert_eq!(answer, Ok(Step::Metadata(0..0)));
                    assert_eq!(output, b"");
                }
                _ => {
                    let name_len = name.len();
                    let error = HandshakeError::UnexpectedCommand { name_len };
                    assert_eq!((answer, client.state), (Err(error), state));
                    assert_eq!(output, b"");
                }
            }
        }
    }
}

#[test]
fn server_follows_the_rfc_s_table_over_all_states_and_commands() {
    // D33
    use ServerState as S;
    let states = [
        S::AwaitingHello,
        S::AwaitingDecision,
        S::AwaitingInitiate,
        S::Complete,
    ];
    for state in states {
        for name in COMMANDS {
            let mut server = server(state);
            let (answer, output) = command(&mut server, name, b"\x01u\x02pw");
            assert_eq!(output, b"");
            match (state, name) {
                (S::AwaitingHello, b"HELLO") => {
                    assert_eq!(answer, Ok(Step::Pending));
                    assert_eq!(server.state, S::AwaitingDecision);
                    assert_eq!(
                        (server.username(), server.password()),
                        (&b"u"[..], &b"pw"[..])
                    );
                }
                (S::AwaitingInitiate, b"INITIATE") => {
                    assert_eq!(answer, Ok(Step::Metadata(0..5)));
                }
                _ => {
                    let name_len = name.len();
                    let error = HandshakeError::UnexpectedCommand { name_len };
                    assert_eq!((answer, server.state), (Err(error), state));
                }
            }
        }
        let mut server = server(state);
        let (answer, output) = call(&mut server, |m, out| m.authenticated(out));
        if state == S::AwaitingDecision {
            assert_eq!(
                (answer, &output[..]),
                (Ok(Step::Continue), &b"\x04\x08\x07WELCOME"[..])
            );
            assert_eq!(server.state, S::AwaitingInitiate);
        } else {
            assert_eq!(answer, Err(HandshakeError::NoDecisionAwaited));
            assert_eq!((server.state, &output[..]), (state, &b""[..]));
        }
    }
}

#[test]
fn server_answers_good_metadata_with_its_own() {
    let (answer, output) = call(&mut server(ServerState::AwaitingInitiate), |m, out| {
        m.metadata_accepted(out)
    });
    assert_eq!(answer, Ok(()));
    assert_eq!(output, b"\x04\x12\x05READYour metadata");
}

#[test]
fn after_the_servers_ready_a_client_knows_no_command() {
    // D33
    let mut client = client(ClientState::AwaitingReady);
    let (answer, _) = command(&mut client, b"READY", b"");
    assert_eq!(answer, Ok(Step::Metadata(0..0)));
    let (accepted, output) = call(&mut client, |m, out| m.metadata_accepted(out));
    assert_eq!((accepted, &output[..]), (Ok(()), &b""[..]));
    let (again, _) = command(&mut client, b"READY", b"");
    let error = HandshakeError::UnexpectedCommand { name_len: 5 };
    assert_eq!(again, Err(error));
}

#[test]
fn null_knows_one_command() {
    let (answer, output) = call(&mut Null, |m, out| m.start(out));
    assert_eq!(answer, Ok(Step::Continue));
    assert_eq!(output, b"\x04\x12\x05READYour metadata");
    for name in COMMANDS {
        let (answer, output) = command(&mut Null, name, b"abc");
        assert_eq!(answer.is_ok(), name == b"READY");
        assert_eq!(output, b"");
    }
    let (answer, _) = call(&mut Null, |m, out| m.authenticated(out));
    assert_eq!(answer, Err(HandshakeError::NoDecisionAwaited));
}

#[test]
fn hello_carries_both_credentials_behind_their_lengths() {
    // D33
    let (_, output) = call(&mut client(ClientState::Start), |m, out| m.start(out));
    assert_eq!(output, b"\x04\x13\x05HELLO\x05admin\x06secret");
    let longest = [b'x'; 255];
    let mut client = PlainClient::new(&longest, &longest).unwrap();
    let (_, output) = call(&mut client, |m, out| m.start(out));
    assert_eq!(output.len(), 9 + 6 + 256 + 256);
    let mut server = PlainServer::new();
    let (answer, _) = command(&mut server, b"HELLO", &output[15..]);
    assert_eq!(answer, Ok(Step::Pending));
    assert_eq!(server.username(), longest);
    assert_eq!(server.password(), longest);
}

#[test]
fn trailing_bytes_and_overruns_are_fatal() {
    // D33
    let hellos: [&[u8]; 7] = [
        b"",
        b"\x01",
        b"\x01u",
        b"\x01u\x02p",
        b"\x00\x00x",
        b"\xffu\x00",
        b"\x05u\x02pw",
    ];
    for data in hellos {
        let len = data.len();
        let (answer, _) = command(&mut server(ServerState::AwaitingHello), b"HELLO", data);
        assert_eq!(answer, Err(HandshakeError::MalformedCommand { len }));
    }
    let (answer, output) = command(&mut client(ClientState::AwaitingWelcome), b"WELCOME", b"!");
    assert_eq!(answer, Err(HandshakeError::MalformedCommand { len: 1 }));
    assert_eq!(output, b"");
}

#[test]
fn credentials_over_255_bytes_are_the_caller_s_error() {
    let long = [0; 256];
    let error = ConfigError::CredentialTooLong { len: 256 };
    assert_eq!(PlainClient::new(&long, b"").unwrap_err(), error);
    assert_eq!(PlainClient::new(b"", &long).unwrap_err(), error);
}

#[test]
fn a_password_is_neither_shown_nor_kept() {
    let shown = std::format!("{:?}", client(ClientState::Start));
    assert!(
        shown.contains("admin") && !shown.contains("secret"),
        "{shown}"
    );
    let mut server = server(ServerState::AwaitingHello);
    let _ = command(&mut server, b"HELLO", b"\x01u\x06secret");
    let shown = std::format!("{server:?}");
    assert!(
        shown.contains("username: u,") && !shown.contains("secret"),
        "{shown}"
    );
    let _ = call(&mut server, |m, out| m.authenticated(out));
    assert_eq!(server.password(), b"");
    assert_eq!(server.username(), b"u");
}
