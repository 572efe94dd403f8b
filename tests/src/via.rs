//! The transports that a test runs over.

use tempfile::TempDir;

/// A transport that leaves the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// `tcp://` on the loopback address.
    Tcp,
    /// `ipc://` in a fresh directory.
    Ipc,
}

/// Somewhere to bind; for ipc the directory goes when this does.
#[derive(Debug)]
pub struct Place {
    endpoint: String,
    _directory: Option<TempDir>,
}

impl Via {
    /// Somewhere nobody else binds.
    #[must_use]
    pub fn place(self) -> Place {
        match self {
            Self::Tcp => Place {
                endpoint: "tcp://127.0.0.1:*".into(),
                _directory: None,
            },
            Self::Ipc => {
                let directory = TempDir::new().expect("a temporary directory");
                let path = directory.path().join("socket");
                let endpoint = format!("ipc://{}", path.display());
                Place {
                    endpoint,
                    _directory: Some(directory),
                }
            }
        }
    }
}

impl Place {
    /// What to bind; a tcp one still has a wildcard for its port.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}
