//! What a FerroMQ transport is: traits and the endpoint grammar.
