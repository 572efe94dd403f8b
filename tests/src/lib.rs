//! Interoperation, conformance and hostile-input tests of whole sockets.
