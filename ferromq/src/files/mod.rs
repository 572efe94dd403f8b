//! Files from one machine to another: of any size, checked, resumed after
//! whatever interrupted them, never under their name before they are whole.
//!
//! A [`Sender`] has a DEALER socket, a [`Receiver`] a ROUTER; what they say is
//! in `docs/FILES.md`, and any ZeroMQ program can say it too. The program's
//! `ferromq send` and `ferromq receive` are these two.
//!
//! ```
//! use std::ops::ControlFlow;
//! use ferromq::Context;
//! use ferromq::files::{Event, Receiver, ReceiverOptions, Sender, SenderOptions};
//!
//! # let scratch = tempfile::tempdir()?;
//! # let (photo, inbox) = (scratch.path().join("photo.jpg"), scratch.path().join("inbox"));
//! # std::fs::write(&photo, "a photo")?;
//! # std::fs::create_dir(&inbox)?;
//! let context = Context::new()?;
//! let mut receiver = Receiver::new(&context, &inbox, ReceiverOptions::new())?;
//! let endpoint = receiver.socket().bind("tcp://127.0.0.1:*")?;
//! let receiving = std::thread::spawn(move || {
//!     receiver.run(|event| match event {
//!         Event::Received { .. } => ControlFlow::Break(()),
//!         _ => ControlFlow::Continue(()),
//!     })
//! });
//!
//! let mut sender = Sender::new(&context, SenderOptions::new())?;
//! sender.socket().connect(&endpoint.to_string())?;
//! let sent = sender.send(&photo, |progress| println!("{} bytes", progress.written))?;
//!
//! receiving.join().unwrap()?;
//! assert_eq!(std::fs::read(inbox.join("photo.jpg"))?, b"a photo");
//! assert_eq!(sent.size, 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is trusted
//! Nobody: names that could leave the directory, chunks out of turn, more than
//! was granted, are refused, and memory stays bounded. But who reaches a
//! receiver may fill its disk; there is no password here beyond the socket's.

mod delivery;
mod directory;
mod error;
mod event;
mod hashing;
mod intake;
mod mailbox;
mod name;
mod orders;
mod protocol;
mod receiver;
mod refusal;
mod sender;
mod serving;
mod source;
mod table;

pub use directory::Existing;
pub use error::FileError;
pub use event::{Event, Incoming};
pub use name::{FileName, NameError};
pub use receiver::{Receiver, ReceiverOptions};
pub use refusal::{Refusal, RefusalCode};
pub use sender::{Progress, Sender, SenderOptions, Sent};
