//! The transport over devices in software.

mod conformance;
