//! What an edge-triggered event loop depends on.

use std::io::IoSliceMut;
use std::thread;
use std::time::{Duration, Instant};

use super::end::{End, Read, Written};
use super::stream::Flow;
use super::trial::Trial;
use super::verdict::{Finding, ensure};

pub(super) fn an_empty_link_would_block(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    let mut buf = [0; 16];
    for end in [&mut client, &mut server] {
        for _ in 0..2 {
            let plain = end.read(&mut buf)?;
            ensure(plain == Read::Nothing, || {
                format!("reading an empty link gave {plain:?}")
            })?;
            let vectored = end.read_vectored(&mut [IoSliceMut::new(&mut buf)])?;
            ensure(vectored == Read::Nothing, || {
                format!("reading an empty link into several buffers gave {vectored:?}")
            })?;
        }
    }
    Ok(())
}

pub(super) fn input_wakes_a_reader_that_found_none(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    for _ in 0..100 {
        drain(&mut server)?;
        let bytes = vec![7; trial.length(1000)];
        client.write_all(&bytes)?;
        server.await_input()?;
        server.read_exact(bytes.len())?;
    }
    Ok(())
}

/// Reads until there is nothing.
fn drain(end: &mut End) -> Result<(), Finding> {
    match end.read(&mut [0; 64])? {
        Read::Nothing => Ok(()),
        other => Err(end.finds(&format!("nothing was written, and a read gave {other:?}"))),
    }
}

pub(super) fn who_waits_after_a_short_read_misses_nothing(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    let mut flow = Flow::new(trial, 1 << 20);
    while !flow.is_over() {
        flow.push(trial, &mut client)?;
        match flow.pull_once(trial, &mut server)? {
            Some((read, asked)) if read < asked => server.trust_short_read(),
            Some(_) => continue,
            None => {}
        }
        if !flow.is_over() {
            flow.await_progress(&mut client, &mut server)?;
        }
    }
    // The same with the end instead of more bytes.
    client.write_all(b"last words")?;
    drop(client);
    let mut heard = 0;
    loop {
        server.await_input()?;
        match server.read(&mut [0; 64])? {
            Read::Bytes(read) => {
                heard += read;
                server.trust_short_read();
            }
            Read::Nothing => {}
            Read::Over => break,
        }
    }
    ensure(heard == 10, || format!("{heard} of the last 10 bytes came"))
}

pub(super) fn who_stops_polling_misses_nothing(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    for turn in 0..100 {
        drain(&mut server)?;
        server.link.begin_polling();
        let found = vec![7; trial.length(1000)];
        client.write_all(&found)?;
        server.look_for(found.len())?;
        drain(&mut server)?;
        // What is there when polling ends, and what comes after that.
        let told = vec![8; trial.length(1000)];
        let early = turn % 2 == 0;
        if early {
            client.write_all(&told)?;
        }
        server.end_polling();
        if !early {
            client.write_all(&told)?;
        }
        server.await_input()?;
        server.read_exact(told.len())?;
    }
    drain(&mut server)?;
    server.link.begin_polling();
    drop(client);
    server.end_polling();
    server.await_input()?;
    match server.read_once(&mut [0; 64])? {
        Read::Over => Ok(()),
        other => Err(server.finds(&format!("the peer is gone, and a read gave {other:?}"))),
    }
}

/// Bytes that no link takes while nobody reads: there are limits to buffers.
const BOUNDLESS: u64 = 256 << 20;

pub(super) fn a_stopped_reader_stops_its_writer(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    for _ in 0..3 {
        let taken = fill(&mut client)?;
        let mut left = taken;
        while left > 0 {
            let mut buf = vec![0; trial.length(300_000)];
            match server.read(&mut buf)? {
                Read::Bytes(read) => {
                    ensure(read as u64 <= left, || "more came than was written".into())?;
                    left -= read as u64;
                }
                Read::Nothing => server.await_input()?,
                Read::Over => {
                    let text = format!("the end with {left} of {taken} bytes missing");
                    return Err(server.finds(&text));
                }
            }
        }
        client.await_room()?;
    }
    Ok(())
}

/// Writes until the link refuses; how much it took.
pub(super) fn fill(end: &mut End) -> Result<u64, Finding> {
    let piece = vec![1; 64 << 10];
    let mut taken = 0;
    while taken < BOUNDLESS {
        match end.write(&piece)? {
            Written::Bytes(written) => taken += written as u64,
            Written::Nothing => return Ok(taken),
            Written::Over => return Err(end.finds("the link ended while nobody read")),
        }
    }
    Err(end.finds(&format!("{taken} bytes were taken and none was read")))
}

pub(super) fn room_wakes_a_writer_that_found_none(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    let mut flow = Flow::new(trial, 24 << 20);
    while !flow.is_over() {
        flow.push(trial, &mut client)?;
        while flow.received < flow.sent {
            if flow.pull_once(trial, &mut server)?.is_none() {
                server.await_input()?;
            }
        }
        // Everything written was read: room must have been announced.
        if !flow.is_over() {
            client.await_room()?;
        }
    }
    // A refusal that is not the reader's fault must end without the reader.
    for _ in 0..100 {
        client.forget_events()?;
        match client.write(&[4; 100])? {
            Written::Bytes(written) => drop(server.read_exact(written)?),
            Written::Nothing => client.await_room()?,
            Written::Over => return Err(client.finds("the link ended between two writes")),
        }
    }
    Ok(())
}

pub(super) fn a_low_water_mark_delays_and_loses_nothing(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    drain(&mut server)?;
    server.link.set_read_low_water(1 << 20);
    client.write_all(&[1; 100])?;
    // Enough to be woken for.
    let mut flow = Flow::new(trial, 2 << 20);
    server.read_exact(100)?;
    flow.run(trial, &mut client, &mut server)?;
    // Not enough, but the mark is taken back.
    server.link.set_read_low_water(1 << 20);
    drain(&mut server)?;
    client.write_all(&[2; 100])?;
    server.link.set_read_low_water(1);
    server.read_exact(100)?;
    // Not enough, but it is the last.
    server.link.set_read_low_water(1 << 20);
    drain(&mut server)?;
    client.write_all(&[3; 100])?;
    drop(client);
    server.read_exact(100)?;
    let end = server.read_once(&mut [0; 8])?;
    ensure(end == Read::Over, || format!("after the end came {end:?}"))
}

pub(super) fn a_direct_wait_ends_with_input_or_its_time(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    let Some(waited) = server.link.wait_direct(Some(Duration::ZERO)) else {
        // This link has no such way.
        return Ok(());
    };
    waited?;
    client.write_all(b"x")?;
    let deadline = Instant::now() + trial.patience;
    while server.read(&mut [0; 8])? != Read::Bytes(1) {
        ensure(Instant::now() < deadline, || "a byte never came".into())?;
        let left = deadline.saturating_duration_since(Instant::now());
        server.link.wait_direct(Some(left)).transpose()?;
    }
    Ok(())
}

pub(super) fn nothing_is_unsent_once_all_is_read(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    client.write_all(&[5; 10_000])?;
    server.read_exact(10_000)?;
    // No event tells of it: acknowledgements come when they come.
    let deadline = Instant::now() + trial.patience;
    while client.link.unsent() > 0 {
        ensure(Instant::now() < deadline, || {
            let unsent = client.link.unsent();
            format!("{unsent} bytes count as unsent after all 10000 were read")
        })?;
        thread::yield_now();
    }
    Ok(())
}
