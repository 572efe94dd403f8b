//! What stands between two peers and makes each take the other for an older one.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// Passes one connection on, with the minor version in both greetings set to 0:
/// no greeting is authenticated, and both sides then talk 3.0.
///
/// A greeting is passed on when it is whole, so one of the two must send its
/// own without waiting.
#[derive(Debug)]
pub struct Downgrade {
    endpoint: String,
}

impl Downgrade {
    /// Leads to this `tcp://address:port`.
    #[must_use]
    pub fn to(endpoint: &str) -> Self {
        let target = endpoint.strip_prefix("tcp://").expect("tcp").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        // Ends with the connection.
        thread::spawn(move || {
            let (near, _) = listener.accept()?;
            let far = TcpStream::connect(target)?;
            let (back, forth) = (near.try_clone()?, far.try_clone()?);
            thread::spawn(move || pass_on(far, back));
            pass_on(near, forth)
        });
        Self {
            endpoint: format!("tcp://{address}"),
        }
    }

    /// Where to connect.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let mut greeting = [0; 64];
    from.read_exact(&mut greeting)?;
    greeting[11] = 0;
    to.write_all(&greeting)?;
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Write)
}
