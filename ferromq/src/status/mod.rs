//! Sight into a running process: its sockets, told to its own user over a local
//! socket, when it was asked to.
//!
//! ```text
//!  Context ─ keep ─▶ Registration ─▶ Server ─ a thread that sleeps until asked
//!                                      │        ▲ snapshot\n
//!                     ContextObserver ◀┘        ▼ one line of JSON
//!                                            Client ─▶ ferromq inspect, scripts
//! ```
//! Nothing is served unless somebody opts in: by [`ContextBuilder::status`],
//! [`Context::serve_status`], or the environment: `FERROMQ_STATUS=1` for the
//! default place, or a path. All contexts of a process that serve in one place
//! are told together.
//!
//! # Who may look
//! The file has mode 0600 in a directory of mode 0700, and the kernel is asked
//! who connects: only processes of the same effective user id get an answer.
//!
//! # What it costs
//! Nothing until somebody asks. Then one snapshot for all who ask, 20 a second
//! at most and a fifth of a core at most; each socket is held for as long as it
//! takes to copy its counters. Who does not read its answer keeps one snapshot
//! in memory and stops nobody. At most 16 clients are served; another one takes
//! the place of the one that has been quiet the longest.
//!
//! The protocol and every field is in `docs/STATUS.md`.
//!
//! ```
//! use ferromq::{Context, Pull};
//! use ferromq::status::{self, StatusPlace};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("status").display().to_string();
//! let place: StatusPlace = path.parse()?;
//! let context = Context::builder().status(place.clone()).build()?;
//! let pull = context.socket::<Pull>()?;
//! pull.bind("tcp://127.0.0.1:*")?;
//!
//! // Usually in another process:
//! let report = status::Client::connect(&place.endpoint()?)?.report()?;
//! assert_eq!(report.sockets[0].socket_type, "PULL");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Context::serve_status`]: crate::Context::serve_status
//! [`ContextBuilder::status`]: crate::ContextBuilder::status

mod client;
mod connection;
mod error;
mod place;
mod report;
mod server;
mod serving;

pub use client::Client;
pub use error::StatusError;
pub use place::{StatusPlace, find, serving_processes};
pub use report::{
    Amount, EndpointReport, Identity, PeerReport, Rate, Rates, Report, SocketReport, VERSION,
};
pub use serving::withdraw;

pub(crate) use place::from_environment;
pub(crate) use serving::serve;
