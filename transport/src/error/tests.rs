use super::*;

fn endpoint() -> Endpoint {
    "tcp://127.0.0.1:5555".parse().unwrap()
}

#[test]
fn errors_name_the_whole_endpoint_and_the_cause() {
    let error = "tcp://a\n:70000".parse::<Endpoint>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "endpoint \"tcp://a\\n:70000\": the host has a character that no host or interface name has"
    );

    let error = TransportError::new(Operation::Bind, &endpoint(), Cause::AddressInUse);
    assert_eq!(
        error.to_string(),
        "cannot bind tcp://127.0.0.1:5555: the address is in use"
    );
    let error = TransportError::new(Operation::Connect, &endpoint(), Cause::ConnectionRefused)
        .with_detail("127.0.0.1:5555");
    assert_eq!(
        error.to_string(),
        "cannot connect tcp://127.0.0.1:5555: nothing accepts connections there (127.0.0.1:5555)"
    );
}

#[test]
fn system_errors_are_sorted_by_what_to_do_about_them() {
    let of = |errno| Cause::from(&io::Error::from_raw_os_error(errno));
    for errno in [ENFILE, EMFILE, ENOMEM, ENOBUFS] {
        assert_eq!(of(errno), Cause::Exhausted { errno });
    }
    assert_eq!(
        Cause::from(io::Error::from(io::ErrorKind::AddrInUse)),
        Cause::AddressInUse
    );
    assert_eq!(Cause::from(io::Error::other("odd")), Cause::Other);
    const EINVAL: i32 = 22;
    assert_eq!(of(EINVAL), Cause::System { errno: EINVAL });
}

#[test]
fn only_exhaustion_asks_for_a_pause_and_only_lost_peers_are_refused() {
    let of = |cause| TransportError::new(Operation::Accept, &endpoint(), cause);
    let exhausted = of(Cause::Exhausted { errno: EMFILE });
    assert!(exhausted.is_exhausted() && !exhausted.is_refused());
    let refused = Cause::UserRefused {
        uid: 1001,
        admitted: 1000,
    };
    for cause in [refused, Cause::PeersGone { count: 3 }] {
        let error = of(cause);
        assert!(error.is_refused() && !error.is_exhausted(), "{error}");
    }
    let broken = of(Cause::System { errno: 9 });
    assert!(!broken.is_refused() && !broken.is_exhausted());
}

#[test]
fn what_the_system_says_without_a_number_is_kept_as_detail() {
    let error = TransportError::from_io(Operation::Bind, &endpoint(), &io::Error::other("odd"));
    assert_eq!(
        error.to_string(),
        "cannot bind tcp://127.0.0.1:5555: it failed (odd)"
    );
}
