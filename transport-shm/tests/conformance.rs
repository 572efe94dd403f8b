//! `shm://` keeps what every transport promises.

#![cfg(target_os = "linux")]

#[path = "common/subject.rs"]
mod subject;

use subject::OverShm;

ferromq_transport::link_conformance!(OverShm);
