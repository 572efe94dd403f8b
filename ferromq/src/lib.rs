//! ZeroMQ's sockets as a layered Rust stack: the library, and the ferromq program.
