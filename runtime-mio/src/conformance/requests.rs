//! Requests and replies.

use ferromq_transport::conformance::{Finding, ensure};

use super::trial::{Trial, meanwhile, receive, send};
use crate::{AnySocket, Message, SocketType};

pub(super) fn a_reply_reaches_who_asked(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(20_000);
    let (replier, endpoint) = trial.bound(SocketType::Rep)?;
    let requesters: Vec<_> = (0..4)
        .map(|_| trial.connected(SocketType::Req, &endpoint))
        .collect::<Result<_, _>>()?;
    let ask = |sender: u32, requester: &AnySocket| -> Result<(), Finding> {
        for number in 0..100 {
            let request = letters.write(sender, number);
            send(requester, request.clone(), "a request")?;
            let reply = receive(requester, &format!("reply {number} of {sender}"))?;
            ensure(reply == request, || {
                let seen = letters.read(&reply);
                format!("request {number} of {sender} got the reply to {seen:?}")
            })?;
        }
        Ok(())
    };
    let reply = || {
        for number in 0..400 {
            let request = receive(&replier, &format!("request {number} of 400"))?;
            letters.read(&request)?;
            send(&replier, request, "a reply")?;
        }
        Ok(())
    };
    meanwhile(reply, || {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..)
                .zip(&requesters)
                .map(|(sender, requester)| scope.spawn(move || ask(sender, requester)))
                .collect();
            threads.into_iter().try_for_each(|thread| {
                let outcome = thread.join();
                outcome.map_err(|_| Finding::new("a thread panicked"))?
            })
        })
    })
}

pub(super) fn a_router_reaches_the_peer_it_names(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(10_000);
    let (router, endpoint) = trial.bound(SocketType::Router)?;
    let mut dealers = Vec::new();
    for number in 0..8_u32 {
        let options = trial.options().identity(format!("dealer {number}"));
        let dealer = trial.socket_with(SocketType::Dealer, options)?;
        dealer.connect(&endpoint)?;
        send(&dealer, Message::from("here I am"), "a greeting")?;
        receive(&router, "a greeting")?;
        dealers.push(dealer);
    }
    for number in 0..50 {
        for (place, _) in (0..).zip(&dealers) {
            let mut message = letters.write(place, number);
            message.push_front(format!("dealer {place}"));
            send(&router, message, "a message with a name")?;
        }
    }
    for (place, dealer) in (0..).zip(&dealers) {
        trial.expect(dealer, letters, place, 0..50)?;
    }
    Ok(())
}
