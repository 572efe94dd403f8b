//! Who connects may write before it is answered, and may die before.

use std::io::ErrorKind;

use ferromq_tests::Watchdog;
use ferromq_transport::{Link, LinkOptions, Transport};
use ferromq_transport_shm::{KillPoint, Shm};

use crate::child::{Child, Ended, Role};
use crate::holdings::Holdings;
use crate::message::message;
use crate::passings;

/// Bytes of what a child writes.
pub(crate) const LEN: usize = 1000;

pub(crate) fn every_point() {
    let _watchdog = Watchdog::start();
    let endpoint = "shm://*".parse().expect("an endpoint");
    let shm = Shm::new();
    let listener = shm.bind(&endpoint, &LinkOptions::default());
    let mut listener = listener.expect("a name that is free");
    let name = listener.local_endpoint().to_string();
    let at_rest = Holdings::at_rest();
    let mut life = 0;
    for point in KillPoint::ALL {
        for passing in passings(*point, Role::IsEarly) {
            life += 1;
            let child = Child::start(Role::IsEarly, &name, life, Some((*point, *passing)));
            assert_eq!(child.wait(), Ended::Killed, "at {}", point.label());
            let link = listener.accept().expect("its connection");
            let read = read_all(&mut *link.expect("its connection"));
            match point {
                KillPoint::EarlyBytesCopied => assert!(read.is_empty()),
                _ => assert_eq!(read, message(life, 0, LEN)),
            }
            at_rest.are_back();
        }
    }
}

/// What there is, up to the end.
fn read_all(link: &mut dyn Link) -> Vec<u8> {
    let (mut all, mut some) = (Vec::new(), [0; 300]);
    loop {
        match link.read(&mut some) {
            Ok(0) => return all,
            Ok(read) => all.extend(&some[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => link.handle_hangup(),
            Err(error) => panic!("{error}"),
        }
    }
}
