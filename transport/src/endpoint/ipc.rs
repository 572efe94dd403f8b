//! `ipc://path`, `ipc://@name`, `ipc://*`.

use std::fmt;
use std::path::Path;

use crate::error::EndpointCause;

/// The address of an `ipc://` endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IpcAddress {
    /// A path of at most [`IPC_NAME_MAX`] bytes, absolute or relative to the
    /// working directory at the time of binding or connecting.
    Path(String),
    /// A name of at most [`IPC_NAME_MAX`] bytes in Linux's abstract namespace,
    /// without the `@`. It has no file and vanishes with its socket.
    Abstract(String),
    /// `*`: a socket in a fresh directory that only its user can enter. For
    /// binding only. (A file called `*` is `ipc://./*`.)
    Any,
}

/// The longest path or abstract name of an `ipc://` endpoint, in bytes: the
/// system's `sun_path` without its terminating or leading NUL.
pub const IPC_NAME_MAX: usize = if cfg!(any(target_os = "linux", target_os = "android")) {
    107
} else {
    103
};

impl IpcAddress {
    /// The path, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(Path::new(path)),
            _ => None,
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, EndpointCause> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (name, is_abstract) = match text.strip_prefix('@') {
            Some("") => return Err(EndpointCause::EmptyAbstractName),
            Some(name) => (name, true),
            None => (text, false),
        };
        if name.contains('\0') {
            return Err(EndpointCause::NulInName);
        }
        if name.len() > IPC_NAME_MAX {
            return Err(EndpointCause::NameTooLong {
                len: name.len(),
                limit: IPC_NAME_MAX,
            });
        }
        Ok(if is_abstract {
            Self::Abstract(name.to_owned())
        } else {
            Self::Path(name.to_owned())
        })
    }
}

impl fmt::Display for IpcAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Abstract(name) => write!(f, "@{name}"),
            Self::Any => f.write_str("*"),
        }
    }
}
