//! Payloads that are read where they are.

#![cfg(target_os = "linux")]

use std::io::{Error, ErrorKind};

use ferromq_transport::{Lender, Link, LinkOptions, Loan, Place, Transport};
use ferromq_transport_shm::Shm;

/// Both ends of a connection that has greeted, of two processes as far as it knows.
fn pair(client: &Shm, server: &Shm) -> (Box<dyn Link>, Box<dyn Link>) {
    let options = LinkOptions::default();
    let mut listener = server.bind(&"shm://*".parse().unwrap(), &options).unwrap();
    let route = client.resolve(listener.local_endpoint()).unwrap();
    let mut connecting = client.connect(&route, &options).unwrap();
    let mut client = connecting.poll_connected().unwrap().unwrap();
    let mut server = listener.accept().unwrap().unwrap();
    for link in [&mut server, &mut client] {
        let read = link.read(&mut [0; 8]);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    (client, server)
}

fn loan(lender: &dyn Lender, len: usize, with: u8) -> Loan {
    let mut loan = lender.loan(len).unwrap();
    loan.as_mut().fill(with);
    loan
}

fn export(link: &mut dyn Link, bytes: &[u8]) -> Place {
    link.memory().unwrap().export(bytes).unwrap()
}

fn import(link: &mut dyn Link, place: Place, len: u64) -> Result<Vec<u8>, Error> {
    let bytes = link.memory().unwrap().import(place, len)?;
    Ok((*bytes).as_ref().to_vec())
}

#[test]
fn what_is_lent_is_read_where_it_is_by_any_number_of_peers() {
    let publisher = Shm::new();
    let lender = publisher.lender().unwrap();
    let loan = loan(&*lender, 1 << 20, 7);
    for _ in 0..3 {
        let (mut client, mut server) = pair(&Shm::new(), &publisher);
        let place = export(&mut *server, loan.as_ref());
        assert_eq!(import(&mut *client, place, 1 << 20).unwrap(), [7; 1 << 20]);
        // A part of it is as good, and needs no further word.
        let part = export(&mut *server, &loan.as_ref()[4000..5000]);
        assert_eq!(part.region, place.region);
        assert_eq!(import(&mut *client, part, 1000).unwrap(), [7; 1000]);
    }
}

#[test]
fn what_is_not_lent_goes_another_way() {
    let (mut client, _server) = pair(&Shm::new(), &Shm::new());
    let memory = client.memory().unwrap();
    assert!(memory.export(&[1, 2, 3]).is_none());
    let others = Shm::new().lender().unwrap();
    let loan = loan(&*others, 100, 1);
    assert!(memory.export(loan.as_ref()).is_none());
}

#[test]
fn what_is_looked_at_outlives_the_link_and_its_peer() {
    let sender = Shm::new();
    let (mut client, mut server) = pair(&sender, &Shm::new());
    let loan = loan(&*sender.lender().unwrap(), 10_000, 9);
    let place = export(&mut *client, loan.as_ref());
    let bytes = server.memory().unwrap().import(place, 10_000).unwrap();
    sender.lender().unwrap().abandon(loan.as_ref());
    drop((client, server, loan, sender));
    assert_eq!((*bytes).as_ref(), [9; 10_000]);
}

#[test]
fn memory_is_reached_after_its_owner_has_gone() {
    let sender = Shm::new();
    let (mut client, mut server) = pair(&sender, &Shm::new());
    let loan = loan(&*sender.lender().unwrap(), 10_000, 9);
    let place = export(&mut *client, loan.as_ref());
    sender.lender().unwrap().abandon(loan.as_ref());
    drop((client, loan, sender));
    assert_eq!(import(&mut *server, place, 10_000).unwrap(), [9; 10_000]);
}

#[test]
fn memory_that_was_told_of_is_found_after_the_end_was_seen() {
    let sender = Shm::new();
    let (mut client, mut server) = pair(&sender, &Shm::new());
    let loan = loan(&*sender.lender().unwrap(), 10_000, 9);
    let place = export(&mut *client, loan.as_ref());
    drop(client);
    // As a poller tells of it.
    server.handle_hangup();
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
    assert_eq!(import(&mut *server, place, 10_000).unwrap(), [9; 10_000]);
}

#[test]
fn a_place_that_cannot_be_is_an_error_of_the_peers() {
    let sender = Shm::new();
    let (mut client, mut server) = pair(&sender, &Shm::new());
    let loan = loan(&*sender.lender().unwrap(), 8192, 9);
    let place = export(&mut *client, loan.as_ref());
    let wrong = |region, offset, len| {
        let place = Place {
            region,
            offset,
            key: 0,
        };
        (place, len)
    };
    import(&mut *server, place, 8192).unwrap();
    for (place, len) in [
        wrong(place.region + 1, 0, 1),
        wrong(place.region, place.offset, 2 << 20),
        wrong(place.region, u64::MAX, 1),
        wrong(place.region, 1, u64::MAX),
        wrong(place.region, 1 << 40, 0),
    ] {
        let error = import(&mut *server, place, len).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    }
}

/// Mappings of so many bytes of lent memory in this process.
fn mappings(lens: &[usize]) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let len_of = |line: &str| {
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        let [from, to] = [from, to].map(|end| usize::from_str_radix(end, 16).unwrap());
        Some(to - from)
    };
    let lent = maps.lines().filter(|line| line.contains("ferromq-shm"));
    lent.filter(|line| len_of(line).is_some_and(|len| lens.contains(&len)))
        .count()
}

#[test]
fn memory_that_is_not_lent_from_any_more_is_unmapped_by_the_peer() {
    // Each is a class of its own, and there is room for one.
    const LENS: [usize; 3] = [5 << 20, 6 << 20, 7 << 20];
    let sender = Shm::with_limit(8 << 20);
    let lender = sender.lender().unwrap();
    let (mut client, mut server) = pair(&sender, &Shm::new());
    for round in 0..30 {
        let (len, with) = (LENS[round % 3], round as u8);
        let loan = loan(&*lender, len, with);
        let place = export(&mut *client, loan.as_ref());
        let bytes = import(&mut *server, place, len as u64).unwrap();
        assert!(bytes.iter().all(|byte| *byte == with));
        // One here, and one with the peer.
        assert_eq!(mappings(&LENS), 2);
    }
}

#[test]
fn what_is_said_of_memory_is_taken_note_of_without_a_payload_from_it() {
    // Of a class of its own.
    const LEN: usize = 10 << 20;
    let sender = Shm::new();
    let lender = sender.lender().unwrap();
    let (mut client, mut server) = pair(&sender, &Shm::new());
    let loan = loan(&*lender, LEN, 1);
    export(&mut *client, loan.as_ref());
    assert_eq!(mappings(&[LEN]), 1);
    // Only now and then is looked at what was said: it is one of many bells.
    for _ in 0..200 {
        assert_eq!(client.write(&[1]).unwrap(), 1);
        assert_eq!(server.read(&mut [0; 8]).unwrap(), 1);
    }
    assert_eq!(mappings(&[LEN]), 2);
}

#[test]
fn bells_between_do_no_harm() {
    let sender = Shm::new();
    let lender = sender.lender().unwrap();
    let (mut client, mut server) = pair(&sender, &Shm::new());
    let mut kept = Vec::new();
    for round in 0..300_u32 {
        // The peer waits, so it is rung for.
        let read = server.read(&mut [0; 8]);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(client.write(&[1]).unwrap(), 1);
        if round % 10 == 0 {
            // Kept to the end, so that another region is needed.
            let loan = loan(&*lender, (1 << 20) + round as usize, round as u8);
            let place = export(&mut *client, loan.as_ref());
            let len = loan.as_ref().len() as u64;
            let bytes = import(&mut *server, place, len).unwrap();
            assert!(bytes.iter().all(|byte| *byte == round as u8));
            kept.push(loan);
        }
        assert_eq!(server.read(&mut [0; 8]).unwrap(), 1);
    }
}
