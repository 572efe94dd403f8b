//! Which places this process serves, and for which contexts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferromq_mio::ContextObserver;

use super::server::Server;
use super::{StatusError, StatusPlace};

/// The servers of this process. A context that ends and one that begins may
/// want the same place: whoever changes this holds the lock until it is done.
static SERVERS: Mutex<Vec<Arc<Server>>> = Mutex::new(Vec::new());

/// Counts contexts, so that reports tell them apart.
static CONTEXTS: AtomicU64 = AtomicU64::new(1);

/// A context that is told in one place. Kept by the context; the last one that
/// goes takes the endpoint with it.
pub(crate) struct Registration {
    server: Arc<Server>,
    context: u64,
}

/// Serves the status of a context.
pub(crate) fn serve(
    place: &StatusPlace,
    observer: ContextObserver,
) -> Result<Registration, StatusError> {
    let mut servers = servers();
    let server = match servers.iter().find(|server| server.place() == place) {
        Some(server) => server.clone(),
        None => {
            let server = Arc::new(Server::start(place)?);
            servers.push(server.clone());
            server
        }
    };
    let context = CONTEXTS.fetch_add(1, Ordering::Relaxed);
    server.add(context, observer);
    Ok(Registration { server, context })
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut servers = servers();
        if self.server.remove(self.context) == 0 {
            servers.retain(|server| !Arc::ptr_eq(server, &self.server));
            self.server.stop();
        }
    }
}

/// Takes every status endpoint of this process away, with its file: for those
/// who are about to end the process without dropping their contexts.
pub fn withdraw() {
    for server in servers().drain(..) {
        server.stop();
    }
}

fn servers() -> MutexGuard<'static, Vec<Arc<Server>>> {
    SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}
