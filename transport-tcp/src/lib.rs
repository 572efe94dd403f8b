//! tcp:// and ipc:// for FerroMQ.
