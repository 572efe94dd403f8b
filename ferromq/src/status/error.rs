//! What serving and asking for status can answer besides success.

use std::io;

use ferromq_transport::TransportError;

/// Why status cannot be served, or be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// Text that names no place for a status endpoint.
    #[error("{text:?} is no place for status: 1, a path with a slash, or ipc://path")]
    Place {
        /// What was given.
        text: String,
    },
    /// No directory for the endpoint's file.
    #[error("cannot make the directory {path}: {cause}")]
    Directory {
        /// The directory.
        path: String,
        /// The system's answer.
        #[source]
        cause: io::Error,
    },
    /// The directory is there and not fit to be trusted.
    #[error("{path} is no directory of user {uid} with mode 0700")]
    NotPrivate {
        /// The directory.
        path: String,
        /// Our effective user id.
        uid: u32,
    },
    /// The endpoint cannot be bound or connected, and why.
    #[error(transparent)]
    Transport(#[from] Box<TransportError>),
    /// The system refused something else.
    #[error("cannot {what}: {cause}")]
    System {
        /// What was being done.
        what: &'static str,
        /// The system's answer.
        #[source]
        cause: io::Error,
    },
    /// There is no such process.
    #[error("no process has the id {pid}")]
    NoProcess {
        /// The id that was asked for.
        pid: u32,
    },
    /// The process belongs to somebody else.
    #[error("process {pid} is user {uid}'s, and shows its status to nobody else")]
    OtherUser {
        /// The process.
        pid: u32,
        /// Its user id.
        uid: u32,
    },
    /// The process is ours and serves nothing.
    #[error(
        "process {pid} does not show its status: start it with FERROMQ_STATUS=1 in its \
         environment, or with --status"
    )]
    NotServed {
        /// The process.
        pid: u32,
    },
    /// The process ended, or took its endpoint away.
    #[error("{endpoint} is gone: the process has ended")]
    Ended {
        /// The endpoint.
        endpoint: String,
    },
    /// No whole answer came in time.
    #[error("{endpoint} did not answer within {seconds} s")]
    Silent {
        /// The endpoint.
        endpoint: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The answer is not what a status endpoint says.
    #[error("{endpoint} does not speak FerroMQ's status protocol: {cause}")]
    Garbled {
        /// The endpoint.
        endpoint: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The answer has another version.
    #[error(
        "{endpoint} speaks version {version} of the status protocol, not {}",
        super::VERSION
    )]
    OtherVersion {
        /// The endpoint.
        endpoint: String,
        /// Its version.
        version: u32,
    },
}

impl StatusError {
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::System { what, cause }
    }
}

impl From<TransportError> for StatusError {
    fn from(cause: TransportError) -> Self {
        Self::Transport(Box::new(cause))
    }
}
