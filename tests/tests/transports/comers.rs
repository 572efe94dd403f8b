//! Peers that come while a socket looks for another one's messages without sleeping.

use std::thread;
use std::time::Duration;

use ferromq::{Context, Dealer, Router, Socket};
use ferromq_tests::{PATIENCE, Watchdog};

/// Those who come and say nothing.
const COMERS: usize = 1_000;

fn connect(context: &Context, endpoint: &str) -> Socket<Dealer> {
    let socket = context.socket().unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

fn ask(socket: &Socket<Dealer>) {
    socket.send("?").unwrap();
    socket.recv_timeout(PATIENCE).expect("an answer");
}

struct Closing<'a>(&'a Socket<Router>);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Over `shm://` a peer that is looked at again and again need not wake anybody. Who
/// comes meanwhile may take a place in front of it: the one that is told that waking is
/// due again must still be the first one.
#[test]
fn a_peer_that_was_waited_for_awake_is_heard_after_another_one_came() {
    let _watchdog = Watchdog::start();
    let (hub, clients) = (Context::new().unwrap(), Context::new().unwrap());
    let router: Socket<Router> = hub.socket().unwrap();
    let endpoint = router.bind("shm://*").unwrap().to_string();
    thread::scope(|scope| {
        // Also when nothing is heard.
        let _closing = Closing(&router);
        scope.spawn(|| {
            while let Ok(message) = router.recv() {
                // Whoever has gone is told nothing.
                let _ = router.send(message);
            }
        });
        // Its place is free for those who come, in front of the one who stays.
        let first = connect(&clients, &endpoint);
        ask(&first);
        let resident = connect(&clients, &endpoint);
        ask(&resident);
        drop(first);
        for _ in 0..COMERS {
            let comer = connect(&clients, &endpoint);
            while !comer.wait_for_peers(1, Duration::ZERO).unwrap() {
                ask(&resident);
            }
            // Nothing else wakes the socket now.
            (0..3).for_each(|_| ask(&resident));
        }
    });
}
