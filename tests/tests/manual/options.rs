//! `docs/manual/options.md` has a row for every option of ours, and of libzmq's.

use std::collections::BTreeSet;

use crate::{quoted, read, rows};

/// The options of libzmq 4.3.5, of contexts and sockets, drafts included and old
/// names left out.
const OF_LIBZMQ: &str = "
    AFFINITY BACKLOG BINDTODEVICE BLOCKY BUSY_POLL CONFLATE CONNECT_ROUTING_ID CONNECT_TIMEOUT
    CURVE_PUBLICKEY CURVE_SECRETKEY CURVE_SERVER CURVE_SERVERKEY DISCONNECT_MSG EVENTS FD
    GSSAPI_PLAINTEXT GSSAPI_PRINCIPAL GSSAPI_PRINCIPAL_NAMETYPE GSSAPI_SERVER
    GSSAPI_SERVICE_PRINCIPAL GSSAPI_SERVICE_PRINCIPAL_NAMETYPE HANDSHAKE_IVL HEARTBEAT_IVL
    HEARTBEAT_TIMEOUT HEARTBEAT_TTL HELLO_MSG HICCUP_MSG IMMEDIATE INVERT_MATCHING
    IN_BATCH_SIZE IO_THREADS IPC_FILTER_GID IPC_FILTER_PID IPC_FILTER_UID IPV4ONLY IPV6
    LAST_ENDPOINT LINGER LOOPBACK_FASTPATH MAXMSGSIZE MAX_MSGSZ MAX_SOCKETS MECHANISM METADATA
    MSG_T_SIZE MULTICAST_HOPS MULTICAST_LOOP MULTICAST_MAXTPDU NORM_BLOCK_SIZE
    NORM_BUFFER_SIZE NORM_MODE NORM_NUM_AUTOPARITY NORM_NUM_PARITY NORM_PUSH
    NORM_SEGMENT_SIZE NORM_UNICAST_NACK ONLY_FIRST_SUBSCRIBE OUT_BATCH_SIZE PLAIN_PASSWORD
    PLAIN_SERVER PLAIN_USERNAME PRIORITY PROBE_ROUTER RATE RCVBUF RCVHWM RCVMORE RCVTIMEO
    RECONNECT_IVL RECONNECT_IVL_MAX RECONNECT_STOP RECOVERY_IVL REQ_CORRELATE REQ_RELAXED
    ROUTER_HANDOVER ROUTER_MANDATORY ROUTER_NOTIFY ROUTER_RAW ROUTING_ID SNDBUF SNDHWM
    SNDTIMEO SOCKET_LIMIT SOCKS_PASSWORD SOCKS_PROXY SOCKS_USERNAME STREAM_NOTIFY SUBSCRIBE
    TCP_ACCEPT_FILTER TCP_KEEPALIVE TCP_KEEPALIVE_CNT TCP_KEEPALIVE_IDLE TCP_KEEPALIVE_INTVL
    TCP_MAXRT THREAD_AFFINITY_CPU_ADD THREAD_AFFINITY_CPU_REMOVE THREAD_NAME_PREFIX
    THREAD_PRIORITY THREAD_SAFE THREAD_SCHED_POLICY TOPICS_COUNT TOS TYPE UNSUBSCRIBE USE_FD
    VMCI_BUFFER_MAX_SIZE VMCI_BUFFER_MIN_SIZE VMCI_BUFFER_SIZE VMCI_CONNECT_TIMEOUT
    WSS_CERT_PEM WSS_HOSTNAME WSS_KEY_PEM WSS_TRUST_PEM WSS_TRUST_SYSTEM XPUB_MANUAL
    XPUB_MANUAL_LAST_VALUE XPUB_NODROP XPUB_VERBOSE XPUB_VERBOSER XPUB_WELCOME_MSG
    XSUB_VERBOSE_UNSUBSCRIBE ZAP_DOMAIN ZAP_ENFORCE_DOMAIN ZERO_COPY_RECV";

const PAGE: &str = "docs/manual/options.md";
const SOURCE: &str = "runtime-mio/src/options.rs";
/// The setters of security are in a file of their own.
const SECURITY: &str = "runtime-mio/src/options/security.rs";

/// The rows of the large table: libzmq's name, ours, both defaults, a remark.
fn table() -> Vec<Vec<String>> {
    let page = read(PAGE);
    let of_table = |row: &Vec<String>| row.len() == 5 && row[0] != "libzmq";
    let no_rule = |row: &Vec<String>| !row[0].starts_with('-');
    let rows = rows(&page).into_iter();
    rows.filter(|row| of_table(row) && no_rule(row)).collect()
}

/// The names of the public setters in the source of `Options`.
fn setters() -> BTreeSet<String> {
    let sources = [SOURCE, SECURITY].map(read);
    let setters = sources.iter().flat_map(|source| {
        let setters = source.split_once("impl Options {");
        setters.expect("the setters are there").1.lines()
    });
    let mut in_macro = false;
    let mut found = BTreeSet::new();
    for line in setters {
        let text = line.trim();
        match text {
            "setters! {" => in_macro = true,
            "}" => in_macro = false,
            _ => {}
        }
        let method = text
            .strip_prefix("pub fn ")
            .filter(|_| text != "pub fn new() -> Self {");
        let field = in_macro.then(|| text.split_once(": ")).flatten();
        let field = field.filter(|(name, _)| name.chars().all(|c| c == '_' || c.is_lowercase()));
        if let Some(method) = method {
            found.insert(method.split(['(', '<']).next().unwrap_or(method).to_owned());
        } else if let Some((name, _)) = field {
            found.insert(name.to_owned());
        }
    }
    found
}

/// The public fields of `LinkOptions`.
fn link_options() -> BTreeSet<String> {
    let source = read("transport/src/options.rs");
    let fields = source
        .split_once("pub struct LinkOptions {")
        .and_then(|(_, rest)| rest.split_once("\n}"))
        .expect("the fields are there")
        .0;
    let public = fields
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub "));
    public
        .filter_map(|line| Some(format!("LinkOptions::{}", line.split_once(':')?.0)))
        .collect()
}

#[test]
fn every_option_of_ours_is_in_the_table_and_no_other() {
    let ours: BTreeSet<String> = setters().union(&link_options()).cloned().collect();
    assert!(
        ours.contains("linger") && ours.contains("heartbeat") && ours.contains("zap_domain"),
        "{ours:?}"
    );
    let rows = table();
    let named: BTreeSet<String> = rows
        .iter()
        .flat_map(|row| quoted(&row[1]))
        // What ends in parentheses is a call and no option.
        .filter(|name| !name.ends_with("()") && *name != "Message::len")
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = ours.difference(&named).collect();
    assert!(missing.is_empty(), "not in {PAGE}: {missing:?}");
    let gone: Vec<_> = named.difference(&ours).collect();
    assert!(gone.is_empty(), "{PAGE} has {gone:?}, the sources have not");
}

#[test]
fn every_option_of_libzmq_is_in_the_table_once_and_in_order() {
    let rows = table();
    let listed: Vec<&str> = rows.iter().flat_map(|row| quoted(&row[0])).collect();
    let mut expected: Vec<String> = OF_LIBZMQ
        .split_whitespace()
        .map(|name| format!("ZMQ_{name}"))
        .collect();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    expected.sort();
    assert_eq!(sorted, expected);
    let firsts: Vec<&str> = rows
        .iter()
        .filter_map(|row| quoted(&row[0]).next())
        .collect();
    assert!(firsts.is_sorted(), "{firsts:?}");
}

#[test]
fn what_is_refused_has_a_reason_and_what_is_supported_a_name() {
    for row in table() {
        match row[1].as_str() {
            "no" => assert!(!row[4].is_empty(), "no reason for {}", row[0]),
            name => assert!(quoted(name).next().is_some(), "{row:?}"),
        }
    }
}

#[test]
fn when_a_change_holds_is_what_the_sources_say() {
    let page = read(PAGE);
    let row = |heading: &str| -> BTreeSet<String> {
        let rows = rows(&page);
        let row = rows.iter().find(|row| row[0].starts_with(heading));
        let row = row.unwrap_or_else(|| panic!("no row {heading}"));
        quoted(&row[1]).map(str::to_owned).collect()
    };
    let source = read(SOURCE);
    let settled = source
        .split_once("fn settled_option_changed")
        .and_then(|(_, rest)| rest.split_once("];"))
        .expect("the options that are settled")
        .0;
    let settled: BTreeSet<String> = settled
        .lines()
        .filter_map(|line| {
            Some(
                line.trim()
                    .strip_prefix("(\"")?
                    .split('"')
                    .next()?
                    .to_owned(),
            )
        })
        .collect();
    assert_eq!(row("**Until first use**"), settled);

    let settings = read("runtime-mio/src/settings.rs");
    let taken_apart = settings
        .split_once("let Options {")
        .and_then(|(_, rest)| rest.split_once(".."))
        .expect("the options that calls ask for")
        .0;
    let mut at_once: BTreeSet<String> = taken_apart
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty() && !settled.contains(name))
        .collect();
    // Given to the machine, and read by whoever looks.
    at_once.extend(["router_mandatory".to_owned(), "name".to_owned()]);
    assert_eq!(row("**At once**"), at_once);
}
