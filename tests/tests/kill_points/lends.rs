//! Payloads that are read where they are, of one who dies.
//!
//! ```text
//!   child: lends A ──▶ survivor     each says where it is, in 32 bytes
//!                  ◀── lends B
//!   A ends, lends C ─▶
//!                  ◀── B ends, lends D
//! ```

use std::io::{self, ErrorKind};

use ferromq_tests::{Watchdog, until};
use ferromq_transport::{Link, LinkOptions, Loan, Place, Transport};
use ferromq_transport_shm::{KillPoint, Shm};

use crate::child::{Child, Ended, Role, link_to};
use crate::holdings::Holdings;
use crate::message::{message, read};
use crate::passings;

/// Bytes of a payload.
const LEN: usize = 5000;
/// Bytes that say where it is.
const PLACE: usize = 32;

pub(crate) fn every_point() {
    let _watchdog = Watchdog::start();
    let at_rest = Holdings::at_rest();
    let mut life = 0;
    for point in KillPoint::ALL {
        for passing in passings(*point, Role::Lends) {
            life += 1;
            let ended = outlive(life, Some((*point, *passing)));
            assert_eq!(ended, Ended::Killed, "at {}", point.label());
            at_rest.are_back();
        }
    }
    assert_eq!(outlive(life + 1, None), Ended::Well);
    at_rest.are_back();
}

/// The other side of a child's: whatever came is whole, up to its end.
fn outlive(life: u64, dies: Option<(KillPoint, u64)>) -> Ended {
    let shm = Shm::new();
    let endpoint = "shm://*".parse().expect("an endpoint");
    let listener = shm.bind(&endpoint, &LinkOptions::default());
    let mut listener = listener.expect("a name that is free");
    let name = listener.local_endpoint().to_string();
    let child = Child::start(Role::Lends, &name, life, dies);
    let mut link = until("it comes", || listener.accept().expect("its connection"));
    let mut talk = Talk {
        shm: &shm,
        link: &mut *link,
        life,
        lent: None,
    };
    let talked = talk
        .hear()
        .and_then(|()| talk.lend(2))
        .and_then(|()| talk.hear())
        .and_then(|()| talk.lend(4));
    let ended = child.wait();
    if ended == Ended::Well {
        talked.expect("a child that does well hears and says all");
    }
    ended
}

/// A child's side.
pub(crate) fn talk(endpoint: &str, life: u64) {
    let shm = Shm::new();
    let mut link = link_to(&shm, endpoint);
    let mut talk = Talk {
        shm: &shm,
        link: &mut *link,
        life,
        lent: None,
    };
    talk.lend(1).unwrap();
    talk.hear().unwrap();
    talk.lend(3).unwrap();
    talk.hear().unwrap();
}

struct Talk<'a> {
    shm: &'a Shm,
    link: &'a mut dyn Link,
    life: u64,
    /// What was lent last.
    lent: Option<Loan>,
}

impl Talk<'_> {
    /// Ends what was lent, and lends what has this number.
    fn lend(&mut self, number: u64) -> io::Result<()> {
        let lender = self.shm.lender().expect("it lends");
        if let Some(lent) = self.lent.take() {
            lender.abandon(lent.as_ref());
        }
        let mut loan = lender.loan(LEN).expect("memory");
        loan.as_mut()
            .copy_from_slice(&message(self.life, number, LEN));
        let memory = self.link.memory().expect("it has memory");
        let place = memory.export(loan.as_ref()).ok_or(ErrorKind::BrokenPipe)?;
        self.lent = Some(loan);
        let words = [place.region, place.offset, place.key, number];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        // So few bytes are written whole.
        until("there is room", || match self.link.write(&bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            written => Some(written.map(|written| assert_eq!(written, PLACE))),
        })
    }

    /// Hears where a payload is, and reads it there.
    fn hear(&mut self) -> io::Result<()> {
        let (mut bytes, mut filled) = ([0; PLACE], 0);
        while filled < PLACE {
            filled += until("more of it comes", || {
                self.link.handle_hangup();
                match self.link.read(&mut bytes[filled..]) {
                    Ok(0) => Some(Err(ErrorKind::UnexpectedEof.into())),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                    read => Some(read),
                }
            })?;
        }
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let place = Place {
            region: word(0),
            offset: word(8),
            key: word(16),
        };
        let memory = self.link.memory().expect("it has memory");
        let payload = memory.import(place, LEN as u64)?;
        assert_eq!(read((*payload).as_ref()), (self.life, word(24)));
        Ok(())
    }
}
