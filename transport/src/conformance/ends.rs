//! How links end.

use super::end::{End, Read, Written};
use super::readiness::fill;
use super::trial::Trial;
use super::verdict::{Finding, ensure};

pub(super) fn the_end_comes_after_the_last_byte(trial: &Trial) -> Result<(), Finding> {
    for direction in 0..2 {
        let (client, server) = trial.pair()?;
        let (mut from, mut to) = match direction {
            0 => (client, server),
            _ => (server, client),
        };
        // As much as fits: the reader has not begun when the writer goes.
        let mut sent = 0;
        for _ in 0..8 {
            match from.write(&[9; 4000])? {
                Written::Bytes(written) => sent += written,
                Written::Nothing => break,
                Written::Over => return Err(from.finds("the link ended while it was new")),
            }
        }
        drop(from);
        to.read_exact(sent)?;
        expect_over(&mut to)?;
    }
    Ok(())
}

/// The end, and nothing but the end, however often one asks.
fn expect_over(end: &mut End) -> Result<(), Finding> {
    for _ in 0..3 {
        let read = end.read_once(&mut [0; 64])?;
        ensure(read == Read::Over, || {
            format!("after the end of the stream, a read gave {read:?}")
        })?;
    }
    Ok(())
}

pub(super) fn the_end_wakes_a_sleeping_reader(trial: &Trial) -> Result<(), Finding> {
    for direction in 0..2 {
        let (client, server) = trial.pair()?;
        let (leaving, mut left) = match direction {
            0 => (client, server),
            _ => (server, client),
        };
        let read = left.read(&mut [0; 8])?;
        ensure(read == Read::Nothing, || {
            format!("a new link gave {read:?}")
        })?;
        drop(leaving);
        left.await_input()?;
        expect_over(&mut left)?;
    }
    Ok(())
}

pub(super) fn the_end_wakes_a_blocked_writer(trial: &Trial) -> Result<(), Finding> {
    let (mut client, server) = trial.pair()?;
    fill(&mut client)?;
    // With everything unread, so that it is abrupt where a carrier knows that.
    drop(server);
    expect_refusal(&mut client)
}

/// Writes are taken, or wait, for a while; then there is an error.
fn expect_refusal(end: &mut End) -> Result<(), Finding> {
    for _ in 0..10_000 {
        match end.write(&[0; 1000])? {
            Written::Bytes(_) => {}
            Written::Nothing => end.await_room()?,
            Written::Over => return Ok(()),
        }
    }
    Err(end.finds("10000 writes to a peer that is gone were taken"))
}

pub(super) fn writing_to_a_lost_peer_fails(trial: &Trial) -> Result<(), Finding> {
    for direction in 0..2 {
        let (client, server) = trial.pair()?;
        let (leaving, mut left) = match direction {
            0 => (client, server),
            _ => (server, client),
        };
        drop(leaving);
        // A carrier may learn of it with the answer to the first write.
        left.await_input()?;
        expect_refusal(&mut left)?;
        let again = left.write(b"x")?;
        ensure(again == Written::Over, || {
            format!("after an error, a write gave {again:?}")
        })?;
    }
    Ok(())
}

pub(super) fn shutdown_ends_both_sides(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    client.write_all(b"before")?;
    client.link.shutdown();
    client.link.shutdown();
    expect_over(&mut client)?;
    let written = client.write(b"after")?;
    ensure(written == Written::Over, || {
        format!("after a shutdown, a write gave {written:?}")
    })?;
    let heard = server.read_exact(6)?;
    ensure(heard == b"before", || format!("before became {heard:?}"))?;
    expect_over(&mut server)
}

pub(super) fn a_shutdown_with_input_unread_is_no_hang(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    server.write_all(b"nobody will read this")?;
    client.write_all(b"nor this")?;
    client.link.shutdown();
    drop(client);
    // The words may be lost where the carrier resets; the end may not.
    while server.read_once(&mut [0; 64])? != Read::Over {}
    expect_refusal(&mut server)
}
