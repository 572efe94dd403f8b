//! Two sockets of this process that one thread drives.

use std::time::Duration;

use ferromq::{AnySocket, Context, Error, Message, Options, SocketType};

use crate::sections::Failure;

/// A connection takes milliseconds, under valgrind a hundred.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the two meet.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Via {
    Tcp,
    Ipc,
    Inproc,
}

impl Via {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Ipc => "ipc",
            Self::Inproc => "inproc",
        }
    }

    fn endpoint(self) -> &'static str {
        match self {
            Self::Tcp => "tcp://127.0.0.1:*",
            Self::Ipc => "ipc://*",
            Self::Inproc => "inproc://guard",
        }
    }
}

/// A connected pair, and what they live in.
pub(crate) struct Pair {
    pub(crate) from: AnySocket,
    pub(crate) to: AnySocket,
    _context: Context,
}

impl Pair {
    /// Connects `from` to `to`, and waits until messages arrive.
    pub(crate) fn new(from: SocketType, to: SocketType, via: Via) -> Result<Self, Failure> {
        let context = Context::new()?;
        // Counted is what the transport costs that is asked for.
        let options = || Options::new().switch(false);
        let to = context.any_socket(to, options())?;
        let endpoint = to.bind(via.endpoint())?;
        let from = context.any_socket(from, options())?;
        if to.socket_type() == SocketType::Sub {
            to.subscribe("")?;
        }
        from.connect(&endpoint.to_string())?;
        let pair = Self {
            from,
            to,
            _context: context,
        };
        let met = pair.from.wait_for_peers(1, PATIENCE)? && pair.to.wait_for_peers(1, PATIENCE)?;
        if !met {
            return Err("the sockets did not meet".into());
        }
        if pair.from.socket_type() == SocketType::Pub {
            pair.await_subscription()?;
        }
        Ok(pair)
    }

    /// Publishes until something arrives, and takes what does.
    fn await_subscription(&self) -> Result<(), Failure> {
        for _ in 0..5_000 {
            self.from.send_bytes(b"heard?")?;
            match self.to.try_recv() {
                Ok(_) => return self.drain(),
                // No receive that waits: one in vain changes how the next waits.
                Err(Error::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return Err(error.into()),
            }
        }
        Err("no publication arrived".into())
    }

    /// Takes whatever has been sent so far.
    fn drain(&self) -> Result<(), Failure> {
        self.from.send_bytes(b"last")?;
        while self.to.recv()? != Message::from("last") {}
        Ok(())
    }
}
