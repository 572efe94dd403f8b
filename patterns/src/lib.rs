//! ZeroMQ's socket types as sans-IO state machines: who gets which message.
