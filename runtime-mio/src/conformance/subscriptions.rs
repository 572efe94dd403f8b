//! Who subscribed to what.

use ferromq_transport::conformance::{Finding, ensure};

use super::trial::{Trial, receive, send};
use crate::{AnySocket, Message, SocketType};

/// The subscription that a publisher is told of.
fn expect_subscription(publisher: &AnySocket, subscribe: bool, topic: &str) -> Result<(), Finding> {
    let expected = [&[u8::from(subscribe)], topic.as_bytes()].concat();
    let heard = receive(publisher, &format!("the subscription to {topic}"))?;
    ensure(heard == Message::from(expected.as_slice()), || {
        format!("{heard:?} came instead of a subscription to {topic}")
    })
}

fn publish(publisher: &AnySocket, topic: &str, number: u32) -> Result<(), Finding> {
    let number = number.to_string();
    let message = Message::from([topic, number.as_str()]);
    send(publisher, message, &format!("{topic} {number}"))
}

fn expect(subscriber: &AnySocket, topic: &str, number: u32) -> Result<(), Finding> {
    let number = number.to_string();
    let heard = receive(subscriber, &format!("{topic} {number}"))?;
    ensure(heard == Message::from([topic, number.as_str()]), || {
        format!("{heard:?} came instead of {topic} {number}")
    })
}

pub(super) fn subscribers_get_what_they_asked_for(trial: &Trial) -> Result<(), Finding> {
    let (publisher, endpoint) = trial.bound(SocketType::XPub)?;
    let apples = trial.connected(SocketType::Sub, &endpoint)?;
    for topic in ["apple", "end of apples"] {
        apples.subscribe(topic)?;
        expect_subscription(&publisher, true, topic)?;
    }
    let berries = trial.connected(SocketType::Sub, &endpoint)?;
    for topic in ["bilberry", "blueberry", "end of berries"] {
        berries.subscribe(topic)?;
        expect_subscription(&publisher, true, topic)?;
    }
    for number in 0..200 {
        for topic in ["apple", "apple pie", "banana", "bilberry", "blueberry"] {
            publish(&publisher, topic, number)?;
        }
    }
    for number in 0..200 {
        expect(&apples, "apple", number)?;
        expect(&apples, "apple pie", number)?;
        expect(&berries, "bilberry", number)?;
        expect(&berries, "blueberry", number)?;
    }
    // What is cancelled comes no more.
    berries.unsubscribe("bilberry")?;
    expect_subscription(&publisher, false, "bilberry")?;
    for topic in ["apple", "bilberry", "end of apples", "end of berries"] {
        publish(&publisher, topic, 200)?;
    }
    expect(&apples, "apple", 200)?;
    expect(&apples, "end of apples", 200)?;
    expect(&berries, "end of berries", 200)
}

pub(super) fn a_subscription_outlives_its_connection(trial: &Trial) -> Result<(), Finding> {
    let endpoint = trial.endpoint();
    let subscriber = trial.connected(SocketType::Sub, &endpoint)?;
    subscriber.subscribe("kept")?;
    for life in 0..4 {
        let publisher = trial.socket(SocketType::XPub)?;
        publisher.bind(&endpoint)?;
        expect_subscription(&publisher, true, "kept")?;
        publish(&publisher, "other", life)?;
        publish(&publisher, "kept", life)?;
        expect(&subscriber, "kept", life)?;
        publisher.unbind(&endpoint)?;
    }
    Ok(())
}

pub(super) fn a_lost_subscriber_is_told_of(trial: &Trial) -> Result<(), Finding> {
    let (publisher, endpoint) = trial.bound(SocketType::XPub)?;
    for _ in 0..4 {
        let subscriber = trial.connected(SocketType::Sub, &endpoint)?;
        subscriber.subscribe("for a while")?;
        expect_subscription(&publisher, true, "for a while")?;
        drop(subscriber);
        expect_subscription(&publisher, false, "for a while")?;
    }
    Ok(())
}
