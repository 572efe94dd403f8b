//! High-water marks, and what waits.

use ferromq_transport::conformance::{Finding, ensure};

use super::letters::Letters;
use super::trial::{Trial, meanwhile, receive, send_letters};
use crate::{AnySocket, DropCause, Error, SocketType};

/// Messages of 64 KiB that no chain of queues takes while nobody reads.
const BOUNDLESS: u32 = 4000;

/// A PUSH and a PULL with short queues.
fn narrow(trial: &Trial) -> Result<(AnySocket, AnySocket), Finding> {
    let options = || {
        trial
            .options()
            .send_high_water_mark(10)
            .receive_high_water_mark(10)
    };
    let sink = trial.socket_with(SocketType::Pull, options())?;
    let endpoint = sink.bind(&trial.endpoint())?.to_string();
    let source = trial.socket_with(SocketType::Push, options())?;
    source.connect(&endpoint)?;
    trial.await_peers(&source, 1)?;
    Ok((source, sink))
}

/// Sends until there is no room; how many messages were taken.
fn fill(source: &AnySocket, letters: Letters) -> Result<u32, Finding> {
    for number in 0..BOUNDLESS {
        match source.try_send(letters.write(1, number)) {
            Ok(()) => {}
            Err(refused) if matches!(refused.error, Error::WouldBlock) => {
                ensure(refused.message == letters.write(1, number), || {
                    format!("message {number} was refused, and another one given back")
                })?;
                return Ok(number);
            }
            Err(refused) => return Err(refused.into()),
        }
    }
    Err(Finding::new(format!(
        "{BOUNDLESS} messages of 64 KiB were taken with high-water marks of 10, and none received"
    )))
}

pub(super) fn a_full_queue_would_block_and_loses_nothing(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(64 << 10).uniform();
    let (source, sink) = narrow(trial)?;
    let taken = fill(&source, letters)?;
    ensure(taken >= 10, || {
        format!("the queue was full with {taken} messages, below its mark of 10")
    })?;
    trial.expect(&sink, letters, 1, 0..taken)?;
    let none = sink.try_recv();
    ensure(matches!(none, Err(Error::WouldBlock)), || {
        format!("{taken} messages were sent, and a further one came: {none:?}")
    })?;
    // There is room again.
    send_letters(&source, letters, 1, taken..taken + 1)?;
    trial.expect(&sink, letters, 1, taken..taken + 1)
}

pub(super) fn a_full_queue_holds_its_sender_until_there_is_room(
    trial: &Trial,
) -> Result<(), Finding> {
    let letters = trial.letters(64 << 10).uniform();
    let (source, sink) = narrow(trial)?;
    let taken = fill(&source, letters)?;
    meanwhile(
        || send_letters(&source, letters, 1, taken..taken + 50),
        || trial.expect(&sink, letters, 1, 0..taken + 50),
    )
}

pub(super) fn a_full_subscriber_loses_messages_and_stops_nobody(
    trial: &Trial,
) -> Result<(), Finding> {
    let letters = trial.letters(64 << 10).uniform();
    let options = || {
        trial
            .options()
            .send_high_water_mark(10)
            .receive_high_water_mark(10)
    };
    // Verbose: it is told of the second subscription too.
    let publisher = trial.socket_with(SocketType::XPub, options().xpub_verbose(true))?;
    let endpoint = publisher.bind(&trial.endpoint())?.to_string();
    let subscribe = || -> Result<AnySocket, Finding> {
        let subscriber = trial.socket_with(SocketType::Sub, options())?;
        subscriber.subscribe("")?;
        subscriber.connect(&endpoint)?;
        receive(&publisher, "a subscription")?;
        Ok(subscriber)
    };
    let (keen, idle) = (subscribe()?, subscribe()?);

    let dropped = || publisher.statistics().drops.of(DropCause::SubscriberFull);
    let mut published = 0;
    while dropped() == 0 {
        ensure(published < BOUNDLESS, || {
            format!("{published} messages were published, and none dropped or received")
        })?;
        send_letters(&publisher, letters, 1, published..published + 1)?;
        trial.expect(&keen, letters, 1, published..published + 1)?;
        published += 1;
    }
    let kept = u64::from(published) - dropped();
    let mut last = None;
    for received in 0..kept {
        let what = format!("{received} of {kept} messages that were not dropped");
        let (_, number) = letters.read(&receive(&idle, &what)?)?;
        ensure(last < Some(number), || {
            format!("message {number} came after {last:?}")
        })?;
        last = Some(number);
    }
    let none = idle.try_recv();
    ensure(matches!(none, Err(Error::WouldBlock)), || {
        "more messages came than were not dropped".into()
    })
}

pub(super) fn what_was_sent_outlives_its_socket(trial: &Trial) -> Result<(), Finding> {
    let large = trial.letters(2 << 20).uniform();
    let small = trial.letters(500);
    for who_binds in [SocketType::Pull, SocketType::Push] {
        let (sink, source) = match who_binds {
            SocketType::Pull => {
                let (sink, endpoint) = trial.bound(SocketType::Pull)?;
                (sink, trial.connected(SocketType::Push, &endpoint)?)
            }
            _ => {
                let (source, endpoint) = trial.bound(SocketType::Push)?;
                (trial.connected(SocketType::Pull, &endpoint)?, source)
            }
        };
        trial.await_peers(&source, 1)?;
        send_letters(&source, large, 1, 0..3)?;
        send_letters(&source, small, 2, 0..200)?;
        drop(source);
        trial.expect(&sink, large, 1, 0..3)?;
        trial.expect(&sink, small, 2, 0..200)?;
    }
    Ok(())
}
