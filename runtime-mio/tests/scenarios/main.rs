//! Whole sockets, through the public interface only: what a program sees.

#[path = "../common/mod.rs"]
mod common;

mod addresses;
mod away;
mod borrowed;
mod bursts;
mod busy_heartbeats;
mod changed_options;
mod connections;
mod curve;
mod descriptor;
mod disconnecting;
mod drafts;
mod early_reply;
mod heartbeats;
mod high_water_marks;
mod inproc;
mod landing;
mod lifetime;
mod linger;
mod lingering_close;
mod long_bodies;
mod lost_requester;
mod notifications;
mod observing;
mod patterns;
mod polling;
mod proxy;
mod router_disconnect;
mod routing;
mod security;
mod sharing;
mod sight;
mod topics;
mod waiting;
