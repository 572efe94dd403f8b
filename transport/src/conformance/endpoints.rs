//! Binding, connecting, and what becomes of an endpoint.

use std::collections::HashSet;
use std::thread;

use super::end::{End, Read, Watch};
use super::trial::{Dial, Door, NoLink, Trial};
use super::verdict::{Finding, ensure};
use crate::endpoint::Endpoint;
use crate::error::{Cause, Operation, TransportError};
use crate::options::LinkOptions;

pub(super) fn it_claims_its_schemes(trial: &Trial) -> Result<(), Finding> {
    let schemes = trial.transport.schemes();
    let endpoint = trial.subject.fresh_endpoint();
    ensure(schemes.contains(&endpoint.scheme()), || {
        format!("{endpoint} is none of its schemes {schemes:?}")
    })?;
    let foreign: Endpoint = "x-nobody+s.scheme://anywhere".parse()?;
    let refused = trial.transport.bind(&foreign, &LinkOptions::default());
    match refused {
        Ok(_) => Err(Finding::new(format!("it bound {foreign}"))),
        Err(error) => is_about(&error, &foreign, &[Operation::Bind]),
    }
}

/// An error names the endpoint that was asked for, and what was asked.
fn is_about(
    error: &TransportError,
    endpoint: &Endpoint,
    operations: &[Operation],
) -> Result<(), Finding> {
    ensure(error.endpoint() == endpoint, || {
        format!(
            "the error of {endpoint} is about {}: {error}",
            error.endpoint()
        )
    })?;
    ensure(operations.contains(&error.operation()), || {
        format!(
            "asked to {operations:?}, it failed to {}: {error}",
            error.operation()
        )
    })?;
    ensure(error.cause() != Cause::Other, || {
        format!("the error has no cause that a program could understand: {error}")
    })
}

pub(super) fn a_taken_endpoint_is_refused_by_name(trial: &Trial) -> Result<(), Finding> {
    let mut door = trial.listen()?;
    let taken = door.endpoint();
    for _ in 0..2 {
        match trial.listen_at(&taken) {
            Ok(_) => return Err(Finding::new(format!("{taken} was bound twice"))),
            Err(NoLink::Wrong(finding)) => return Err(finding),
            Err(NoLink::Refused(error)) => {
                is_about(&error, &taken, &[Operation::Bind])?;
                ensure(error.cause() == Cause::AddressInUse, || {
                    format!("the cause is not that the address is in use: {error}")
                })?;
            }
        }
    }
    // Its owner is none the worse for it: who asked whether it is alive may come
    // first, as a link that is over.
    let heard = first_heard(&mut door, trial.dial(&taken)?, 2)?;
    ensure(heard == Read::Bytes(1), || {
        format!("its owner was to hear a newcomer, and a read gave {heard:?}")
    })
}

/// Connects and writes a byte while `door` accepts; what the first link gives
/// that is not over at once, of those before it and of this one.
fn first_heard(door: &mut Door, dial: Dial, before: usize) -> Result<Read, Finding> {
    thread::scope(|scope| {
        let patient = scope.spawn(|| -> Result<End, NoLink> {
            let mut client = dial.finish()?;
            client.write_all(b"!").map_err(NoLink::Wrong)?;
            Ok(client)
        });
        let mut heard = Read::Over;
        for _ in 0..=before {
            heard = door.accept()?.read_once(&mut [0; 8])?;
            if heard != Read::Over {
                break;
            }
        }
        let joined = patient.join();
        joined.map_err(|_| Finding::new("connecting panicked"))??;
        Ok(heard)
    })
}

/// Both sides hear each other.
fn talk((mut client, mut server): (End, End)) -> Result<(), Finding> {
    client.write_all(b"from the connecting side")?;
    server.read_exact(24)?;
    server.write_all(b"from the accepting side")?;
    client.read_exact(23).map(drop)
}

pub(super) fn a_wildcard_becomes_a_real_endpoint(trial: &Trial) -> Result<(), Finding> {
    let Some(wildcard) = trial.subject.wildcard() else {
        return Ok(());
    };
    let mut doors = [trial.listen_at(&wildcard)?, trial.listen_at(&wildcard)?];
    ensure(doors[0].endpoint() != doors[1].endpoint(), || {
        format!("{wildcard} became {} twice", doors[0].endpoint())
    })?;
    for door in &mut doors {
        ensure(door.endpoint() != wildcard, || {
            format!("{wildcard} is still a wildcard once it is bound")
        })?;
        talk(trial.meet(door)?)?;
    }
    match trial.dial(&wildcard).and_then(Dial::finish) {
        Ok(_) => Err(Finding::new(format!("it connected to {wildcard}"))),
        Err(NoLink::Wrong(finding)) => Err(finding),
        Err(NoLink::Refused(error)) => {
            let operations = [Operation::Resolve, Operation::Connect];
            is_about(&error, &wildcard, &operations)?;
            ensure(error.cause() == Cause::Wildcard, || {
                format!("the cause is not that it is a wildcard: {error}")
            })
        }
    }
}

pub(super) fn nobody_there_is_a_typed_refusal(trial: &Trial) -> Result<(), Finding> {
    is_refused(trial, &trial.subject.fresh_endpoint())
}

fn is_refused(trial: &Trial, endpoint: &Endpoint) -> Result<(), Finding> {
    match trial.dial(endpoint).and_then(Dial::finish) {
        Ok(_) => Err(Finding::new(format!(
            "nobody listens, but {endpoint} connected"
        ))),
        Err(NoLink::Wrong(finding)) => Err(finding),
        Err(NoLink::Refused(error)) => {
            let operations = [Operation::Resolve, Operation::Connect];
            is_about(&error, endpoint, &operations)?;
            let expected = matches!(error.cause(), Cause::ConnectionRefused | Cause::NotFound);
            ensure(expected, || {
                format!("the cause is not that nobody is there: {error}")
            })
        }
    }
}

pub(super) fn every_waiting_connection_is_announced(trial: &Trial) -> Result<(), Finding> {
    let mut door = trial.listen()?;
    for _ in 0..20 {
        let nobody = door.try_accept()?;
        ensure(nobody.is_none(), || {
            "nobody connected, and somebody came".into()
        })?;
        talk(trial.meet(&mut door)?)?;
    }
    Ok(())
}

pub(super) fn a_burst_of_connections_is_taken_one_by_one(trial: &Trial) -> Result<(), Finding> {
    let mut door = trial.listen()?;
    let to = door.endpoint();
    let dials: Vec<_> = (0..BURST)
        .map(|_| trial.dial(&to))
        .collect::<Result<_, _>>()?;
    let (clients, servers) = thread::scope(|scope| {
        let finish = || {
            dials
                .into_iter()
                .map(Dial::finish)
                .collect::<Result<Vec<_>, _>>()
        };
        let clients = scope.spawn(finish);
        let servers: Result<Vec<_>, _> = (0..BURST).map(|_| door.accept()).collect();
        (clients.join(), servers)
    });
    let clients = clients.map_err(|_| Finding::new("connecting panicked"))??;
    let mut ends: Vec<_> = clients.into_iter().zip(servers?).collect();
    // In whatever order they were taken, each is another one.
    for (number, (client, _)) in (0_u32..).zip(&mut ends) {
        client.write_all(&number.to_le_bytes())?;
    }
    let mut heard = HashSet::new();
    for (_, server) in &mut ends {
        heard.insert(server.read_exact(4)?);
    }
    let distinct = heard.len();
    ensure(distinct == BURST, || {
        format!("{BURST} connected, and {distinct} of them were heard")
    })
}

/// Connections that wait at once.
const BURST: usize = 16;

pub(super) fn a_connection_given_up_hurts_nobody(trial: &Trial) -> Result<(), Finding> {
    let mut door = trial.listen()?;
    for _ in 0..GIVEN_UP {
        drop(trial.dial(&door.endpoint())?);
    }
    // Each may still come, as a link that is over.
    let dial = trial.dial(&door.endpoint())?;
    let heard = first_heard(&mut door, dial, GIVEN_UP)?;
    ensure(heard == Read::Bytes(1), || {
        format!("who did not give up was to be heard, and a read gave {heard:?}")
    })
}

/// Connections that are dropped before they are made.
const GIVEN_UP: usize = 4;

pub(super) fn links_outlive_their_listener(trial: &Trial) -> Result<(), Finding> {
    let mut door = trial.listen()?;
    let endpoint = door.endpoint();
    let mut ends = trial.meet(&mut door)?;
    drop(door);
    is_refused(trial, &endpoint)?;
    ends.0.write_all(b"still")?;
    ends.1.read_exact(5)?;
    talk(ends)
}

pub(super) fn a_closed_endpoint_can_be_bound_again(trial: &Trial) -> Result<(), Finding> {
    let endpoint = trial.subject.fresh_endpoint();
    let mut links = Vec::new();
    for _ in 0..5 {
        let mut door: Door = trial.listen_at(&endpoint)?;
        // Links of the last time stand, which must not be in the way.
        let mut ends = trial.meet(&mut door)?;
        ends.0.write_all(b"here")?;
        ends.1.read_exact(4)?;
        links.push(ends);
    }
    for ends in links {
        talk(ends)?;
    }
    Ok(())
}

pub(super) fn nothing_is_left_behind(trial: &Trial) -> Result<(), Finding> {
    {
        let mut door = trial.listen()?;
        let standing = trial.meet(&mut door)?;
        let (mut client, server) = trial.meet(&mut door)?;
        drop(server);
        client.await_input()?;
        // Somebody who gives up, and somebody who waits when the door closes.
        drop(trial.dial(&door.endpoint())?);
        let waiting = trial.dial(&door.endpoint())?;
        drop(door);
        drop(waiting);
        talk(standing)?;
    }
    let left = trial.subject.leftovers();
    ensure(left.is_empty(), || format!("it left {}", left.join(", ")))
}

pub(super) fn descriptors_are_told_apart(trial: &Trial) -> Result<(), Finding> {
    let mut door = trial.listen()?;
    let mut ends = Vec::new();
    for _ in 0..8 {
        let (client, server) = trial.meet(&mut door)?;
        ends.push(client);
        ends.push(server);
    }
    let distinct: HashSet<_> = ends.iter().map(|end| end.link.fd()).collect();
    ensure(distinct.len() == ends.len(), || {
        format!("{} links have {} descriptors", ends.len(), distinct.len())
    })?;
    // Each can be waited for in a second place, as a user's own loop does.
    for end in &ends {
        drop(Watch::new(end.link.fd())?);
    }
    Ok(())
}

pub(super) fn an_endpoint_can_be_written_down(trial: &Trial) -> Result<(), Finding> {
    let endpoint = trial.listen()?.endpoint();
    let again: Endpoint = endpoint.to_string().parse()?;
    ensure(again == endpoint, || {
        format!("{endpoint} is another endpoint once it is written down and read")
    })
}
