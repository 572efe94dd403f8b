use super::*;

fn peer(id: &str, sent: u64) -> PeerReport {
    PeerReport {
        id: id.into(),
        endpoint: "tcp://127.0.0.1:1".into(),
        address: None,
        via: None,
        identity: None,
        state: "connected".into(),
        sent: amount(sent),
        received: amount(0),
        queue_out: amount(0),
        queue_in: amount(0),
        drops: BTreeMap::new(),
        reconnects: 0,
        ignored_commands: 0,
        rates: None,
    }
}

fn amount(messages: u64) -> Amount {
    Amount {
        messages,
        bytes: messages * 10,
    }
}

fn report(clock_us: u64, sent: u64, peers: Vec<PeerReport>) -> Report {
    let socket = SocketReport {
        context: 1,
        id: 7,
        name: String::new(),
        socket_type: "PUSH".into(),
        state: "open".into(),
        caller: "present".into(),
        send_hwm: 1000,
        receive_hwm: 1000,
        endpoints: Vec::new(),
        sent: amount(sent),
        received: amount(5),
        queue_out: amount(0),
        queue_in: amount(0),
        drops: BTreeMap::new(),
        reconnects: 0,
        handshakes_failed: 0,
        authentications_failed: 0,
        authentications_undecided: 0,
        addresses_refused: 0,
        violations: 0,
        untyped_peers: 0,
        switched: 0,
        switches_refused: 0,
        peers_total: peers.len() as u64,
        peers_connected: peers.len() as u64,
        peers,
        rates: None,
    };
    Report {
        ferromq_status: VERSION,
        pid: 1,
        program: "test".into(),
        clock_us,
        time_ms: 0,
        sockets: vec![socket],
        sockets_omitted: 0,
    }
}

#[test]
fn rates_are_what_passed_in_between() {
    let earlier = report(1_000_000, 100, vec![peer("0", 100)]);
    let mut now = report(3_000_000, 300, vec![peer("0", 200), peer("1", 50)]);
    now.set_rates(&earlier);
    let socket = &now.sockets[0];
    let of = |rates: Option<Rates>| rates.map(|rates| (rates.sent.messages, rates.sent.bytes));
    assert_eq!(of(socket.rates), Some((100.0, 1000.0)));
    assert_eq!(socket.rates.unwrap().received, Rate::default());
    assert_eq!(of(socket.peers[0].rates), Some((50.0, 500.0)));
    // It is new: all that it has was in this time.
    assert_eq!(of(socket.peers[1].rates), Some((25.0, 250.0)));
}

#[test]
fn no_time_and_another_process_give_no_rates() {
    let earlier = report(1_000_000, 100, Vec::new());
    let mut now = report(1_000_000, 300, Vec::new());
    now.set_rates(&earlier);
    assert_eq!(now.sockets[0].rates, None);
    let mut other = report(2_000_000, 300, Vec::new());
    other.pid = 2;
    other.set_rates(&earlier);
    assert_eq!(other.sockets[0].rates, None);
}

#[test]
fn a_counter_that_went_back_is_no_rate() {
    let earlier = report(1_000_000, 100, Vec::new());
    let mut now = report(2_000_000, 50, Vec::new());
    now.set_rates(&earlier);
    assert_eq!(now.sockets[0].rates.unwrap().sent, Rate::default());
}

#[test]
fn a_report_survives_its_json_and_unknown_fields_are_skipped() {
    let mut told = report(1, 2, vec![peer("0", 3)]);
    told.sockets[0].peers[0].identity = Identity::of(b"\xff\x00");
    let json = serde_json::to_string(&told).unwrap();
    assert!(json.contains(r#""identity":{"hex":"ff00"}"#), "{json}");
    let read: Report = serde_json::from_str(&json).unwrap();
    assert_eq!(read, told);
    let later = json.replacen('{', r#"{"new_in_a_later_version":[1],"#, 1);
    assert_eq!(serde_json::from_str::<Report>(&later).unwrap(), told);
}

#[test]
fn identities_are_text_where_they_can_be() {
    assert_eq!(Identity::of(b""), None);
    for bytes in [&b"worker"[..], "w\u{f6}rker\n".as_bytes(), b"\0\x01\xfe"] {
        assert_eq!(Identity::of(bytes).unwrap().bytes().unwrap(), bytes);
    }
    assert_eq!(
        Identity::of(b"\0\x01\xfe"),
        Some(Identity::Hex("0001fe".into()))
    );
    for broken in ["0", "0g", "+1", "ä"] {
        assert_eq!(Identity::Hex(broken.into()).bytes(), None, "{broken}");
    }
}
