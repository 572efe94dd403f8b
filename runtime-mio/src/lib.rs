//! FerroMQ's event loop on mio: contexts, sockets, pipes, reconnection, monitoring.
